"""Looks into some masks of a layout that comes in two kinds. Damaged ones are passed over: they are said when cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sweep.patches.rasters.area import Area
from sweep.patches.rasters.foreground import HIGH, LOW, MIN_SURE
from sweep.patches.rasters.mask_files import MAX_TINT, MaskPixels, distinct, mask_pixels, open_mask
from sweep.patches.rasters.reader import RasterFile
from trainables.errors import DataError
from trainables.task import Colour

LOOKED_AT = 6
"""Masks, spread over all of them."""
MAX_SIDE = 2_048
"""Of the part in the middle of each that is read; masks may be of any size."""


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
    looked_at = list(_some(masks, lossy=True))
    for mask in looked_at:
        if _coloured(mask):
            return False
        found, counts = distinct(mask.values(""))
        if counts[(found <= LOW) | (found >= HIGH)].sum() < MIN_SURE * counts.sum():
            return False
    return bool(looked_at)


def _some(paths: Sequence[Path], *, lossy: bool = False) -> Iterator[MaskPixels]:
    """Yield the middles of some masks; none if only lossy ones are asked for and one is not."""
    chosen = paths[:: max(1, -(-len(paths) // LOOKED_AT))]
    headers = [header for path in chosen if (header := _header(path))]
    if lossy and not all(header.lossy for header in headers):
        return
    for header in headers:
        try:
            yield mask_pixels(header, header.read(_middle(header.shape)))
        except DataError:
            continue


def _header(path: Path) -> RasterFile | None:
    try:
        return open_mask(path)
    except DataError:
        return None


def _middle(shape: tuple[int, int]) -> Area:
    height, width = (min(side, MAX_SIDE) for side in shape)
    return Area(top=(shape[0] - height) // 2, left=(shape[1] - width) // 2, height=height, width=width)


def _coloured(mask: MaskPixels) -> bool:
    if mask.raster.palette is not None:
        return True
    return mask.pixels.ndim == 3 and bool((np.ptp(mask.pixels, axis=-1) > MAX_TINT).any())
