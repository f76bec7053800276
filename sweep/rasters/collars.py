"""Black collars: pixels that are zero in every band, reach a raster's edge, and are tagged as nothing by nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

CORNER = 32
"""Pixels of the side of the squares along the edge that are looked at first: four corners, four middles."""
SEEN = 1024
"""Pixels of the longest side of the view in which a collar is measured."""
LEAST = 0.002
"""Share of pixels below which black at the edge is no collar."""


def collar_share(dataset: Any, bands: Sequence[int]) -> float:
    """Return the share of a raster's pixels that are black and connected to its edge by such pixels.

    A raster whose corners, and middles of edges, are not black is not looked at any further. Else every n-th pixel is.

    Args:
        dataset: An open rasterio dataset.
        bands: Numbers of those that are read, from 1.

    Returns:
        In [0, 1]; 0 where it is too small to be called a collar, or cannot be read.
    """
    wanted = list(dict.fromkeys(bands))
    height, width = dataset.shape
    side = min(CORNER, height, width)
    rows, columns = ((0, (length - side) // 2, length - side) for length in (height, width))
    places = [(row, column) for row in rows for column in columns if (row, column) != (rows[1], columns[1])]
    try:
        if not any(_black(dataset, wanted, window=Window(column, row, side, side)).any() for row, column in places):
            return 0.0
        factor = min(1.0, SEEN / max(height, width))
        black = _black(dataset, wanted, shape=(max(1, round(height * factor)), max(1, round(width * factor))))
    except RasterioError:  # damaged; who reads it block by block says where
        return 0.0
    framed = np.pad(black, 1, constant_values=True)
    _, regions = cv2.connectedComponents(framed.astype(np.uint8), connectivity=4)
    share = float((regions[1:-1, 1:-1] == regions[0, 0]).mean())
    return share if share >= LEAST else 0.0


def _black(
    dataset: Any, bands: list[int], window: Window | None = None, shape: tuple[int, int] | None = None
) -> NDArray[np.bool_]:
    """Read which pixels are zero in every band and declared to hold something."""
    sizes = {} if shape is None else {"out_shape": (len(bands), *shape)}
    values = dataset.read(bands, window=window, **sizes)
    known = dataset.read_masks(bands, window=window, **sizes)
    return np.asarray((values == 0).all(axis=0) & (known > 0).any(axis=0))
