"""Footprints of a vector file (GeoJSON, GeoPackage) over georeferenced images."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.names import LabelNames
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.errors import DataError, nearest

logger = logging.getLogger(__name__)

ANY_GEOMETRY = ("Unknown", "Geometry", "GeometryCollection", "Surface", "MultiSurface")
"""Kinds of layers that may hold areas without saying so."""
CLASS_COLUMN = "class"
"""The attribute that names a footprint's class, where a task has classes."""


class Footprints:
    """The areas of a vector file, reprojected to each image and painted where they hold a pixel's centre.

    Args:
        path: The vector file.
        sources: Name to georeferenced image; one that no area touches is all first class.
        names: What index the attribute ``class`` paints.
        layer: Which layer of a GeoPackage; empty where only one holds areas.

    Raises:
        DataError: The file is damaged, has several layers with areas, no CRS, no area or no
            ``class``.
    """

    def __init__(self, path: Path, sources: Mapping[str, SourceRaster], names: LabelNames, layer: str = "") -> None:
        self._path = path
        table = _read(path, layer)
        if "geometry" not in table or not len(table):
            raise DataError(f"{path}: holds no areas; export the footprints as polygons")
        if table.crs is None:
            raise DataError(f"{path}: names no coordinate reference system; export it with one")
        areas = table[table.geometry.notna() & ~table.geometry.is_empty]
        if len(areas) < len(table):
            logger.warning("%s: %d of its %d features have no geometry and are left out", path, *_counts(areas, table))
        table = areas
        others = sorted(set(table.geom_type) - {"Polygon", "MultiPolygon"})
        if others or not len(table):
            raise DataError(f"{path}: holds {', '.join(others) or 'no areas'}; export the footprints as polygons")
        if (names.task or names.classes) and CLASS_COLUMN not in table:
            raise DataError(f"{path}: has no attribute 'class', which names each area's class; add it")
        labels = [str(name) for name in table[CLASS_COLUMN]] if CLASS_COLUMN in table else ["area"] * len(table)
        self.meaning = names.meaning(Counter(labels), path)
        kept = [label in self.meaning.values for label in labels]
        values = [self.meaning.values[label] for label in labels if label in self.meaning.values]
        table = table.loc[kept, ["geometry"]].assign(value=values)
        faults: list[str] = []
        self._places: dict[str, _Place] = {}
        for name, source in sources.items():
            try:
                self._places[name] = _lay_over(table, path, source)
            except DataError as error:
                faults += error.faults
        if faults:
            raise DataError(faults)
        missed = [name for name, place in self._places.items() if not len(place.table)]
        if len(missed) == len(self._places):
            place = next(iter(self._places.values()))
            raise DataError(
                f"{path}: none of its areas is on an image: in the CRS of {missed[0]} they reach "
                f"{_extent(place.reach)}, and that image {_extent(place.bounds)}; check the CRS of both"
            )
        if missed:
            logger.warning(
                "%s: no area of it is on %d of %d images, which become background everywhere: %s",
                path,
                len(missed),
                len(self._places),
                ", ".join(missed[:5]) + (" and more" if len(missed) > 5 else ""),
            )

    @property
    def splits(self) -> Mapping[str, str]:
        """Source name to split: a vector file knows none."""
        return {}

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint the areas that touch a source, see ``Labels.rasterise``."""
        from rasterio.features import rasterize

        place = self._places[source.name]
        mask = np.zeros(shape, np.uint8)
        if len(place.table):
            shapes = zip(place.table.geometry, place.table["value"], strict=True)
            rasterize(shapes, out=mask, transform=place.transform)
        return mask[area.rows, area.columns]


@dataclass(frozen=True)
class _Place:
    """What is on an image.

    Attributes:
        table: ``geometry`` and ``value`` of the areas that touch it, in its CRS.
        transform: The way from its pixels to that CRS.
        bounds: West, south, east and north of the image, in its CRS.
        reach: The same of all areas.
    """

    table: Any
    transform: Any
    bounds: tuple[float, float, float, float]
    reach: tuple[float, float, float, float]


def _read(path: Path, layer: str) -> Any:
    """Read a layer's features.

    Raises:
        DataError: Damaged; no such layer; or several hold areas and none was chosen.
    """
    import geopandas
    import pyogrio

    try:
        kinds = {str(name): kind for name, kind in pyogrio.list_layers(path)}
        places = {name: kind for name, kind in kinds.items() if kind is not None}  # QGIS keeps styles in tables
        areas = [name for name, kind in places.items() if "Polygon" in kind or kind in ANY_GEOMETRY] or list(places)
        if layer and layer not in places:
            raise DataError(f"--layer {layer}: is no layer with geometries of {path}; {nearest(layer, places)}")
        if not layer and len(areas) > 1:
            raise DataError(f"{path}: holds areas in {len(areas)} layers; choose one with --layer: {', '.join(areas)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the one that matters, of several layers, is answered above
            return geopandas.read_file(path, layer=layer or (areas[0] if areas else None))
    except DataError:
        raise
    except Exception as error:  # GDAL and its bindings raise many kinds on damaged input
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not readable as a vector file ({reason}); export it again") from error


def _counts(areas: Any, table: Any) -> tuple[int, int]:
    return len(table) - len(areas), len(table)


def _extent(bounds: tuple[float, float, float, float]) -> str:
    west, south, east, north = (f"{value:.6g}" for value in bounds)
    return f"from {west}, {south} to {east}, {north}"


def _lay_over(table: Any, path: Path, source: SourceRaster) -> _Place:
    """Reproject areas to an image and keep those that touch it.

    Raises:
        DataError: The image is damaged or not georeferenced, or no transformation leads to its CRS.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.transform import xy
    from shapely import Polygon

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(source.image) as image:
                crs, transform, width, height = image.crs, image.transform, image.width, image.height
    except RasterioError as error:
        raise DataError(f"{source.image}: not readable as a raster ({error}); replace it") from error
    if crs is None or transform.is_identity:
        raise DataError(f"{source.image}: is not georeferenced, so footprints have no place on it; use a GeoTIFF")
    try:
        table = table.to_crs(crs)
    except Exception as error:  # pyproj raises many kinds where no transformation exists
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: has no way into the CRS of {source.image} ({reason}); reproject it") from error
    # A raster may be turned: its own bounds are those of its corners only where rows run west to east.
    ground = Polygon(zip(*xy(transform, [0, 0, height, height], [0, width, width, 0], offset="ul"), strict=True))
    return _Place(
        table=table[table.intersects(ground)],
        transform=transform,
        bounds=ground.bounds,
        reach=tuple(table.total_bounds),
    )
