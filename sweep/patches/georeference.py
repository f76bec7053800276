"""Whether an image and its mask lie at the same place."""

from __future__ import annotations

from typing import Any

from sweep.patches.rasters import RasterFile, open_raster
from sweep.patches.sources import SourceRaster
from trainables.errors import DataError

MAX_SHIFT = 0.51
"""Pixels; programs that count from a pixel's centre and those that count from its corner differ by half of one."""


def require_same_place(source: SourceRaster) -> None:
    """Refuse a mask that is georeferenced, as its image is, and lies elsewhere. Cropping goes by pixels alone.

    Raises:
        DataError: It lies elsewhere, or one of the two files is damaged.
    """
    image, mask = open_raster(source.image), open_raster(source.mask)
    if image.transform is None or mask.transform is None or image.shape != mask.shape:
        return  # a difference of size is a fault of its own
    shift = _largest_shift(image, mask)
    if shift > MAX_SHIFT:
        far = f"{shift:,.0f}" if shift >= 2 else f"{shift:.2f}"
        raise DataError(
            f"{mask.path}: lies up to {far} pixels from its image {image.path.name}, as the georeferences of both say; "
            f"export it on the grid of its image"
        )


def _largest_shift(image: RasterFile, mask: RasterFile) -> float:
    """Return by how many of the image's rows or columns a corner of the mask is off that of the image."""
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    corners = [(0, 0), (image.width, 0), (0, image.height), (image.width, image.height)]
    places = [_apply(mask.transform, corner) for corner in corners]
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
    found = [_apply(back, place) for place in places]
    return max(
        abs(one - other)
        for corner, place in zip(corners, found, strict=True)
        for one, other in zip(corner, place, strict=True)
    )


def _apply(transform: Any, point: tuple[float, float]) -> tuple[float, float]:
    """Return where an affine transform puts a point; affine 3 and older versions spell it differently."""
    x, y = point
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f
