"""Which pixels somebody labelled: those inside a labelled extent. Others do not count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.areas import GroundAreas, GroundPlace, describe_mismatch, place_of
from sweep.patches.labels.formats import GEO_PACKAGES, require_packages
from sweep.patches.labels.vector_files import open_vector, read_areas
from sweep.patches.layouts.sources import SourceRaster, SourceSet
from sweep.patches.rasters.area import Area
from trainables.errors import DataError
from trainables.task import IGNORE_INDEX


def only_labelled(found: SourceSet, extent: Path | None, crs: str) -> SourceSet:
    """Let pixels outside an extent not count.

    Args:
        found: Images with their truth.
        extent: A vector file whose areas were labelled in full; None where all of the images were.
        crs: Of rasters and vector files that name none.

    Returns:
        The same images; with an extent, their truth has 255 outside of it, and their task says so.

    Raises:
        DataError: The extent cannot be read.
    """
    if extent is None:
        return found
    labelled = _Extent(extent, crs)

    def truth(source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        mask = found.truth(source, shape, area)
        return np.where(labelled.holds(source, area), mask, np.uint8(IGNORE_INDEX))

    task = found.task if found.task.ignores_pixels else replace(found.task, ignores=True)
    return replace(found, notes=(*found.notes, f"pixels outside {extent} do not count"), truth=truth, task=task)


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
        self._places: dict[str, GroundPlace] = {}

    def holds(self, source: SourceRaster, area: Area) -> NDArray[np.bool_]:
        """Return which pixels of a part of an image are inside."""
        if source.name not in self._places:
            self._places[source.name] = self._place(source)
        return np.asarray(self._areas.paint(self._places[source.name], area) == 1)

    def _place(self, source: SourceRaster) -> GroundPlace:
        place = place_of(source.image, self._crs)
        if not self._areas.is_on(place):
            raise DataError(
                f"{source.image}: no part of it is inside --extent {self._path}: "
                f"{describe_mismatch(self._areas, place, source.name)}, or leave it out of --split"
            )
        return place
