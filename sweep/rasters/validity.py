"""What of a raster counts as no data beside what the file itself says: a value, transparency, what is outside."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.rasters.orientation import UPRIGHT, Span, orientation_of
from trainables.errors import DataError

MOST_BYTES = 256 * 2**20
"""Of a file of outlines."""
MOST_OUTLINES = 100_000


class OutsideError(DataError):
    """A raster shows nothing of the area that is wanted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipArea:
    """Where a map is wanted.

    Attributes:
        path: The file of outlines, for messages.
        geometry: Shapely's union of them.
        crs: Theirs, as WKT.
        digest: Of both.
    """

    path: str
    geometry: Any
    crs: str
    digest: str

    @classmethod
    def read(cls, path: Path, flag: str = "--clip") -> ClipArea:
        """Read a vector file: GeoPackage, GeoJSON, Shapefile, or what else GDAL opens.

        Raises:
            DataError: It is not there, has no polygon or no CRS, is too large, or cannot be read.
        """
        import pyogrio
        import shapely

        if not path.is_file():
            raise DataError(f"{flag} {path}: no such file; name a GeoPackage, GeoJSON or Shapefile of polygons")
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{flag} {path}: is larger than {MOST_BYTES // 2**20} MiB; simplify its outlines first")
        try:
            meta, _, wkb, _ = pyogrio.raw.read(path, columns=[], max_features=MOST_OUTLINES + 1)
            shapes = shapely.from_wkb(wkb) if wkb is not None else np.empty(0, object)
        except Exception as error:  # GDAL's drivers and GEOS raise many kinds on damaged input
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{flag} {path}: cannot be read as outlines ({reason}); name a GeoPackage") from error
        if len(shapes) > MOST_OUTLINES:
            raise DataError(f"{flag} {path}: has more than {MOST_OUTLINES:,} outlines; dissolve them first")
        shapes = shapes[(shapely.get_dimensions(shapes) == 2) & ~shapely.is_empty(shapes)]
        if not len(shapes):
            raise DataError(f"{flag} {path}: holds no polygon; draw the area that is wanted as one")
        if not meta["crs"]:
            raise DataError(f"{flag} {path}: has no CRS; assign the one in which it was drawn (ogr2ogr -a_srs)")
        whole = shapely.union_all(shapely.make_valid(shapely.force_2d(shapes)))
        digest = hashlib.sha256(shapely.to_wkb(whole) + str(meta["crs"]).encode()).hexdigest()
        return cls(path=str(path), geometry=whole, crs=str(meta["crs"]), digest=digest)

    def on(self, dataset: Any, name: str) -> ClippedArea:
        """Return it in a raster's CRS.

        Raises:
            DataError: The raster has no CRS, or is stored turned.
            OutsideError: It shows nothing of the area.
        """
        import shapely
        from pyproj import CRS, Transformer

        if dataset.crs is None:
            raise DataError(f"{name}: has no CRS, so --clip cannot tell what of it is wanted; leave --clip out")
        if orientation_of(dataset) != UPRIGHT:
            raise DataError(f"{name}: is stored turned; turn it first: gdal_translate {name} upright.tif")
        target = CRS.from_wkt(dataset.crs.to_wkt())
        geometry = self.geometry
        if CRS(self.crs) != target:
            move = Transformer.from_crs(CRS(self.crs), target, always_xy=True)
            # Straight edges of one CRS are curves in another: a hundred steps along the shape's extent follow them.
            low_x, low_y, high_x, high_y = geometry.bounds
            fine = shapely.segmentize(geometry, max(high_x - low_x, high_y - low_y) / 100 or 1.0)
            geometry = shapely.transform(fine, lambda x, y: move.transform(x, y), interleaved=False)
        corners = [dataset.transform @ one for one in ((0, 0), (dataset.width, 0), (dataset.width, dataset.height))]
        extent = shapely.Polygon([*corners, dataset.transform @ (0, dataset.height)])
        if not np.isfinite(geometry.bounds).all() or not extent.intersects(geometry):
            raise OutsideError(
                f"--clip {self.path}: nothing of it is on {name}, which reaches from {_place(extent.bounds[:2])} to "
                f"{_place(extent.bounds[2:])}; the area from {_place(geometry.bounds[:2])} to "
                f"{_place(geometry.bounds[2:])}; leave the raster out, or correct the area"
            )
        return ClippedArea(geometry=geometry, transform=dataset.transform)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClippedArea:
    """An area in the CRS of a raster.

    Attributes:
        geometry: A shapely geometry.
        transform: The raster's, affine.
    """

    geometry: Any
    transform: Any

    def inside(self, rows: Span, columns: Span) -> NDArray[np.bool_]:
        """Return which pixels of a part have their centre in the area, (H, W)."""
        import shapely
        from rasterio.features import rasterize

        shape = rows[1] - rows[0], columns[1] - columns[0]
        moved = self.transform @ type(self.transform).translation(columns[0], rows[0])
        corners = [moved @ one for one in ((0, 0), (shape[1], 0), (shape[1], shape[0]), (0, shape[0]))]
        part = shapely.Polygon(corners)
        if not self.geometry.intersects(part):
            return np.zeros(shape, dtype=bool)
        if self.geometry.contains(part):
            return np.ones(shape, dtype=bool)
        found = rasterize([(self.geometry, 1)], out_shape=shape, transform=moved, dtype="uint8")
        return np.asarray(found == 1)


@dataclass(frozen=True, kw_only=True)
class Validity:
    """What of a raster counts as no data.

    Attributes:
        nodata: A pixel with this value in every band; None for no value.
        ignore_alpha: Transparent pixels count as any others.
        area: What is outside of it; None without one.
    """

    nodata: float | None = None
    ignore_alpha: bool = False
    area: ClipArea | None = None

    def __post_init__(self) -> None:
        if self.nodata is not None and not math.isfinite(self.nodata):
            raise DataError(f"--nodata {self.nodata:g}: must be a number; NaN is nothing without it")

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a prediction, as plain values; empty ones where the file alone decides."""
        nodata = None if self.nodata is None else f"{self.nodata:g}"
        return {"nodata": nodata, "ignore_alpha": self.ignore_alpha, "clip": self.area and self.area.digest}

    def nothing(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which pixels of (C, H, W) values have the value that is nothing, (H, W)."""
        if self.nodata is None:
            return np.zeros(values.shape[1:], dtype=bool)
        return np.asarray((values == self.nodata).all(axis=0))


BY_FILE = Validity()


def _place(corner: Any) -> str:
    return "({:.10g}, {:.10g})".format(*corner)
