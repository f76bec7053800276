"""The images of ``make``: which bands become those of the tiles, and which of their pixels hold anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from sweep.patches.rasters.reader import DRIVERS, RasterFile
from sweep.rasters.bands import GREY, all_bands, choose_bands
from sweep.rasters.opening import open_raster
from sweep.rasters.raster import Raster
from trainables.data.imagery import COLOURS, RGB, Imagery, to_bytes
from trainables.errors import DataError

Bands = tuple[int, ...] | Literal["all"]
SCALE_FIX = (
    "say which values become 0 and 255: --scale 2%,98% takes the middle 96 % of all images' values, --scale LOW,HIGH "
    "yours"
)


@dataclass(frozen=True, kw_only=True)
class ImageReading:
    """How the images of one dataset are read.

    Attributes:
        bands: Numbers from 1, in the order of the tiles' bands; empty for red, green and blue as each file names them,
            ``all`` for all but alpha, red, green and blue first.
        imagery: What the tiles hold.
    """

    bands: Bands = ()
    imagery: Imagery = RGB


@dataclass(frozen=True)
class OpenImage:
    """An image of which several parts are read.

    Attributes:
        raster: It, open.
        imagery: What the tiles hold.
    """

    raster: Raster
    imagery: Imagery

    def read(self, area: Area) -> NDArray[Any]:
        """Read an area's (H, W, C) values as tiles store them.

        Raises:
            DataError: Damaged.
        """
        values = np.moveaxis(self.raster.values(*area.spans)[0], 0, 2)
        if self.imagery.stored == "uint8":
            return np.ascontiguousarray(to_bytes(values, self.imagery.scale))
        return np.ascontiguousarray(values.astype(np.uint16, copy=False))

    def valid(self, area: Area) -> NDArray[np.bool_]:
        """Return which pixels of an area hold anything, (H, W): not declared no data, transparent, masked or NaN.

        Raises:
            DataError: Damaged.
        """
        return self.raster.valid(*area.spans)


@dataclass(frozen=True, kw_only=True)
class ImageFile(RasterFile):
    """An image that can become tiles.

    Attributes:
        chosen: Numbers of the bands that are read.
        coloured: Whether these are the colours of its palette.
        imagery: What the tiles hold.
        always_valid: The file says that every pixel holds something; NaN is not looked for.
    """

    chosen: tuple[int, ...]
    coloured: bool
    imagery: Imagery
    always_valid: bool

    @contextmanager
    def opened(self) -> Iterator[OpenImage]:
        """Open it for the duration of the block, to read several parts.

        Raises:
            DataError: Damaged.
        """
        with _open(self.path, self.chosen, self.coloured, self.imagery) as raster:
            yield OpenImage(raster, self.imagery)

    def read(self, area: Area | None = None) -> NDArray[Any]:
        """Read an area's (H, W, C) values, or all, as tiles store them.

        Raises:
            DataError: Damaged.
        """
        with self.opened() as image:
            return image.read(area or Area.whole(self.shape))


def as_image(found: RasterFile, reading: ImageReading) -> ImageFile:
    """Return a raster as an image that can become tiles.

    Args:
        found: Its header.
        reading: How the images of the dataset are read.

    Raises:
        DataError: Damaged, of bands that do not fit, or of values that need a scale.
    """
    path = found.path
    chosen, coloured = chosen_bands(found, reading.bands), found.palette is not None and not_named(reading.bands)
    if len(chosen) != len(reading.imagery.bands):
        raise DataError(
            f"{path}: has {found.words}, where the other images have {len(reading.imagery.bands)}; say which bands "
            f"all of them have, such as --bands 1,2,3"
        )
    if found.dtype != "uint8" and reading.imagery.scale is None:
        raise DataError(f"{path}: has {found.words}, not bytes; {SCALE_FIX}")
    whole = {found.whole[band - 1] for band in chosen}
    always_valid = (
        ("alpha" in whole or whole == {"all"}) and (found.opaque or not coloured) and np.dtype(found.dtype).kind != "f"
    )
    return ImageFile(
        **vars(found), chosen=chosen, coloured=coloured, imagery=reading.imagery, always_valid=always_valid
    )


def not_named(bands: Bands) -> bool:
    """Whether the user named no bands by number, so that a palette is read as its colours."""
    return bands in ((), "all")


def chosen_bands(image: RasterFile, bands: Bands) -> tuple[int, ...]:
    """Return the numbers of an image's bands that become those of the tiles.

    Raises:
        DataError: They do not exist, cannot be guessed, or are no real numbers.
    """
    if image.dtype.startswith("complex"):
        raise DataError(f"{image.path}: holds complex numbers; convert it to real ones first")
    if image.palette is not None and not_named(bands):
        return GREY
    if bands == "all":
        return all_bands(image.names)
    return choose_bands(str(image.path), image.names, bands, COLOURS if not bands else [""] * len(bands))


@contextmanager
def _open(path: Path, chosen: tuple[int, ...], coloured: bool, imagery: Imagery) -> Iterator[Raster]:
    wanted = COLOURS if coloured else imagery.bands
    scale = imagery.scale or ((0.0, 255.0),)
    bands = () if coloured else chosen
    with open_raster(str(path), bands=bands, wanted=wanted, scale=scale, drivers=DRIVERS) as raster:
        yield raster
