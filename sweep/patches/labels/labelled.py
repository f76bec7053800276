"""Which pixels somebody labelled: those inside a labelled extent where the image holds data. Others do not count."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.areas import GroundAreas, describe_mismatch, place_of
from sweep.patches.labels.formats import GEO_PACKAGES, require_packages
from sweep.patches.labels.vector_files import open_vector, read_areas
from sweep.patches.layouts.sources import SourceRaster, SourceSet
from sweep.patches.rasters.area import Area
from trainables.errors import DataError
from trainables.task import IGNORE_INDEX

OPAQUE = (".jpg", ".jpeg")
"""Endings of pictures that know no pixels without data."""


def only_labelled(found: SourceSet, extent: Path | None, crs: str) -> SourceSet:
    """Let pixels that nobody labelled not count: those outside an extent, and those without data in the image.

    Args:
        found: Images with their truth.
        extent: A vector file whose areas were labelled in full; None where all of the images were.
        crs: Of rasters and vector files that name none.

    Returns:
        The same images; where such pixels may occur, their truth has 255 there, and their task says so.

    Raises:
        DataError: The extent cannot be read.
    """
    bare = {name for name, source in found.sources.items() if _may_lack_data(source.image)}
    if extent is None and not bare:
        return found
    labelled = _Extent(extent, crs) if extent is not None else None

    def truth(source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        mask = found.truth(source, shape, area)
        if labelled is not None:
            mask = np.where(labelled.holds(source, area), mask, np.uint8(IGNORE_INDEX))
        if source.name in bare:
            mask = np.where(_valid(source.image, area), mask, np.uint8(IGNORE_INDEX))
        return mask

    words = [f"pixels outside {extent}"] if extent is not None else []
    words += [f"pixels without data in {len(bare)} of {len(found.sources)} images"] if bare else []
    task = found.task if found.task.ignores_pixels else replace(found.task, ignores=True)
    return replace(found, notes=(*found.notes, f"{' and '.join(words)} do not count"), truth=truth, task=task)


class _Extent:
    """The areas that were labelled in full."""

    def __init__(self, path: Path, crs: str) -> None:
        if not path.is_file():
            raise DataError(f"--extent {path}: no such file; give a vector file whose areas were labelled in full")
        require_packages(f"--extent {path}", GEO_PACKAGES, "geo")
        self._path, self._crs = path, crs
        table = read_areas(open_vector(path, flag=""), crs=crs)
        if not len(table):
            raise DataError(f"--extent {path}: holds no areas; draw what was labelled as polygons")
        self._areas = GroundAreas(path, table, np.ones(len(table), np.uint8))

    def holds(self, source: SourceRaster, area: Area) -> NDArray[np.bool_]:
        """Return which pixels of a part of an image are inside."""
        place = place_of(source.image, self._crs)
        if not self._areas.is_on(place):
            raise DataError(
                f"{source.image}: no part of it is inside --extent {self._path}: "
                f"{describe_mismatch(self._areas, place, source.name)}, or leave it out of --split"
            )
        return np.asarray(self._areas.paint(place, area) == 1)


def _may_lack_data(image: Path) -> bool:
    """Whether a raster declares a value for no data, or has an alpha channel or a mask of its own."""
    import rasterio
    from rasterio.enums import MaskFlags
    from rasterio.errors import RasterioError

    if image.suffix.lower() in OPAQUE:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(image) as file:
                return any(MaskFlags.all_valid not in flags for flags in file.mask_flag_enums)
    except RasterioError:
        return False  # reading it says what is wrong


def _valid(image: Path, area: Area) -> NDArray[np.bool_]:
    """Return which pixels of a part of a raster hold data; black in one band that declares 0 is a colour."""
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(image) as file:
                window = Window(area.left, area.top, area.width, area.height)
                return np.asarray(file.dataset_mask(window=window) > 0)
    except RasterioError as error:
        raise DataError(f"{image}: damaged ({error}); replace it") from error
