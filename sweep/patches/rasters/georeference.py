"""Where images are on the ground: whether a mask is where its image is, and which tiles touch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from sweep.patches.rasters.reader import RasterFile
from trainables.errors import DataError

METRES_A_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""
MAX_SHIFT = 0.51
"""Pixels; programs that count from a pixel's centre and those that count from its corner differ by half of one."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A tile's place.

    Attributes:
        crs: rasterio's CRS; None for one that the file does not name.
        corners: (4, 2) float64 in that CRS, in their order around the tile, ``MAX_SHIFT`` pixels outside it.
    """

    crs: Any
    corners: NDArray[np.float64]


def ground_of(image: RasterFile, area: Area) -> Ground | None:
    """Return where a part of an image is on the ground; None where the image is not georeferenced."""
    if image.transform is None:
        return None
    x0, x1 = area.columns.start - MAX_SHIFT, area.columns.stop + MAX_SHIFT
    y0, y1 = area.rows.start - MAX_SHIFT, area.rows.stop + MAX_SHIFT
    corners = [apply_transform(image.transform, *corner) for corner in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return Ground(crs=image.crs, corners=np.array(corners))


def manifest_ground(image: RasterFile, area: Area) -> dict[str, Any]:
    """Return what a manifest says of where a part of an image is on the ground; nothing where that is not known."""
    if image.transform is None:
        return {}
    matrix = image.transform
    x, y = apply_transform(matrix, area.left, area.top)
    found = {"transform": [matrix.a, matrix.b, x, matrix.d, matrix.e, y]}
    if image.crs is None:
        return found
    metres = _metres_per_pixel(image, area)
    return {**found, "crs": image.crs.to_string(), **({"metres_per_pixel": metres} if metres else {})}


def _metres_per_pixel(image: RasterFile, area: Area) -> float | None:
    """Return the side of a square pixel of the same area, in the middle; None for a CRS without a unit of length."""
    from rasterio.errors import RasterioError

    matrix = image.transform
    side = math.sqrt(abs(matrix.a * matrix.e - matrix.b * matrix.d))
    try:
        if not image.crs.is_geographic:
            return float(f"{side * image.crs.linear_units_factor[1]:.6g}")
    except (RasterioError, AttributeError):
        return None
    _, latitude = apply_transform(matrix, area.left + area.width / 2, area.top + area.height / 2)
    return float(f"{side * METRES_A_DEGREE * math.sqrt(max(1e-6, math.cos(math.radians(latitude)))):.6g}")


def find_touching(grounds: Mapping[str, Ground]) -> list[tuple[str, str]]:
    """Find tiles that touch or overlap on the ground. A place without a CRS is compared with others without."""
    placed = [
        _in_one_crs({name: one for name, one in grounds.items() if (one.crs is None) == bare}) for bare in (False, True)
    ]
    return [pair for corners in placed for pair in _touching(corners)]


def _in_one_crs(grounds: Mapping[str, Ground]) -> dict[str, NDArray[np.float64]]:
    """Return the corners in the CRS of the first one; what has no place in it is left out."""
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    found: dict[str, NDArray[np.float64]] = {}
    common = next((one.crs for one in grounds.values()), None)
    for name, one in grounds.items():
        corners = one.corners
        if one.crs != common:
            try:
                corners = np.stack(transform(one.crs, common, *corners.T), axis=1)
            except RasterioError:
                continue
        if np.isfinite(corners).all():
            found[name] = corners
    return found


def _touching(corners: Mapping[str, NDArray[np.float64]]) -> list[tuple[str, str]]:
    names, places = list(corners), np.array(list(corners.values())).reshape(-1, 4, 2)
    low, high = places.min(axis=1), places.max(axis=1)
    pairs = []
    for first, name in enumerate(names):
        near = ((low <= high[first]) & (high >= low[first])).all(axis=1)
        for second in (np.flatnonzero(near[first + 1 :]) + first + 1).tolist():
            one, other = ((places[[first, second]] - low[first]) / (high[first] - low[first]).max()).astype(np.float32)
            if cv2.intersectConvexConvex(one, other)[0] > 0:
                pairs.append((name, names[second]))
    return pairs


def require_same_place(image: RasterFile, mask: RasterFile) -> None:
    """Refuse a mask that is georeferenced, as its image is, and is elsewhere. Cropping goes by pixels alone.

    Raises:
        DataError: It is elsewhere.
    """
    if image.transform is None or mask.transform is None or image.shape != mask.shape:
        return  # a difference of size is a fault of its own
    shift = _largest_shift(image, mask)
    if shift > MAX_SHIFT:
        far = f"{shift:,.0f}" if shift >= 2 else f"{shift:.2f}"
        raise DataError(
            f"{mask.path}: is up to {far} pixels away from its image {image.path.name}, as the georeferences of both "
            f"say; export it on the grid of its image"
        )


def _largest_shift(image: RasterFile, mask: RasterFile) -> float:
    """Return by how many of the image's rows or columns a corner of the mask is off that of the image."""
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    corners = [(0, 0), (image.width, 0), (0, image.height), (image.width, image.height)]
    places = [apply_transform(mask.transform, *corner) for corner in corners]
    if image.crs and mask.crs and image.crs != mask.crs:
        try:
            eastings, northings = transform(mask.crs, image.crs, *zip(*places, strict=True))
        except RasterioError as error:
            raise DataError(
                f"{mask.path}: its CRS leads nowhere into that of {image.path.name} ({error}); export it on the grid "
                f"of its image"
            ) from error
        places = list(zip(eastings, northings, strict=True))
    back = ~image.transform
    found = [apply_transform(back, *place) for place in places]
    largest: float = max(
        abs(one - other)
        for corner, place in zip(corners, found, strict=True)
        for one, other in zip(corner, place, strict=True)
    )
    return largest


def apply_transform(transform: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return where an affine transform puts points; affine 3 and older versions spell it differently."""
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f
