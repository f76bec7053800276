"""Where in a source the one tile that it gives is cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from sweep.patches.tiling.counting import PixelSums, ReadArea, count_pixels
from sweep.patches.tiling.window import Window

MEANINGFUL_SHARE = 0.05
"""Share of foreground pixels under which the study moved its crop."""
STRIDES_PER_TILE = 16
"""Offsets tried along the side of a tile: a step of 64 pixels at 1024."""


def choose_window(read: ReadArea, part: Area, size: int, classes: int, *, minimum: float = MEANINGFUL_SHARE) -> Window:
    """Choose where to cut a tile: the geometric centre, or the nearest place with meaningful coverage.

    When the centre has under ``minimum`` foreground, windows are tried at offsets from it that are multiples of
    ``size // 16`` in both directions, and at the part's edges. The nearest one (Euclidean distance of the offset;
    then the upper, then the left one) with enough foreground is taken, and where none has enough, the one with most.
    Where there is no foreground at all, it is what is labelled that counts.

    Args:
        read: Reads the source's truth.
        part: Where in the source.
        size: Side of the tile in pixels; a part that is smaller gives a window that is.
        classes: How many classes there are; all but the first count as foreground.
        minimum: Wanted share of foreground, in [0, 1].

    Returns:
        The window; its share says whether the minimum was reached.
    """
    height, width = min(size, part.height), min(size, part.width)
    centre = (part.top + (part.height - height) // 2, part.left + (part.width - width) // 2)
    middle = Area(top=centre[0], left=centre[1], height=height, width=width)
    ends = (middle.top, middle.top + height), (middle.left, middle.left + width)
    window = Window(area=middle, counts=count_pixels(read, *ends, classes).of(middle))
    if window.share >= minimum or part == middle:
        return window
    tops = part.top + _offsets(part.height, height, centre[0] - part.top, size)
    lefts = part.left + _offsets(part.width, width, centre[1] - part.left, size)
    sums = count_pixels(read, (*tops, *(tops + height)), (*lefts, *(lefts + width)), classes)
    rows, columns = np.meshgrid(tops, lefts, indexing="ij")
    kinds = PixelSums(sums.rows, sums.columns, np.stack((sums.sums[..., 1:].sum(-1), sums.sums.sum(-1)), axis=-1))
    foreground, labelled = kinds.between(rows, columns, rows + height, columns + width).reshape(-1, 2).T
    distances = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    order = np.lexsort((columns.ravel(), rows.ravel(), distances.ravel()))
    best = _first(foreground, order, minimum * height * width)
    if not labelled[best]:
        best = _first(labelled, order, minimum * height * width)
    area = Area(top=int(rows.flat[best]), left=int(columns.flat[best]), height=height, width=width)
    return Window(area=area, counts=sums.of(area))


def _first(pixels: NDArray[np.int64], order: NDArray[np.int64], wanted: float) -> int:
    """Return the first in an order that has enough pixels, else the first of those that have most."""
    ordered = pixels[order]
    enough = np.flatnonzero(ordered >= wanted)
    return int(order[enough[0] if len(enough) else np.argmax(ordered)])


def _offsets(length: int, window: int, centre: int, size: int) -> NDArray[np.int64]:
    step = max(1, size // STRIDES_PER_TILE)
    last = length - window
    return np.array(sorted({0, last, *range(centre, -1, -step), *range(centre, last + 1, step)}))
