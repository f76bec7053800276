"""A mask raster's values or colours, without an alpha channel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.rasters.reader import RasterFile, open_raster
from trainables.data.masks import classify, count_values, has_legend
from trainables.errors import DataError
from trainables.task import Task

MAX_TINT = 32
"""By how much the bands of a grey picture may differ after a lossy compression."""


@dataclass(frozen=True)
class MaskFile:
    """A mask.

    Attributes:
        raster: Its header.
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


def open_mask(path: Path) -> MaskFile:
    """Read a mask of one or three bands, with or without an alpha channel.

    Raises:
        DataError: Damaged, of other bands, or with transparent pixels that hold something.
    """
    raster = open_raster(path)
    bands = raster.bands - raster.alpha
    if bands not in (1, 3) or raster.colours or (raster.dtype != "uint8" and bands == 3) or raster.words == "CMYK":
        why = f" ({raster.colours})" if raster.colours else ""
        raise DataError(f"{path}: is {raster.words}{why}, not a mask; save it as 8-bit indices or as 8-bit RGB")
    if raster.alpha and raster.dtype != "uint8":
        raise DataError(f"{path}: is {raster.words}, not a mask; save it as 8-bit indices without alpha")
    pixels = raster.read()
    if raster.alpha:
        pixels, seen = pixels[..., :-1], pixels[..., -1]
        if hidden := int(((seen == 0) & (pixels != 0).any(-1)).sum()):
            raise DataError(
                f"{path}: {hidden} pixels are transparent but hold a value, so it is not clear which counts; save it "
                f"without alpha"
            )
        pixels = pixels[..., 0] if bands == 1 else pixels
    return MaskFile(raster, pixels)


def read_classes(path: Path, task: Task, *, binarise: bool = False) -> NDArray[np.uint8]:
    """Read a mask raster as (H, W) uint8 class indices, 255 for pixels that do not count.

    Args:
        path: The raster: indices, a palette, or colours. A palette's indices are the values where the task names no
            colours.
        task: What its values mean.
        binarise: Make every band 0 below 128 and 255 from there first, where a publisher's colours are blurred.

    Raises:
        DataError: Damaged, or not what the task says.
    """
    mask = open_mask(path)
    if binarise:
        pixels = mask.colours() if mask.raster.palette is not None else mask.pixels
        return classify(Image.fromarray(np.where(pixels < 128, 0, 255).astype(np.uint8)), task, str(path))
    if mask.raster.lossy:
        raise DataError(f"{path}: is compressed as JPEG, which blurs indices and colours; export the masks as PNG")
    if mask.pixels.dtype != np.uint8:
        raise DataError(f"{path}: has 1 band(s) of {mask.pixels.dtype}, not 1 or 3 of uint8; save it as 8-bit indices")
    if mask.raster.palette is not None and has_legend(task):
        return classify(Image.fromarray(mask.colours()), task, str(path))
    return classify(Image.fromarray(mask.pixels), task, str(path))


def distinct(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the values that occur, in order, and how often each does, in memory that does not grow with the mask."""
    if values.dtype != np.uint8:
        found, counts = np.unique(values, return_counts=True)
        return found, counts.astype(np.int64)
    total = count_values(values)
    present = np.flatnonzero(total)
    return present, total[present]
