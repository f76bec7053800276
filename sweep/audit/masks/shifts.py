"""Masks that are shifted: their outlines fit the image better elsewhere, and so do they the prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sweep.audit.masks.finding import SHIFTED, LabelFinding
from sweep.rasters.shift import SURE, Shift, best_shift, moved
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX

DISAGREES = 0.5
"""By what a score is multiplied where the prediction does not fit better elsewhere."""


def find_shift(tile: Tile, probabilities: NDArray[np.float32]) -> tuple[LabelFinding, Shift] | None:
    """Return whether a mask is shifted against its image, and where it belongs; None for its own place.

    The place is found by the image's edges alone (see ``best_shift``). The out-of-fold prediction is a second witness.

    Args:
        tile: The tile.
        probabilities: (classes, H, W).
    """
    shift = best_shift(tile)
    if shift is None or shift.sure < SURE:
        return None
    there = moved(tile.mask, shift.right, shift.down)
    counts = there != IGNORE_INDEX
    gain = _agreement(there, counts, probabilities) - _agreement(tile.mask, counts, probabilities)
    witness = f"{'so' if gain > 0 else 'though not'} by the prediction of a model that has not seen the tile"
    height, width = tile.mask.shape
    finding = LabelFinding(
        tile=tile.name,
        kind=SHIFTED,
        reason=f"outlines fit the image {shift.words}, in {shift.sure:.0%} of resamples; {witness}",
        score=shift.sure * (1.0 if gain > 0 else DISAGREES),
        box=(0, 0, height, width),
        pixels=int((tile.mask != there)[counts].sum()),
        region=np.ones((height, width), bool),
    )
    return finding, shift


def back_in_place(tile: Tile, shift: Shift) -> Tile:
    """Return a tile whose mask is where it belongs: what else is wrong with it is found there."""
    return replace(tile, mask=moved(tile.mask, shift.right, shift.down))


def _agreement(mask: NDArray[np.uint8], counts: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> float:
    """Return the mean probability of the labels, of the pixels that count."""
    rows, columns = np.nonzero(counts & (mask != IGNORE_INDEX))
    return float(probabilities[mask[rows, columns], rows, columns].mean()) if len(rows) else 0.0
