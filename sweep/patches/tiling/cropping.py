"""Where in a source raster a tile is cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MEANINGFUL_SHARE = 0.05
"""Share of foreground pixels under which the study moved its crop."""
STRIDES_PER_TILE = 16
"""Offsets tried along the side of a tile: a step of 64 pixels at 1024."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A square cut from a source.

    Attributes:
        top: First row.
        left: First column.
        size: Side in pixels.
        share: Share of foreground pixels in it, in [0, 1].
    """

    top: int
    left: int
    size: int
    share: float


def choose_window(foreground: NDArray[np.bool_], size: int, *, minimum: float = MEANINGFUL_SHARE) -> Window:
    """Choose where to cut a tile: the geometric centre, or the nearest place with meaningful coverage.

    When the centre has under ``minimum`` foreground, windows are tried at offsets from it that are multiples of
    ``size // 16`` in both directions, and at the source's edges. The nearest one (Euclidean distance of the offset;
    then the upper, then the left one) with enough foreground is taken, and where none has enough, the one with most.

    Args:
        foreground: (H, W) bool, both sides at least ``size``.
        size: Side of the tile in pixels.
        minimum: Wanted share of foreground, in [0, 1].

    Returns:
        The window; its share tells whether the minimum was reached.
    """
    height, width = foreground.shape
    centre = ((height - size) // 2, (width - size) // 2)
    middle = cut(foreground, centre[0], centre[1], size)
    if middle.share >= minimum:
        return middle
    tops, lefts = _offsets(height, size, centre[0]), _offsets(width, size, centre[1])
    sums = np.zeros((height + 1, width + 1), dtype=np.int64)
    sums[1:, 1:] = foreground.cumsum(0, dtype=np.int64).cumsum(1)
    rows, columns = np.meshgrid(tops, lefts, indexing="ij")
    shares = (
        sums[rows + size, columns + size]
        - sums[rows, columns + size]
        - sums[rows + size, columns]
        + sums[rows, columns]
    ) / size**2
    distances = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    order = np.lexsort((columns.ravel(), rows.ravel(), distances.ravel()))
    enough = [index for index in order if shares.flat[index] >= minimum]
    best = enough[0] if enough else max(order, key=lambda index: (shares.flat[index], -distances.flat[index]))
    return Window(top=int(rows.flat[best]), left=int(columns.flat[best]), size=size, share=float(shares.flat[best]))


def cut(foreground: NDArray[np.bool_], top: int, left: int, size: int) -> Window:
    """Describe the window at a given place, which must lie inside the source."""
    share = float(foreground[top : top + size, left : left + size].mean())
    return Window(top=top, left=left, size=size, share=share)


def _offsets(length: int, size: int, centre: int) -> NDArray[np.int64]:
    step = max(1, size // STRIDES_PER_TILE)
    return np.array(sorted({0, length - size, *range(centre, -1, -step), *range(centre, length - size + 1, step)}))
