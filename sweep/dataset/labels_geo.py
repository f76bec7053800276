"""Footprints of a vector file (GeoJSON, GeoPackage) over georeferenced images."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

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
        self._table = table[["geometry"]].assign(value=values)
        self._touched = False

    def rasterise(self, source: Source, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Paint the areas that touch a source, see ``Labels.rasterise``."""
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
        from rasterio.features import rasterize

        try:
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                with rasterio.open(source.image) as image:
                    crs, transform, bounds = image.crs, image.transform, image.bounds
        except RasterioError as error:
            raise DataError(f"{source.image}: not readable as a raster ({error}); replace it") from error
        if crs is None or transform.is_identity:
            raise DataError(f"{source.image}: is not georeferenced, so footprints have no place on it; use a GeoTIFF")
        try:
            table = self._table.to_crs(crs)
        except Exception as error:  # pyproj raises many kinds where no transformation exists
            reason = " ".join(str(error).split())
            raise DataError(f"{self._path}: has no way into the CRS of {source.image} ({reason}); reproject it") from error
        table = table.cx[bounds.left : bounds.right, bounds.bottom : bounds.top]
        mask = np.zeros(shape, np.uint8)
        if len(table):
            rasterize(zip(table.geometry, table["value"], strict=True), out=mask, transform=transform)
        return mask
