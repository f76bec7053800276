"""What a point looks like in the image: close by, and with its surroundings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.audit.maps.class_maps import ClassMaps
from sweep.charts.page import photo
from sweep.rasters.addresses import unsigned
from sweep.rasters.opening import open_raster
from sweep.rasters.outlines import transformed
from sweep.rasters.raster import Raster
from trainables.data.imagery import picture_of
from trainables.errors import DataError

NEAR, AROUND, SHOWN = 96, 384, 192
"""Pixels of the image in the close view and in the wide one, and of the pictures."""
GREY = 128
"""Of what is outside the image."""


@dataclass(frozen=True, kw_only=True)
class PointView:
    """Pictures of a point.

    Attributes:
        near: ``data:`` address of the close view.
        around: Of the wide one.
        mark: Side of the map's pixel, in percent of the close view's.
        left: Where its middle is, in percent of the close view's width.
        top: Likewise, of its height.
    """

    near: str
    around: str
    mark: float
    left: float
    top: float


class PointViews:
    """Draws points of a map from an image of the same ground.

    Args:
        image: Open.
        maps: Open.

    Raises:
        DataError: Nobody knows where the image is on the map.
    """

    def __init__(self, image: Raster, maps: ClassMaps) -> None:
        self._image = image
        self._maps = maps
        dataset = image.dataset
        same = (image.height, image.width) == (maps.height, maps.width)
        self._direct = same and (maps.crs is None or dataset.crs is None or not image.georeferenced)
        if not self._direct and (maps.crs is None or dataset.crs is None):
            raise DataError(
                f"--image {unsigned(image.path)}: is {image.width} x {image.height} pixels and the map {maps.width} x "
                f"{maps.height}, and not both say where they are; name the image that the map was made of"
            )

    def positions(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2) columns and rows in the image of (N, 2) columns and rows of the map."""
        if self._direct:
            return pixels
        from rasterio.warp import transform

        x, y = transform(self._maps.crs, self._image.dataset.crs, *self._maps.locate(pixels).T.tolist())
        return transformed(np.stack([x, y], axis=1), ~self._image.dataset.transform)

    def draw(self, columns: Sequence[int], rows: Sequence[int]) -> Iterator[PointView | None]:
        """Draw pixels of the map, in order; None for one that is outside the image."""
        corners = np.stack([np.array(columns, float), np.array(rows, float)], axis=1)
        centres, far = self.positions(corners + 0.5), self.positions(corners + np.array([1.5, 0.5]))
        for (x, y), step in zip(centres.tolist(), np.hypot(*(far - centres).T).tolist(), strict=True):
            if not (0 <= x < self._image.width and 0 <= y < self._image.height):
                yield None
                continue
            yield PointView(
                near=self._picture(x, y, NEAR),
                around=self._picture(x, y, AROUND),
                mark=float(np.clip(100 * step / NEAR, 2, 100)),
                left=50 + 100 * (x % 1) / NEAR,
                top=50 + 100 * (y % 1) / NEAR,
            )

    def _picture(self, x: float, y: float, side: int) -> str:
        top, left = int(y) - side // 2, int(x) - side // 2
        rows = max(0, top), min(self._image.height, top + side)
        columns = max(0, left), min(self._image.width, left + side)
        found = picture_of(np.moveaxis(self._image.read(rows, columns).image, 0, 2))
        whole = np.full((side, side, 3), GREY, np.uint8)
        whole[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left] = found
        way = cv2.INTER_AREA if side > SHOWN else cv2.INTER_CUBIC
        return photo(Image.fromarray(cv2.resize(whole, (SHOWN, SHOWN), interpolation=way)), quality=70, fast=True)


@contextmanager
def open_views(path: str, maps: ClassMaps) -> Iterator[PointViews]:
    """Open an image for the duration of the block.

    Raises:
        DataError: It cannot be opened, or nobody knows where it is on the map.
    """
    with open_raster(path) as image:
        yield PointViews(image, maps)
