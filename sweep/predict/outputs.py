"""What is in ``--out`` at the end: GeoTIFFs where the raster has a place on earth, else pictures."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.predict.parts import Parts, write_faults
from sweep.rasters.libtiff import libtiff_faults
from sweep.rasters.raster import Raster
from trainables.data.imagery import picture_of
from trainables.overlays import HIT
from trainables.task import Colour, Task

OVERLAY_SIDE = 4096
"""Longest side, in pixels, of an overlay: a look at the whole, not a map."""
GEOTIFF = {"compress": "deflate", "blocksize": 512, "bigtiff": "if_safer", "num_threads": "all_cpus"}
RESAMPLING = {"mask": "mode", "probability": "average", "uncertainty": "average"}
"""How overviews are made."""


def write_geotiff(parts: Parts, layer: str, raster: Raster, task: Task, path: Path, meaning: str = "") -> None:
    """Write a layer as a cloud-optimised GeoTIFF: tiled, compressed, with overviews.

    Args:
        parts: All of the raster's parts.
        layer: ``mask``: class indices (1 foreground, 0 background in a binary task); ``probability`` and
            ``uncertainty``: in 250ths, which their band's scale says. 255 is declared as nodata in all.
        raster: What was predicted.
        task: What the mask's values mean.
        path: The file to write, whole or not at all.
        meaning: What an uncertainty is; the band's metadata say so.

    Raises:
        StorageError: It cannot be written.
    """
    copy_raster(
        parts.layer(layer, raster, task, meaning=meaning),
        path,
        "COG",
        {**GEOTIFF, "overview_resampling": RESAMPLING[layer]},
    )


def write_style(text: str, layer: Path) -> Path:
    """Write a style beside a layer, where QGIS looks for it; returns the file.

    Raises:
        StorageError: It cannot be written.
    """
    path = layer.with_suffix(".qml")
    with write_faults(path):
        path.write_text(text, encoding="utf-8")
    return path


def write_picture(parts: Parts, layer: str, raster: Raster, task: Task, path: Path) -> None:
    """Write a layer as a PNG of the raster's size, see above.

    Grey: 255 is foreground, or a probability of 1. A mask of classes has their indices, under a palette.
    """
    copy_raster(parts.layer(layer, raster, task, picture=True), path, "PNG", {})


def copy_raster(source: Path, path: Path, driver: str, options: Mapping[str, Any]) -> None:
    """Copy a raster into another format, whole or not at all.

    Raises:
        StorageError: It cannot be written, or the disk is full.
    """
    from rasterio import shutil
    from rasterio.errors import RasterioError

    temporary = path.with_name(f".{path.name}.tmp")
    with write_faults(path, RasterioError):
        try:
            with libtiff_faults():
                shutil.copy(source, temporary, driver=driver, **options)
            if _checksum(temporary) != _checksum(source):  # GDAL does not always notice that a disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            temporary.replace(path)
            path.with_name(f"{temporary.name}.aux.xml").unlink(missing_ok=True)
        finally:
            temporary.unlink(missing_ok=True)


def _checksum(path: Path) -> int:
    import rasterio

    with rasterio.open(path) as file:
        return int(file.checksum(1))


def write_overlay(parts: Parts, raster: Raster, task: Task, path: Path) -> None:
    """Tint what was found over the image, as a JPEG of at most 4096 pixels per side.

    Raises:
        StorageError: It cannot be written.
    """
    import rasterio

    factor = min(1.0, OVERLAY_SIDE / max(raster.height, raster.width))
    shape = (max(1, round(raster.height * factor)), max(1, round(raster.width * factor)))
    image = picture_of(raster.shrunk(shape))
    with rasterio.open(parts.layer("mask", raster, task, picture=True)) as mask:
        found = mask.read(1, out_shape=shape)
    classes = [(found > 0, HIT)] if task.binary else [(found == i, c) for i, c in enumerate(task.shown_colours)]
    for pixels, colour in classes:
        image = draw_found(image, pixels, colour)
    with write_faults(path):
        Image.fromarray(image).save(path, quality=88)


def draw_found(image: NDArray[np.uint8], found: NDArray[np.bool_], colour: Colour = HIT) -> NDArray[np.uint8]:
    """Tint pixels over an image and outline them in white.

    Args:
        image: (H, W, 3) uint8 RGB.
        found: (H, W) bool.
        colour: The tint.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    import cv2

    picture = image.copy()
    picture[found] = (picture[found] // 2) + np.array(colour, dtype=np.uint8) // 2
    outlines, _ = cv2.findContours(found.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, outlines, -1, (255, 255, 255), 1)
    return picture
