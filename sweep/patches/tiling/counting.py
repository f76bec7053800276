"""How many pixels of each class are in many rectangles of a raster, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from trainables.data.masks import count_values

ReadArea = Callable[[Area], NDArray[np.uint8]]
"""Gives an area's (H, W) uint8 class indices, 255 for pixels that do not count."""
MAX_PIXELS = 2**25
"""Pixels that are read at once; a picture of 5,000 x 5,000 is read as a whole."""
BLOCK = 512
"""Rows of the largest usual blocks of a tiled TIFF, which are not to be decoded twice."""
_Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class PixelSums:
    """Sums over the rectangle between the first cuts and each pair of cuts.

    Attributes:
        rows: (R,) rising rows.
        columns: (C,) rising columns.
        sums: (R, C, K) int64 pixels of each of K classes above and left of them.
    """

    rows: _Numbers
    columns: _Numbers
    sums: _Numbers

    def between(self, top: _Numbers, left: _Numbers, bottom: _Numbers, right: _Numbers) -> _Numbers:
        """Return (..., K) pixels per class of rectangles whose ends are among the cuts."""
        rows, columns = np.searchsorted(self.rows, (top, bottom)), np.searchsorted(self.columns, (left, right))
        return np.asarray(
            self.sums[rows[1], columns[1]]
            - self.sums[rows[0], columns[1]]
            - self.sums[rows[1], columns[0]]
            + self.sums[rows[0], columns[0]]
        )

    def of(self, area: Area) -> tuple[int, ...]:
        """Return the pixels per class of an area whose ends are among the cuts."""
        ends = (area.top, area.left, area.top + area.height, area.left + area.width)
        return tuple(self.between(*(np.array(end) for end in ends)).tolist())


def count_pixels(read: ReadArea, rows: Sequence[int], columns: Sequence[int], classes: int) -> PixelSums:
    """Count the pixels of each class between cuts, strip by strip.

    Args:
        read: Reads a part of the truth.
        rows: Where areas begin and end, in any order.
        columns: The same.
        classes: K, how many classes there are.
    """
    across, along = np.unique(rows), np.unique(columns)
    cells = np.zeros((len(across), len(along), classes), np.int64)
    for strip in strips(int(across[0]), int(across[-1]), int(along[0]), int(along[-1])):
        mask = read(strip)
        present = np.flatnonzero(count_values(mask)[:classes]).tolist()
        inside = across[(across > strip.top) & (across < strip.top + strip.height)]
        for top, bottom in pairwise((strip.top, *inside.tolist(), strip.top + strip.height)):
            cell = int(np.searchsorted(across, top, side="right"))
            for one in present:
                pixels = (mask[top - strip.top : bottom - strip.top] == one).view(np.uint8)
                of_columns = cv2.reduce(pixels, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
                cells[cell, 1:, one] += np.add.reduceat(of_columns, along[:-1] - along[0], dtype=np.int64)
    return PixelSums(rows=across, columns=along, sums=cells.cumsum(0).cumsum(1))


def strips(top: int, bottom: int, left: int, right: int) -> Iterator[Area]:
    """Yield the parts of an area of at most ``MAX_PIXELS`` each, from top to bottom."""
    height = max(1, MAX_PIXELS // max(1, right - left))
    height = height // BLOCK * BLOCK or height
    for start in range(top, bottom, height):
        yield Area(top=start, left=left, height=min(height, bottom - start), width=right - left)
