"""Where on the ground rasters and tiles are, and how large a pixel is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

METRES_A_DEGREE = 111_320.0


@dataclass(frozen=True, kw_only=True)
class Corners:
    """A tile's place.

    Attributes:
        points: (4, 2) x and y in the CRS.
        crs: As a manifest has it: ``EPSG:32640``.
    """

    points: NDArray[np.float64]
    crs: str


def metres_per_pixel(dataset: Any) -> float | None:
    """Return the side of a square pixel of the same area, in the raster's middle; None where that is not known.

    Args:
        dataset: An open rasterio dataset.
    """
    from rasterio.errors import RasterioError

    matrix, crs = dataset.transform, dataset.crs
    if crs is None or matrix.is_identity:
        return None
    side = math.sqrt(abs(matrix.a * matrix.e - matrix.b * matrix.d))
    try:
        if not crs.is_geographic:
            return float(f"{side * crs.linear_units_factor[1]:.3g}")
    except (RasterioError, AttributeError):
        return None
    latitude = matrix.d * dataset.width / 2 + matrix.e * dataset.height / 2 + matrix.f
    return float(f"{side * METRES_A_DEGREE * math.sqrt(max(1e-6, math.cos(math.radians(latitude)))):.3g}")


def place_in(dataset: Any, places: Sequence[Corners]) -> list[tuple[float, float, float, float]]:
    """Return where places are in a raster: first and last row, first and last column of each that it reaches.

    Those in a CRS that does not lead into the raster's, and all of them where that has no place, are left out.

    Args:
        dataset: An open rasterio dataset.
        places: Which ones.
    """
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    if dataset.crs is None or dataset.transform.is_identity:
        return []
    back = ~dataset.transform
    found = []
    for one in places:
        try:
            xs, ys = transform(one.crs, dataset.crs, *one.points.T.tolist())
        except RasterioError:
            continue
        x, y = np.array(xs), np.array(ys)
        points = np.stack([back.d * x + back.e * y + back.f, back.a * x + back.b * y + back.c], axis=1)
        if np.isfinite(points).all():
            (top, left), (bottom, right) = points.min(0).tolist(), points.max(0).tolist()
            if bottom > 0 and right > 0 and top < dataset.height and left < dataset.width:
                found.append((top, bottom, left, right))
    return found
