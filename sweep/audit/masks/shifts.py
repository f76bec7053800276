"""Masks that are shifted: their outlines fit the image better elsewhere, and so do they the prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sweep.audit.masks.finding import SHIFTED, LabelFinding
from sweep.rasters.shift import REACH, SURE, Shift, best_shift, moved
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX

DISAGREES = 0.5
"""By what a score is multiplied where the prediction fits better elsewhere."""
UNSURE = 0.75
"""By what it is multiplied where the image's edges are less sure than ``SURE``."""
HALF_SURE = 0.4
"""Of a place that the image's edges find in fewer resamples than ``SURE``, where the prediction finds it, too."""
STEP, NEAR = 4, 6.0
"""Pixels between the places that are tried by the prediction, and within which two places are one."""


def find_shift(tile: Tile, probabilities: NDArray[np.float32]) -> tuple[LabelFinding, Shift] | None:
    """Return whether a mask is shifted against its image, and where it belongs; None for its own place.

    There are two witnesses: the image's edges (see ``best_shift``), and the out-of-fold prediction. The first suffices
    where it is sure; else they must agree.

    Args:
        tile: The tile.
        probabilities: (classes, H, W).
    """
    shift = best_shift(tile)
    if shift is None or shift.sure < HALF_SURE:
        return None
    right, down = _place_by(probabilities, tile.mask)
    agrees = bool(np.hypot(right - shift.right, down - shift.down) <= NEAR)
    if shift.sure < SURE and not agrees:
        return None
    said = "so it does" if agrees else "though it does not fit"
    there = moved(tile.mask, shift.right, shift.down)
    height, width = tile.mask.shape
    finding = LabelFinding(
        tile=tile.name,
        kind=SHIFTED,
        reason=f"outlines fit the image {shift.words}, in {shift.sure:.0%} of resamples; {said} the prediction of a "
        f"model that has not seen the tile",
        score=shift.sure * (DISAGREES if not agrees else 1.0 if shift.sure >= SURE else UNSURE),
        box=(0, 0, height, width),
        pixels=int((tile.mask != there)[there != IGNORE_INDEX].sum()),
        region=np.ones((height, width), bool),
    )
    return finding, shift


def _place_by(probabilities: NDArray[np.float32], mask: NDArray[np.uint8]) -> tuple[int, int]:
    """Return how many pixels further right and down a mask fits a prediction best, in steps of ``STEP``."""
    places = [(right, down) for right in range(-REACH, REACH + 1, STEP) for down in range(-REACH, REACH + 1, STEP)]
    return max(places, key=lambda place: _agreement(moved(mask, *place), probabilities))


def back_in_place(tile: Tile, shift: Shift) -> Tile:
    """Return a tile whose mask is where it belongs: what else is wrong with it is found there."""
    return replace(tile, mask=moved(tile.mask, shift.right, shift.down))


def _agreement(mask: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> float:
    """Return the mean probability of labels, of the pixels that are ``REACH`` away from the tile's ends and count."""
    inside = slice(REACH, -REACH)
    mask, probabilities = mask[inside, inside], probabilities[:, inside, inside]
    counts = mask != IGNORE_INDEX
    own = np.take_along_axis(probabilities, np.where(counts, mask, 0)[None].astype(np.int64), axis=0)[0]
    return float(own[counts].mean()) if counts.any() else 0.0
