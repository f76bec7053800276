"""Which tiles look the same as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.patches.checks.views import MIN_CONTRAST, TileView

MIN_CORRELATION = 0.98
"""Of two thumbnails."""
BLOCK = 256
"""Tiles whose thumbnails are compared with all others at once."""

Pair = tuple[int, int]
"""Numbers of two tiles, the smaller first."""


def same_pictures(views: Sequence[TileView]) -> set[Pair]:
    """Return the pairs of which one tile is the other as a whole: a copy, turned, mirrored, or saved again."""
    flat = np.array([float(view.thumbnail.std()) < MIN_CONTRAST for view in views], np.bool_)
    pictures = np.stack([view.thumbnail for view in views])
    upright = _normalised(pictures, flat)
    found: set[Pair] = set()
    for mirrored in (pictures, pictures[:, :, ::-1]):
        for turns in range(4):
            turned = _normalised(np.rot90(mirrored, turns, axes=(1, 2)), flat)
            for start in range(0, len(views), BLOCK):
                alike = np.argwhere(turned[start : start + BLOCK] @ upright.T >= MIN_CORRELATION)
                found |= {(min(pair), max(pair)) for pair in ((one + start, other) for one, other in alike.tolist())}
    return {pair for pair in found if pair[0] != pair[1]}


def _normalised(pictures: NDArray[np.float32], flat: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (N, pixels) of mean 0 and length 1, so that products are correlations; 0 for a flat one."""
    values = pictures.reshape(len(pictures), -1)
    values = values - values.mean(axis=1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    values[flat] = 0
    return np.asarray(values, np.float32)
