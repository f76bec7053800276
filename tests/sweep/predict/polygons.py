"""Masks whose polygons are known by hand, and how they are written and read back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine

from sweep.predict.polygons import PolygonOptions, PolygonSummary, write_polygons

UTM = "EPSG:32633"
NORTH_UP = Affine(0.5, 0, 600_000, 0, -0.5, 5_340_000)
RECTANGLE = np.zeros((64, 80), dtype=np.uint8)
RECTANGLE[10:30, 20:60] = 1
"""20 rows and 40 columns: 10 by 20 m where a pixel has 0.5 m."""
DONUT = np.zeros((20, 20), dtype=np.uint8)
DONUT[2:18, 2:18] = 1
DONUT[5:15, 5:15] = 0
DONUT[8:10, 8:10] = 1
"""16 x 16 less 10 x 10 pixels, with an island of 2 x 2 in its hole."""
SPHERE = 6_378_137.0
"""Radius in metres that Web Mercator's formulas use."""


def write_raster(path: Path, values: np.ndarray, transform: Affine, crs: str | None, nodata: int | None = 255) -> Path:
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype, "nodata": nodata, "crs": crs}
    size = {"width": values.shape[1], "height": values.shape[0], "transform": transform}
    with rasterio.open(path, "w", **profile, **size, tiled=True, blockxsize=16, blockysize=16) as dataset:
        dataset.write(values, 1)
    return path


def box_of(mask: np.ndarray, transform: Affine) -> shapely.Polygon:
    """Return the raster's whole extent in its CRS."""
    height, width = mask.shape
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    return shapely.Polygon(
        [
            (transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f)
            for x, y in corners
        ]
    )


def metres_at(latitude: float) -> tuple[float, float]:
    """Return metres of one degree to the east and one to the north on WGS 84 (Snyder's series for the meridian)."""
    angle = math.radians(latitude)
    north = 111_132.92 - 559.82 * math.cos(2 * angle) + 1.175 * math.cos(4 * angle)
    east = 111_412.84 * math.cos(angle) - 93.5 * math.cos(3 * angle) + 0.118 * math.cos(5 * angle)
    return east, north


class Written:
    """A mask's polygons, written by the code under test and read back by pyogrio."""

    def __init__(
        self,
        folder: Path,
        mask: np.ndarray,
        *,
        transform: Affine = NORTH_UP,
        crs: str | None = UTM,
        probability: np.ndarray | None = None,
        ending: str = ".gpkg",
        scale: float = 0.005,
        **options: float,
    ) -> None:
        if probability is None:
            probability = np.where(mask == 1, 160, 20).astype(np.uint8)
        self.path = folder / f"polygons{ending}"
        self.summary: PolygonSummary = write_polygons(
            write_raster(folder / "mask.tif", mask, transform, crs),
            write_raster(folder / "probability.tif", probability, transform, crs),
            PolygonOptions(path=self.path, **options),
            scale=scale,
        )
        self.info: dict[str, Any] = pyogrio.read_info(self.path)
        meta, _, geometry, fields = pyogrio.raw.read(self.path)
        self.geometries = shapely.from_wkb(geometry) if geometry is not None else np.array([])
        self.fields = dict(zip(meta["fields"], fields, strict=True))

    @property
    def areas(self) -> list[float]:
        return list(self.fields["area_m2"])
