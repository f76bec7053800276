"""PNG and JPEG files: what their headers say before anything is decoded, and their pixels as the file holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 0x0112
"""The tag of EXIF and TIFF that says which side of a picture is up: 1 as stored, 2 to 8 turned or mirrored."""
MAX_SIDE = 16_384
"""Pixels per side of a tile."""
_MAX_EXIF = 2**20
_OTHERS = {b"GIF8": "GIF", b"BM": "BMP", b"\0\0\0\x0cjP  ": "JPEG 2000", **dict.fromkeys(TIFF, "TIFF")}
_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}


class NoPictureError(ValueError):
    """A file that is neither PNG nor JPEG; the message says what it is, as far as its first bytes tell."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of its picture.

    Attributes:
        kind: What the content is, whatever the file's name says.
        width: Pixels per row as stored.
        height: Rows as stored.
        mode: ``L``, ``LA``, ``RGB``, ``RGBA``, ``P`` (indices of a palette) or ``CMYK``.
        bits: Bits a band: 1, 2, 4, 8, 12 or 16.
        orientation: 1 where the picture is stored upright; else EXIF's 2 to 8.
        transparent: A PNG names a colour, or a palette's entries, that are not to be seen.
    """

    kind: Literal["PNG", "JPEG"]
    width: int
    height: int
    mode: str
    bits: int
    orientation: int
    transparent: bool

    @property
    def bands(self) -> int:
        """Values per pixel."""
        return {"L": 1, "P": 1, "LA": 2, "RGB": 3}.get(self.mode, 4)

    @property
    def words(self) -> str:
        """Mode and depth for an error, such as ``16-bit RGB``."""
        names = {"L": "grey", "P": "palette", "RGBA": "RGB with alpha", "LA": "grey with alpha"}
        depth = "" if self.bits == 8 else f"{self.bits}-bit "
        return f"{depth}{names.get(self.mode, self.mode)}{' with a transparent colour' if self.transparent else ''}"


def read_header(file: BinaryIO) -> Header:
    """Read what a PNG or JPEG says of itself; decodes nothing.

    Args:
        file: Open at its beginning; is left anywhere.

    Raises:
        NoPictureError: It is something else.
        Exception: Pillow raises many kinds on a damaged file.
    """
    start = file.read(12)
    file.seek(0)
    if start.startswith(PNG):
        return _png_header(file)
    if start.startswith(JPEG):
        picture = JpegImagePlugin.JpegImageFile(file)
        width, height = picture.size
        mode, bits = picture.mode, int(getattr(picture, "bits", 8))
        return Header(
            kind="JPEG",
            width=width,
            height=height,
            mode=mode,
            bits=bits,
            orientation=_orientation(picture),
            transparent=False,
        )
    raise NoPictureError(name_of(start))


def name_of(start: bytes) -> str:
    """Say what a file is by its first 12 bytes."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "holds a WebP picture"
    return next((f"holds a {name} picture" for magic, name in _OTHERS.items() if start.startswith(magic)), "")


def decode(file: BinaryIO, header: Header) -> Image.Image:
    """Decode a PNG or JPEG whole, without Pillow's limit on the number of pixels, and without turning it.

    Args:
        file: Open at its beginning.
        header: What ``read_header`` said of it.

    Raises:
        Exception: Pillow raises many kinds on a damaged or truncated file.
    """
    picture: Any = PngImagePlugin.PngImageFile(file) if header.kind == "PNG" else JpegImagePlugin.JpegImageFile(file)
    picture.load()
    if header.mode == "L" and header.bits in (2, 4):  # Pillow spreads 0 to 3, and 0 to 15, over 0 to 255
        return Image.fromarray(np.asarray(picture) // np.uint8(255 // (2**header.bits - 1)))
    if not isinstance(picture, Image.Image):
        raise TypeError(type(picture).__name__)
    return picture


def valid_orientation(value: object) -> int:
    """Return an orientation as a tag holds it; 1 for what is none, as viewers take it."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _orientation(picture: Image.Image) -> int:
    try:
        return valid_orientation(picture.getexif().get(ORIENTATION))
    except Exception:  # damaged EXIF, which viewers pass over
        return 1


def _png_header(file: BinaryIO) -> Header:
    orientation, transparent = 1, False
    head = b""
    for kind, length in _chunks(file):
        if kind == b"IHDR":
            head = file.read(13)
        elif kind == b"tRNS":
            transparent = True
        elif kind == b"eXIf" and length <= _MAX_EXIF:
            exif = Image.Exif()
            try:
                exif.load(b"Exif\0\0" + file.read(length))
                orientation = valid_orientation(exif.get(ORIENTATION))
            except Exception:  # as above
                orientation = 1
    if len(head) < 13 or head[9] not in _PNG_MODES:
        raise OSError("broken PNG header")
    return Header(
        kind="PNG",
        width=int.from_bytes(head[:4], "big"),
        height=int.from_bytes(head[4:8], "big"),
        mode=_PNG_MODES[head[9]],
        bits=head[8],
        orientation=orientation,
        transparent=transparent,
    )


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and length of each chunk of a PNG, with the file at its content."""
    place = len(PNG)
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], length
        if head[4:] == b"IEND":
            return
        place += length + 12
