"""GeoTIFFs, as other programs write them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.rasters.images import ImageFile, ImageReading, as_image
from sweep.patches.rasters.reader import open_raster


def draw_photos(folder: Path, cells: int) -> None:
    """Draw six photos of squares of 16 pixels, and masks of such squares, into ``images/`` and ``masks/``.

    Args:
        folder: Where.
        cells: Squares along a side.
    """
    for number in range(6):
        for kind, bands in (("images", 3), ("masks", 1)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            squares = np.random.default_rng(number).integers(0, 2, (cells, cells, bands), dtype=np.uint8) * 255
            Image.fromarray(squares.repeat(16, 0).repeat(16, 1).squeeze()).save(folder / kind / f"p{number}.png")


def open_image(path: Path) -> ImageFile:
    """Return an image of 8-bit RGB, as ``make`` reads it without flags."""
    return as_image(open_raster(path), ImageReading())


def write_tif(path: Path, image: NDArray[np.generic], **profile: Any) -> Path:
    """Write an image, (H, W, C), with pixels of 0.3 m in UTM zone 33 unless ``profile`` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = image.shape
    size = {"height": height, "width": width, "count": count, "dtype": image.dtype.name}
    place = {"crs": "EPSG:32633", "transform": Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "w", **{"driver": "GTiff", **size, **place, **profile}) as file:
            file.write(image.transpose(2, 0, 1))
    return path
