"""Areas over images: which of them touch an image, and painting them, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.vector_files import parse_crs
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.georeference import apply_transform
from sweep.patches.rasters.reader import open_raster
from trainables.errors import DataError

STEPS = 1024
"""Corners are rounded to such a part of a pixel, so that an area's pixels are those of the whole image to the last."""
Bounds = tuple[float, float, float, float]


def paint_areas(areas: NDArray[Any], values: NDArray[np.uint8], area: Area) -> NDArray[np.uint8]:
    """Paint polygons where they hold a pixel's centre, later ones over earlier ones; the rule is GDAL's.

    Args:
        areas: (N,) shapely polygons in pixels of the whole image, whose upper left pixel reaches from 0 to 1.
        values: (N,) what they paint.
        area: Which part of the image.

    Returns:
        (H, W) uint8 of the part; 0 where nothing is painted.
    """
    import shapely
    from rasterio.features import rasterize

    mask = np.zeros((area.height, area.width), np.uint8)
    corner = np.array((area.left, area.top))
    moved = shapely.transform(areas, lambda points: np.round(points * STEPS) / STEPS - corner)
    if len(moved):
        rasterize(zip(moved, values.tolist(), strict=True), out=mask)
    return mask


@dataclass(frozen=True, kw_only=True)
class GroundPlace:
    """Where an image is on the ground.

    Attributes:
        crs: rasterio's CRS, or pyproj's of ``--crs``.
        transform: From its columns and rows to that CRS.
        whole: All of it, in pixels.
    """

    crs: Any
    transform: Any
    whole: Area

    @property
    def bounds(self) -> Bounds:
        """West, south, east and north."""
        west, south, east, north = self.on_ground(self.whole).bounds
        return west, south, east, north

    def on_ground(self, area: Area) -> Any:
        """Return a part of the image as a shapely polygon in its CRS; its rows need not run west to east."""
        import shapely

        right, bottom = area.left + area.width, area.top + area.height
        corners = ((area.left, area.top), (right, area.top), (right, bottom), (area.left, bottom))
        return shapely.Polygon([apply_transform(self.transform, *corner) for corner in corners])


def place_of(image: Path, crs: str = "") -> GroundPlace:
    """Return where an image is on the ground.

    Args:
        image: The raster.
        crs: Taken where the raster names none, such as a picture with a world file.

    Raises:
        DataError: It is damaged or not georeferenced.
    """
    header = open_raster(image)
    if header.transform is None:
        raise DataError(
            f"{image}: is not georeferenced, so outlines in a map's coordinates have no place on it; use a GeoTIFF, or "
            f"put its world file beside it"
        )
    if not header.crs and not crs:
        raise DataError(f"{image}: names no coordinate reference system; say it with --crs, such as --crs EPSG:32614")
    return GroundPlace(crs=header.crs or parse_crs(crs), transform=header.transform, whole=Area.whole(header.shape))


class GroundAreas:
    """Areas in a map's coordinates, in whatever CRS an image has; each is reprojected once per CRS.

    Args:
        path: Their file, which errors name.
        table: A GeoDataFrame of them.
        values: (N,) what they paint.
    """

    def __init__(self, path: Path, table: Any, values: NDArray[np.uint8]) -> None:
        self._path = path
        self._table = table.geometry
        self._values = values
        self._reprojected: dict[str, Any] = {}

    def bounds(self, place: GroundPlace) -> Bounds:
        """Return west, south, east and north of all areas, in an image's CRS."""
        west, south, east, north = (float(one) for one in self._in_crs(place).total_bounds)
        return west, south, east, north

    def is_on(self, place: GroundPlace) -> bool:
        """Whether any of them touches an image."""
        return len(self._touching(place, place.whole)) > 0

    def _touching(self, place: GroundPlace, area: Area) -> NDArray[np.int64]:
        """Return the numbers of the areas that touch a part of an image, in their order."""
        found = self._in_crs(place).sindex.query(place.on_ground(area), predicate="intersects")
        return np.sort(np.asarray(found, np.int64))

    def paint(self, place: GroundPlace, area: Area) -> NDArray[np.uint8]:
        """Paint a part of an image; see ``paint_areas``."""
        import shapely

        back = ~place.transform
        near = self._touching(place, area)
        shapes = self._in_crs(place).to_numpy()[near]
        inside = shapely.transform(shapes, lambda points: np.stack(apply_transform(back, *points.T), axis=1))
        return paint_areas(inside, self._values[near], area)

    def _in_crs(self, place: GroundPlace) -> Any:
        """Return the areas in an image's CRS.

        Raises:
            DataError: No transformation leads there.
        """
        key = str(place.crs)
        if key not in self._reprojected:
            try:
                self._reprojected[key] = self._table.to_crs(place.crs)
            except Exception as error:  # pyproj raises many kinds where no transformation exists
                reason = " ".join(str(error).split())
                raise DataError(f"{self._path}: has no way into the CRS {key} ({reason}); reproject it") from error
        return self._reprojected[key]


def describe_mismatch(areas: GroundAreas, place: GroundPlace, name: str) -> str:
    """Say where areas are and where an image is that none of them touches, and what may be wrong."""
    reach = areas.bounds(place)
    shared = _overlap(reach, place.bounds)
    swapped = (reach[1], reach[0], reach[3], reach[2])
    advice = "check the CRS of both"
    if not shared and _overlap(swapped, place.bounds):
        advice = "their coordinates look swapped: write the easting, or the longitude, first"
    return (
        f"in the CRS of {name} they reach {_extent(reach)}, and that image {_extent(place.bounds)} (IoU of both "
        f"extents: {shared:.1%}); {advice}"
    )


def _overlap(one: Bounds, other: Bounds) -> float:
    """Return the intersection of two extents over their union."""
    sides = [max(0.0, min(one[k + 2], other[k + 2]) - max(one[k], other[k])) for k in (0, 1)]
    both = sides[0] * sides[1]
    total = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both
    return both / total if total > 0 and np.isfinite(total) else 0.0


def _extent(bounds: Bounds) -> str:
    west, south, east, north = (f"{value:.6g}" for value in bounds)
    return f"from {west}, {south} to {east}, {north}"
