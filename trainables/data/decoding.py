"""Decoding the files of tiles strictly: what their headers say is looked at first, and nothing is converted."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.data.imagery import RGB, Imagery
from trainables.data.masks import classify
from trainables.data.pictures import MAX_SIDE, TIFF, Header, NoPictureError, decode, read_header
from trainables.data.tiffs import decode_tiff, tiff_orientation
from trainables.documents import DamagedError, read_bounded
from trainables.errors import DataError
from trainables.task import Task

MAX_BYTES = 2**30
"""Bytes of a tile's file."""


def read_file(path: Path) -> bytes:
    """Read a tile's image or mask whole.

    Raises:
        DataError: It is not there, is no file, or is absurdly large.
    """
    try:
        return read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except DamagedError as error:
        raise DataError(f"{path}: {error}; replace it") from error


def decode_image(data: bytes, path: Path, imagery: Imagery = RGB) -> NDArray[np.uint8]:
    """Decode a tile's image.

    Args:
        data: A TIFF's content; for 8-bit RGB a PNG's or JPEG's, too.
        path: Its place, for errors.
        imagery: What the manifest says that it holds.

    Returns:
        (H, W, C) uint8, 16 bits scaled to them.

    Raises:
        DataError: Damaged, not stored upright, or of other bands or another depth.
    """
    if data.startswith(TIFF):
        _require_upright(tiff_orientation(io.BytesIO(data)), path)
        return decode_tiff(data, path, imagery)
    header = _header(data, path)
    if len(imagery.bands) != 3 or imagery.stored != "uint8":
        raise DataError(
            f"{path}: is {header.words}, but the dataset's manifest says {imagery.summary}, which tiles hold as .tif; "
            f"replace it"
        )
    if header.mode != "RGB" or header.bits != 8 or header.transparent:
        raise DataError(f"{path}: is {header.words}, not 8-bit RGB; convert it")
    return np.asarray(_decode(data, path, header))


def decode_mask(data: bytes, path: Path, task: Task) -> NDArray[np.uint8]:
    """Decode a mask.

    Returns:
        (H, W) uint8 class indices; 255 for pixels that do not count.

    Raises:
        DataError: Damaged, or not what the task says.
    """
    header = _header(data, path)
    if header.kind == "JPEG":
        raise DataError(f"{path}: holds a JPEG, which blurs the values of masks; save the mask as PNG")
    if header.bits > 8:
        raise DataError(f"{path}: is {header.words}, not a mask; save it as 8-bit indices")
    if task == Task() and header.mode != "L":
        raise DataError(
            f"{path}: is {header.words}, not a single-channel mask; convert it, see sweep.patches make --foreground, "
            "or name its classes and colours in the manifest's task"
        )
    picture = _decode(data, path, header)
    if task == Task() and header.bits in (2, 4) and set(np.unique(np.asarray(picture))) <= {0, 2**header.bits - 1}:
        picture = Image.fromarray((np.asarray(picture) > 0).astype(np.uint8))  # black and white, whatever the depth
    return classify(picture, task, str(path))


def _header(data: bytes, path: Path) -> Header:
    """Read what a tile's file says of itself, before anything is decoded."""
    try:
        header = read_header(io.BytesIO(data))
    except NoPictureError as error:
        what = str(error) or "truncated or not a picture"
        raise DataError(f"{path}: {what}, where PNG and JPEG are read; replace it") from error
    except Exception as error:  # Pillow raises many kinds on damaged input
        raise DataError(f"{path}: truncated or not a picture ({_reason(error)}); replace it") from error
    if max(header.width, header.height) > MAX_SIDE:
        raise DataError(
            f"{path}: is {header.width}x{header.height}, and a tile has at most {MAX_SIDE} pixels per side; cut it, "
            f"see sweep.patches make"
        )
    _require_upright(header.orientation, path)
    return header


def _require_upright(orientation: int, path: Path) -> None:
    if orientation != 1:
        raise DataError(
            f"{path}: is stored turned, as its EXIF orientation {orientation} says; save it upright, see "
            f"docs/rasters.md#pictures-that-are-stored-turned"
        )


def _decode(data: bytes, path: Path, header: Header) -> Image.Image:
    try:
        return decode(io.BytesIO(data), header)
    except Exception as error:  # as above
        raise DataError(f"{path}: truncated or not a picture ({_reason(error)}); replace it") from error


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
