"""Masks that are pictures inside labels: base64, at times deflated, of a bounded size."""

from __future__ import annotations

import base64
import binascii
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainables.documents import MIB
from trainables.errors import DataError

BYTES_A_PIXEL = 8
"""What a deflated PNG may hold at most for each of its pixels, beside its head."""
HEAD_BYTES = 65_536
MOST_BYTES = 256 * MIB
"""Whatever size a file says of its image."""


def decode_picture(text: str, place: str, *, most: tuple[int, int], deflated: bool = False) -> NDArray[np.bool_]:
    """Decode a PNG, which is true where it is not 0; of one with alpha, where it is not transparent.

    Args:
        text: Base64.
        place: What errors name.
        most: Height and width that it may have at most.
        deflated: Its bytes are compressed by zlib once more.

    Returns:
        (H, W).

    Raises:
        DataError: No such picture, or a larger one.
    """
    try:
        data = base64.b64decode(text, validate=True)
        if deflated:
            limit = min(HEAD_BYTES + BYTES_A_PIXEL * max(most[0], 1) * max(most[1], 1), MOST_BYTES)
            opened = zlib.decompressobj()
            data = opened.decompress(data, limit)
            if opened.unconsumed_tail:
                raise DataError(f"{place}: its mask is larger than its image; export it again")
        with Image.open(BytesIO(data), formats=("PNG",)) as picture:
            if picture.height > most[0] or picture.width > most[1]:
                raise DataError(
                    f"{place}: its mask is {picture.width}x{picture.height}, larger than the box that holds it "
                    f"({most[1]}x{most[0]}); export it again"
                )
            pixels = np.asarray(picture)
    except (binascii.Error, zlib.error, OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(f"{place}: its mask is no PNG in base64 ({reason}); export it again") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{place}: its mask has too many pixels; export it again") from error
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels = pixels[..., -1]
    shown: NDArray[np.bool_] = pixels != 0
    return np.asarray(shown.any(axis=-1)) if shown.ndim == 3 else shown
