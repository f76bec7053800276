"""Looks into some masks of a layout that comes in two kinds. Damaged ones are passed over: they are said when cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sweep.patches.rasters.foreground import HIGH, LOW, MIN_SURE
from sweep.patches.rasters.mask_files import MAX_TINT, MaskPixels, distinct, mask_pixels, open_mask
from trainables.errors import DataError
from trainables.task import Colour

LOOKED_AT = 6
"""Masks, spread over all of them."""


def in_colours(masks: Sequence[Path]) -> bool:
    """Whether some of the masks have colours; one where nothing is labelled is all black."""
    return any(_coloured(mask) for mask in _some(masks))


def colours_of(masks: Sequence[Path]) -> set[Colour]:
    """Return the colours of some of the masks."""
    found: set[Colour] = set()
    for mask in _some(masks):
        if mask.raster.palette is not None or mask.pixels.ndim == 3:
            for red, green, blue in np.unique(mask.colours().reshape(-1, 3), axis=0).tolist():
                found.add((red, green, blue))
    return found


def are_blurred(masks: Sequence[Path]) -> bool:
    """Whether some of the masks are black and white with the blurred edges that a lossy compression leaves."""
    looked_at = list(_some(masks))
    for mask in looked_at:
        if not mask.raster.lossy or _coloured(mask):
            return False
        found, counts = distinct(mask.values(""))
        if counts[(found <= LOW) | (found >= HIGH)].sum() < MIN_SURE * counts.sum():
            return False
    return bool(looked_at)


def _some(paths: Sequence[Path]) -> Iterator[MaskPixels]:
    for path in paths[:: max(1, -(-len(paths) // LOOKED_AT))]:
        try:
            raster = open_mask(path)
            yield mask_pixels(raster, raster.read())
        except DataError:
            continue


def _coloured(mask: MaskPixels) -> bool:
    if mask.raster.palette is not None:
        return True
    return mask.pixels.ndim == 3 and bool((np.ptp(mask.pixels, axis=-1) > MAX_TINT).any())
