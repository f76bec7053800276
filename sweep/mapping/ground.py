"""How large a raster's pixels are on the ground."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def metres_per_pixel(dataset: Any) -> float | None:
    """Return the side of the pixel in the middle, in metres: the root of its area on the ellipsoid.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        None where the raster has no reference system, or an empty transform.
    """
    if dataset.crs is None:
        return None
    from pyproj import CRS, Geod, Transformer
    from rasterio.transform import xy

    middle = np.array([dataset.height // 2, dataset.width // 2])
    rows, columns = (middle + [(0, 0), (0, 1), (1, 1), (1, 0)]).T
    x, y = xy(dataset.transform, rows, columns, offset="ul")
    crs = CRS.from_user_input(dataset.crs.to_wkt())
    if crs.geodetic_crs is None:  # a plan without a place on earth
        unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
        area = abs(dataset.transform.determinant) * unit**2
    else:
        to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
        longitude, latitude = to_degrees.transform(x, y)
        geod = crs.get_geod() or Geod(ellps="WGS84")
        area = abs(geod.polygon_area_perimeter(longitude, latitude)[0])
    return math.sqrt(area) if math.isfinite(area) and area > 0 else None
