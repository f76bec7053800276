"""Small files with one fault each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.rasters import write_tif

SIDE = 64
Pixels = NDArray[Any]
Build = Callable[[Path], object]
"""Makes the files of a fault in an empty folder."""


def noise(seed: int = 0, shape: Sequence[int] = (SIDE, SIDE, 3), most: int = 255, dtype: str = "uint8") -> Pixels:
    """Return values that no other seed gives."""
    return np.random.default_rng(seed).integers(0, most + 1, shape).astype(dtype)


def blocks(*values: int, dtype: str = "uint8") -> Pixels:
    """Return (64, 64) in which each value has a stripe of rows."""
    return np.resize(np.asarray(values, dtype), SIDE).repeat(SIDE).reshape(SIDE, SIDE).copy()


def save(path: Path, pixels: Pixels, palette: Sequence[int] = (), **more: Any) -> Path:
    """Write a picture; a TIFF through GDAL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        write_tif(path, pixels if pixels.ndim == 3 else pixels[..., None], **more)
    elif palette:
        picture = Image.fromarray(pixels)
        picture.putpalette(list(palette))
        picture.save(path)
    else:
        Image.fromarray(pixels).save(path, **more)
    return path


def write(path: Path, values: object) -> Path:
    """Write JSON, or text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def images(folder: Path, names: Sequence[str] = ("a", "b", "c", "d"), ending: str = "png") -> None:
    """Write pictures that show different ground."""
    for name in names:
        save(folder / f"{name}.{ending}", noise(hash_of(f"{folder}/{name}")))


def pairs(folder: Path, *masks: Pixels, ending: str = "png", palette: Sequence[int] = (), count: int = 4) -> None:
    """Write ``images/`` and ``masks/``: each of the masks in turn, 0 and 255 by default."""
    names = "abcdefgh"[:count]
    images(folder / "images", names)
    for number, name in enumerate(names):
        mask = masks[number % len(masks)] if masks else blocks(0, 255)
        save(folder / "masks" / f"{name}.{ending}", mask, palette)


def hash_of(text: str) -> int:
    """Return a seed that is the same in every process."""
    return int.from_bytes(text.encode()[-6:], "big")
