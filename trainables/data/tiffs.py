"""TIFF files of tiles: how imagery that is not 8-bit RGB is stored without loss."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.data.imagery import Imagery
from trainables.data.pictures import MAX_SIDE, ORIENTATION, valid_orientation
from trainables.errors import DataError
from trainables.wording import counted

MAX_TAGS = 65_535
QUIET = {"CPL_LOG_ERRORS": "OFF", "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE"}


def decode_tiff(data: bytes, path: Path, imagery: Imagery) -> NDArray[np.uint8]:
    """Decode a tile's TIFF, whose bands and depth are what the manifest says.

    Args:
        data: The file's content; nothing but it is opened, no file beside it either.
        path: Its place, for errors.
        imagery: What the manifest says.

    Returns:
        (H, W, C) uint8.

    Raises:
        DataError: Damaged, too large, or of other bands or another depth.
    """
    import rasterio
    from rasterio.io import MemoryFile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a missing georeference
            with rasterio.Env(**QUIET), MemoryFile(data) as memory, memory.open(driver="GTiff") as file:
                _require(file, path, imagery)
                values = file.read()
    except DataError:
        raise
    except Exception as error:  # decoders raise many kinds on damaged input
        reason = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or not a picture ({reason}); replace it") from error
    return np.ascontiguousarray(imagery.scaled(np.moveaxis(values, 0, 2)))


def _require(file: Any, path: Path, imagery: Imagery) -> None:
    """Refuse another file than the manifest says, before it is decoded."""
    if max(file.width, file.height) > MAX_SIDE:
        raise DataError(
            f"{path}: is {file.width}x{file.height}, and a tile has at most {MAX_SIDE} pixels per side; cut it, see "
            f"sweep.patches make"
        )
    kinds = sorted(set(file.dtypes))
    if file.count != len(imagery.bands) or kinds != [imagery.stored] or file.colorinterp[0].name == "palette":
        palette = " with a palette" if file.colorinterp[0].name == "palette" else ""
        raise DataError(
            f"{path}: has {counted(file.count, 'band')} of {', '.join(kinds)}{palette}, but the dataset's "
            f"manifest says {imagery.summary}; make the dataset again with sweep.patches make --bands, or replace it"
        )


def encode_tiff(values: NDArray[Any]) -> bytes:
    """Encode (H, W, C) uint8 or uint16 as a GeoTIFF without a place, compressed without loss."""
    import rasterio
    from rasterio.io import MemoryFile

    height, width, count = values.shape
    form = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": values.dtype.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.Env(**QUIET), MemoryFile() as memory:
            with memory.open(
                **form, compress="deflate", predictor=2, interleave="pixel", photometric="minisblack"
            ) as file:
                file.write(np.moveaxis(values, 2, 0))
            return bytes(memory.read())


def tiff_orientation(file: BinaryIO) -> int:
    """Read the orientation of a TIFF's first picture, which GDAL passes over.

    Args:
        file: Open at its beginning; is left anywhere.

    Returns:
        1 where it is stored upright, 2 to 8 where it is turned or mirrored. Source: TIFF 6.0, section 2, and BigTIFF.
    """
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:1] == b"I" else "big"
    big = int.from_bytes(head[2:4], order) == 43
    file.seek(int.from_bytes(head[8:16] if big else head[4:8], order))
    count = int.from_bytes(file.read(8 if big else 2), order)
    length, place = (20, 12) if big else (12, 8)
    for _ in range(min(count, MAX_TAGS)):
        entry = file.read(length)
        if int.from_bytes(entry[:2], order) == ORIENTATION:
            return valid_orientation(int.from_bytes(entry[place : place + 2], order))
    return 1
