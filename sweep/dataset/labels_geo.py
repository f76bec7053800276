"""Footprints of a vector file (GeoJSON, GeoPackage) over georeferenced images."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.dataset.labels import LabelNames
from sweep.dataset.sources import Source
from trainables.errors import DataError

PACKAGES = ("geopandas", "pyogrio", "rasterio", "shapely", "pyproj")
CLASS_COLUMN = "class"
"""The attribute that names a footprint's class, where a task has classes."""


class Footprints:
    """The areas of a vector file, reprojected to each image and painted where they hold a pixel's centre.

    Args:
        path: The vector file.
        sources: Name to georeferenced image; one that no area touches is all first class.
        names: What index the attribute ``class`` paints.

    Raises:
        DataError: Packages are missing, or the file is damaged, has no CRS, no area or no ``class``.
    """

    def __init__(self, path: Path, sources: Mapping[str, Source], names: LabelNames) -> None:
        if missing := [name for name in PACKAGES if find_spec(name) is None]:
            raise DataError(
                f"--labels {path}: needs {', '.join(missing)}; install them with: pip install 'tilesweep[geo]'"
            )
        import geopandas

        self._path = path
        try:
            table = geopandas.read_file(path)
        except Exception as error:  # GDAL and its bindings raise many kinds on damaged input
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{path}: not readable as a vector file ({reason}); export it again") from error
        if "geometry" not in table or not len(table):
            raise DataError(f"{path}: holds no areas; export the footprints as polygons")
        if table.crs is None:
            raise DataError(f"{path}: names no coordinate reference system; export it with one")
        table = table[table.geometry.notna() & ~table.geometry.is_empty]
        others = sorted(set(table.geom_type) - {"Polygon", "MultiPolygon"})
        if others or not len(table):
            raise DataError(f"{path}: holds {', '.join(others) or 'no areas'}; export the footprints as polygons")
        values = [1] * len(table)
        if names.task:
            if CLASS_COLUMN not in table:
                raise DataError(f"{path}: has no attribute 'class', which names each area's class; add it")
            values = [names.index(str(name), str(path)) for name in table[CLASS_COLUMN]]
        table = table[["geometry"]].assign(value=values)
        faults: list[str] = []
        self._places: dict[str, _Place] = {}
        for name, source in sources.items():
            try:
                self._places[name] = _lay_over(table, path, source)
            except DataError as error:
                faults += error.faults
        if faults:
            raise DataError(faults)
        if not any(len(place.table) for place in self._places.values()):
            raise DataError(f"{path}: none of its areas lies on an image; check both coordinate reference systems")

    def rasterise(self, source: Source, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Paint the areas that touch a source, see ``Labels.rasterise``."""
        from rasterio.features import rasterize

        place = self._places[source.name]
        mask = np.zeros(shape, np.uint8)
        if len(place.table):
            shapes = zip(place.table.geometry, place.table["value"], strict=True)
            rasterize(shapes, out=mask, transform=place.transform)
        return mask


@dataclass(frozen=True)
class _Place:
    """What lies on an image: a table of ``geometry`` and ``value`` in its CRS, and the way from pixels to it."""

    table: Any
    transform: Any


def _lay_over(table: Any, path: Path, source: Source) -> _Place:
    """Reproject areas to an image and keep those that touch it.

    Raises:
        DataError: The image is damaged or not georeferenced, or no transformation leads to its CRS.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(source.image) as image:
                crs, transform, bounds = image.crs, image.transform, image.bounds
    except RasterioError as error:
        raise DataError(f"{source.image}: not readable as a raster ({error}); replace it") from error
    if crs is None or transform.is_identity:
        raise DataError(f"{source.image}: is not georeferenced, so footprints have no place on it; use a GeoTIFF")
    try:
        table = table.to_crs(crs)
    except Exception as error:  # pyproj raises many kinds where no transformation exists
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: has no way into the CRS of {source.image} ({reason}); reproject it") from error
    # A raster may be turned: its bounds are those of its corners only where rows run west to east.
    left, right = sorted((bounds.left, bounds.right))
    bottom, top = sorted((bounds.bottom, bounds.top))
    turned = bool(transform.b or transform.d)
    return _Place(table if turned else table.cx[left:right, bottom:top], transform)
