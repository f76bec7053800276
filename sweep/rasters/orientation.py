"""How a picture has to be turned to be upright, as its camera or program noted it."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainables.data.pictures import ORIENTATION, valid_orientation
from trainables.data.tiffs import tiff_orientation
from trainables.errors import DataError

Span = tuple[int, int]
"""From a first pixel to the one after the last."""
Spans = tuple[Span, Span]
"""Rows and columns."""
Values = TypeVar("Values", bound=np.generic)
PHOTOS = ("JPEG", "PNG", "WEBP")
"""GDAL's names of the formats that cameras and their programs write."""


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


def cut_span(span: Span, size: int, others: Iterable[Span] = ()) -> Iterator[Span]:
    """Cut a span where blocks of some size end, and where other spans begin and end."""
    ends = [end for other in others for end in other if span[0] < end < span[1]]
    edges = {*span, *range((span[0] // size + 1) * size, span[1], size), *ends}
    return itertools.pairwise(sorted(edges))


def orientation_of(dataset: Any) -> Orientation:
    """Return how a raster is turned: as EXIF says for a photo, and its tag for a TIFF, else upright.

    Args:
        dataset: An open rasterio dataset; a photo with a CRS or a transform is stored as these say.

    Raises:
        DataError: A TIFF with a CRS or a transform says that it is turned, so its place is not clear.
    """
    number = orientation_number(dataset)
    placed = dataset.crs is not None or not dataset.transform.is_identity
    if placed and number != 1 and dataset.driver == "GTiff":
        path = Path(dataset.name)
        before, after = quote(str(path)), quote(str(path.with_name(f"upright_{path.name}")))
        raise DataError(
            f"{path}: is georeferenced and has orientation {number}, so its place is not clear; rewrite it without "
            f"that tag, such as rio convert {before} {after}"
        )
    return UPRIGHT if placed else Orientation.of(number)


def orientation_number(dataset: Any) -> int:
    """Return the number that a picture notes, 1 to 8 (1 is upright), whatever its place.

    Args:
        dataset: An open rasterio dataset.
    """
    if dataset.driver == "GTiff":
        return _of_tiff(dataset.name)
    if dataset.driver not in PHOTOS:
        return 1
    noted = dataset.tags().get("EXIF_Orientation")
    return valid_orientation(int(noted) if noted and noted.strip().isdigit() else _by_pillow(dataset.name))


def _of_tiff(path: str) -> int:
    """Return the number that a TIFF of this machine notes, which GDAL passes over; 1 where there is none."""
    if not Path(path).is_file():
        return 1
    with Path(path).open("rb") as file:
        return tiff_orientation(file)


def _by_pillow(path: str) -> int:
    """Return the number that a file notes, which GDAL reads in JPEG alone; 1 where there is none."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the size of the picture, which is not decoded here
            with Image.open(path) as picture:
                # Not PngImageFile's own, which decodes the whole picture to look behind it, too.
                number = Image.Image.getexif(picture).get(ORIENTATION, 1)
    except Exception:  # Pillow's readers raise many kinds on damaged input, which GDAL reports when it is read
        return 1
    return number if isinstance(number, int) else 1
