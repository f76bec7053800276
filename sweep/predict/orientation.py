"""How a photo has to be turned to be upright, as its camera noted it in EXIF."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
"""From a first pixel to the one after the last."""
Values = TypeVar("Values", bound=np.generic)
PHOTOS = ("JPEG", "PNG", "WEBP")
"""GDAL's names of the formats that cameras and their programs write."""
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """Turns stored pixels upright: rows and columns are reversed where said, then swapped where said.

    Attributes:
        reverse_rows: The bottom row comes first.
        reverse_columns: The rightmost column comes first.
        swap: Rows become columns.
    """

    reverse_rows: bool = False
    reverse_columns: bool = False
    swap: bool = False

    @classmethod
    def of(cls, number: int) -> Orientation:
        """Return the orientation of an EXIF number.

        Args:
            number: 1 to 8; any other number is upright (Exif 2.32, section 4.6.4, Orientation).
        """
        return cls(
            reverse_rows=number in (3, 4, 6, 7), reverse_columns=number in (2, 3, 7, 8), swap=number in range(5, 9)
        )

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return the upright (height, width) of a stored one, or the other way round."""
        return (width, height) if self.swap else (height, width)

    def stored(self, rows: Span, columns: Span, height: int, width: int) -> tuple[Span, Span]:
        """Return the stored rows and columns of upright ones.

        Args:
            rows: Upright.
            columns: Upright.
            height: Rows as they are stored.
            width: Columns as they are stored.
        """
        if self.swap:
            rows, columns = columns, rows
        return (
            (height - rows[1], height - rows[0]) if self.reverse_rows else rows,
            (width - columns[1], width - columns[0]) if self.reverse_columns else columns,
        )

    def upright(self, values: NDArray[Values]) -> NDArray[Values]:
        """Turn (..., H, W) stored values; returns a view."""
        values = values[..., :: -1 if self.reverse_rows else 1, :: -1 if self.reverse_columns else 1]
        return values.swapaxes(-1, -2) if self.swap else values


UPRIGHT = Orientation()


def orientation_of(dataset: Any) -> Orientation:
    """Return how a raster is turned: as EXIF says for a photo, else upright.

    Args:
        dataset: An open rasterio dataset; one with a CRS or a transform is stored as these say.
    """
    if dataset.driver not in PHOTOS or dataset.crs is not None or not dataset.transform.is_identity:
        return UPRIGHT
    noted = dataset.tags().get("EXIF_Orientation")
    return Orientation.of(int(noted) if noted and noted.strip().isdigit() else _by_pillow(dataset.name))


def _by_pillow(path: str) -> int:
    """Return the number that a file notes, which GDAL reads in JPEG alone; 1 where there is none."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the size of the picture, which is not decoded here
            with Image.open(path) as picture:
                # Not PngImageFile's own, which decodes the whole picture to look behind it, too.
                number = Image.Image.getexif(picture).get(ORIENTATION_TAG, 1)
    except Exception:  # Pillow's readers raise many kinds on damaged input, which GDAL reports when it is read
        return 1
    return number if isinstance(number, int) else 1
