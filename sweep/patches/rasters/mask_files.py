"""A mask raster's values or colours, without an alpha channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.rasters.area import Area
from sweep.patches.rasters.reader import RasterFile, open_raster
from trainables.data.masks import classify, count_values, has_legend
from trainables.errors import DataError
from trainables.task import Task
from trainables.wording import counted

MAX_TINT = 32
"""By how much the bands of a grey picture may differ after a lossy compression."""


MAX_DISTINCT = 65_536
"""Values beyond which a mask of numbers is no mask, and is not counted further."""


@dataclass(frozen=True)
class MaskPixels:
    """The pixels of a mask, or of an area of it.

    Attributes:
        raster: The mask's header.
        pixels: (H, W), or (H, W, 3) for one in colours.
    """

    raster: RasterFile
    pixels: NDArray[Any]

    def colours(self) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 colours; a palette's where there is one.

        Raises:
            DataError: It has none.
        """
        if self.raster.palette is not None:
            return np.asarray(self.raster.palette[self.pixels])
        if self.pixels.ndim != 3:
            raise DataError(f"{self.raster.path}: has no colours; give --foreground as an index")
        return self.pixels

    def values(self, fix: str) -> NDArray[Any]:
        """Return (H, W) values; a palette's indices.

        Args:
            fix: What to do where the mask is in colours, for the error.

        Raises:
            DataError: It is in colours.
        """
        if self.pixels.ndim == 2:
            return self.pixels
        if self.raster.lossy and np.ptp(self.pixels, axis=-1).max(initial=0) <= MAX_TINT:
            return np.asarray(self.pixels.mean(-1).round().astype(np.uint8))
        if not (self.pixels == self.pixels[..., :1]).all():
            raise DataError(f"{self.raster.path}: is a mask in colours; {fix}")
        return np.ascontiguousarray(self.pixels[..., 0])


def open_mask(path: Path) -> RasterFile:
    """Read the header of a mask of one or three bands, with or without an alpha channel.

    Raises:
        DataError: Damaged, or of other bands.
    """
    raster = open_raster(path)
    require_mask(raster)
    return raster


def require_mask(raster: RasterFile) -> None:
    """Refuse a raster that is no mask of one or three bands, with or without an alpha channel.

    Raises:
        DataError: As said.
    """
    path = raster.path
    bands = raster.bands - raster.alpha
    if bands not in (1, 3) or raster.colours or (raster.dtype != "uint8" and bands == 3):
        why = f"; {raster.colours}" if raster.colours else ""
        raise DataError(f"{path}: has {raster.words}{why}, which is no mask; save it as 8-bit indices or as 8-bit RGB")
    if raster.alpha and raster.dtype != "uint8":
        raise DataError(f"{path}: has {raster.words}, which is no mask; save it as 8-bit indices without alpha")


def mask_pixels(raster: RasterFile, values: NDArray[Any]) -> MaskPixels:
    """Take the alpha channel off a mask's values.

    Args:
        raster: The mask's header.
        values: What ``RasterFile.read`` gives of it.

    Raises:
        DataError: Transparent pixels hold something.
    """
    if raster.alpha:
        values, seen = values[..., :-1], values[..., -1]
        if hidden := int(((seen == 0) & (values != 0).any(-1)).sum()):
            raise DataError(
                f"{raster.path}: holds a value in {counted(hidden, 'transparent pixel')}, so it is not clear which "
                f"counts; save it without alpha"
            )
        values = values[..., 0] if raster.bands == 2 else values
    return MaskPixels(raster, values)


def read_classes(raster: RasterFile, area: Area, task: Task, *, binarise: bool = False) -> NDArray[np.uint8]:
    """Read an area of a mask as (H, W) uint8 class indices, 255 for pixels that do not count.

    Args:
        raster: The mask's header: indices, a palette, or colours. A palette's indices are the values where the task
            names no colours.
        area: Which part; only that is read.
        task: What its values mean.
        binarise: Make every band 0 below 128 and 255 from there first, where a publisher's colours are blurred.

    Raises:
        DataError: Damaged, or not what the task says.
    """
    path = raster.path
    if binarise:
        mask = mask_pixels(raster, raster.read(area))
        pixels = np.where((mask.colours() if raster.palette is not None else mask.pixels) < 128, 0, 255)
        return classify(Image.fromarray(pixels.astype(np.uint8)), task, str(path), empty_is_fault=False)
    if raster.lossy:
        raise DataError(f"{path}: is compressed as JPEG, which blurs indices and colours; export the masks as PNG")
    if raster.dtype != "uint8":
        raise DataError(f"{path}: has 1 band of {raster.dtype}, not 1 or 3 of uint8; save it as 8-bit indices")
    mask = mask_pixels(raster, raster.read(area))
    pixels = mask.colours() if raster.palette is not None and has_legend(task) else mask.pixels
    return classify(Image.fromarray(pixels), task, str(path), empty_is_fault=False)


def count_distinct(
    raster: RasterFile, strips: Iterable[NDArray[Any]] | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return which values a mask holds, in order, and how often each, strip by strip; the first 65,536 at most.

    Args:
        raster: The mask's header.
        strips: All its values where they have been read; None reads them.

    Raises:
        DataError: Damaged, or in colours.
    """
    total: dict[Any, int] = {}
    for strip in raster.strips() if strips is None else strips:
        values = mask_pixels(raster, strip).values("say which colour is foreground: --foreground R,G,B")
        for value, count in zip(*(one.tolist() for one in distinct(values)), strict=True):
            total[value] = total.get(value, 0) + count
        if len(total) > MAX_DISTINCT:
            break
    pairs = sorted(total.items())
    return np.array([value for value, _ in pairs]), np.array([count for _, count in pairs], np.int64)


def distinct(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the values that occur, in order, and how often each does, in memory that does not grow with the mask."""
    if values.dtype != np.uint8:
        found, counts = np.unique(values, return_counts=True)
        return found, counts.astype(np.int64)
    total = count_values(values)
    present = np.flatnonzero(total)
    return present, total[present]
