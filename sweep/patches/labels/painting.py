"""Paints shapes into a part of an image's mask, in memory and time that the part bounds, whatever they look like."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.shapes import Floats, Outline, Positions, Runs
from sweep.patches.rasters.area import Area
from trainables.errors import DataError

PLENTY = 1_000_000
"""Pixels of a polygon's outline from which on it is clipped to its image first: pycocotools takes 40 bytes for each."""
MOST = 5_000_000
"""Pixels of an outline that are painted at most, clipped; that is 200 MB."""
MOST_COVERED = 1_000
"""How often the shapes of one image may cover it in all."""


class MaskCanvas:
    """A part of an image's mask that shapes are painted into; nothing of the image's size is made.

    Args:
        shape: The image's height and width.
        area: The part.
        place: The image, for errors.
    """

    def __init__(self, shape: tuple[int, int], area: Area, place: str) -> None:
        self._height, self._width = shape
        self._area = area
        self._columns = np.zeros((area.width, area.height), np.uint8)  # pycocotools' runs go down the columns
        self._place = place
        self._left = MOST_COVERED * self._columns.size

    @property
    def mask(self) -> NDArray[np.uint8]:
        """(H, W) uint8 of the area, 0 where nothing has been painted."""
        return np.ascontiguousarray(self._columns.T)

    def paint(self, part: Outline | Runs, value: int) -> None:
        """Paint what a shape covers of the area: the same pixels as in a mask of the whole image.

        Args:
            part: The shape.
            value: What to paint, 0 to 255.

        Raises:
            DataError: Its outline is too long, or all shapes together cover too much.
        """
        if isinstance(part, Runs):
            self._paint_runs(part, value)
        elif part.holes or part.touched:
            self._paint_with_holes(part, value)
        elif (runs := self._runs(part.ring)) is not None:
            self._paint_runs(runs, value)

    def _runs(self, ring: Floats) -> Runs | None:
        """Return a polygon's pixels as pycocotools says them, up to the area's last row and column."""
        from pycocotools import mask as coco

        if _length(ring) > PLENTY:
            ring = clip(ring, self._width, self._height)
            if _length(ring) > MOST:
                raise DataError(
                    f"{self._place}: holds a polygon whose outline is more than {MOST:,} pixels long; simplify or "
                    f"remove it"
                )
        if len(ring) < 3:
            return None
        box = Area(top=0, left=0, height=self._area.rows.stop, width=self._area.columns.stop)
        encoded = coco.frPyObjects([ring.ravel().tolist()], box.height, box.width)
        lengths = parse_runs(encoded[0]["counts"])
        assert lengths is not None, "pycocotools wrote them"
        return Runs.of_lengths(lengths, box, by_rows=False)

    def _paint_runs(self, runs: Runs, value: int) -> None:
        target = self._columns.T if runs.by_rows else self._columns
        lines, starts, stops = pieces(runs, self._area)
        self._count(int((stops - starts).sum()))
        for line, start, stop in zip(lines.tolist(), starts.tolist(), stops.tolist(), strict=True):
            target[line, start:stop] = value

    def _paint_with_holes(self, part: Outline, value: int) -> None:
        """Paint in a mask of the outline's own box first, where its holes leave what is below as it is."""
        image = Area.whole((self._height, self._width))
        box = common(bounds(part), image if part.touched else self._area)
        shown = common(box, self._area) if box else None
        if box is None or shown is None:
            return
        self._count(shown.height * shown.width)
        if part.touched:
            covered = _filled(part, box)
        else:
            inner = MaskCanvas((self._height, self._width), box, self._place)
            for number, ring in enumerate((part.ring, *part.holes)):
                inner.paint(Outline(ring=ring), int(number == 0))
            covered = inner.mask
        here = self._columns[_within(shown.columns, self._area.left), _within(shown.rows, self._area.top)].T
        here[covered[_within(shown.rows, box.top), _within(shown.columns, box.left)] == 1] = value

    def _count(self, pixels: int) -> None:
        self._left -= pixels
        if self._left < 0:
            raise DataError(
                f"{self._place}: its shapes cover it more than {MOST_COVERED:,} times; remove repeated ones"
            )


def bounds(part: Outline | Runs) -> Area:
    """Return a box of whole pixels that holds a shape, and at least one pixel around an outline."""
    if isinstance(part, Runs):
        return part.box
    (left, top), (right, bottom) = part.ring.min(axis=0), part.ring.max(axis=0)
    top, left = floor(top) - 1, floor(left) - 1
    return Area(top=top, left=left, height=ceil(bottom) + 2 - top, width=ceil(right) + 2 - left)


def common(one: Area, other: Area) -> Area | None:
    """Return what two boxes share; None where they share nothing."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    height = min(one.rows.stop, other.rows.stop) - top
    width = min(one.columns.stop, other.columns.stop) - left
    return Area(top=top, left=left, height=height, width=width) if height > 0 and width > 0 else None


def pieces(runs: Runs, area: Area) -> tuple[Positions, Positions, Positions]:
    """Cut runs into pieces of one line each, as far as they are in an area.

    Returns:
        Of each piece its line (a row, or a column), where it starts in it and where it stops, counted from the area's
        first row and column.
    """
    box = runs.box
    length, count = (box.width, box.height) if runs.by_rows else (box.height, box.width)
    along, across = (area.columns, area.rows) if runs.by_rows else (area.rows, area.columns)
    first, begin = (box.left, box.top) if runs.by_rows else (box.top, box.left)
    low, high = (min(max(edge - begin, 0), count) * length for edge in (across.start, across.stop))
    some = slice(np.searchsorted(runs.stops, low, "right"), np.searchsorted(runs.starts, high, "left"))
    starts, stops = runs.starts[some].clip(low, high), runs.stops[some].clip(low, high)
    starts, stops = starts[stops > starts], stops[stops > starts]
    lines = starts // max(length, 1)
    counts = (stops - 1) // max(length, 1) - lines + 1
    total = int(counts.sum())
    lines = np.repeat(lines, counts) + np.arange(total) - np.repeat(counts.cumsum() - counts, counts)
    ends = np.minimum(np.repeat(stops, counts) - lines * length, length) + first
    begins = np.maximum(np.repeat(starts, counts) - lines * length, 0) + first
    begins, ends = begins.clip(along.start, along.stop) - along.start, ends.clip(along.start, along.stop) - along.start
    kept = ends > begins
    return (lines + begin - across.start)[kept], begins[kept], ends[kept]


def _filled(part: Outline, box: Area) -> NDArray[np.uint8]:
    """Fill an outline of whole pixels as OpenCV does; the box holds all of it that is in the image."""
    import cv2

    filled = np.zeros((box.height, box.width), np.uint8)
    for number, ring in enumerate((part.ring, *part.holes)):
        corners = np.round(ring).astype(np.int32) - (box.left, box.top)
        cv2.fillPoly(filled, [corners.astype(np.int32)], int(number == 0))
    return filled


def _within(indices: slice, offset: int) -> slice:
    return slice(indices.start - offset, indices.stop - offset)


def parse_runs(counts: bytes) -> list[int] | None:
    """Return compressed run lengths as numbers; None for damaged ones, on which the library's decoder writes anywhere.

    Source: rleFrString of pycocotools: five bits a character from 48 on, the sixth says that more follow, and from
    the fourth run on a difference to the run before the last.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for code in counts:
        code -= 48
        if not 0 <= code < 64 or shift > 60:
            return None
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        if runs[-1] < 0:
            return None
        value, shift = 0, 0
    return None if shift else runs


def clip(polygon: Floats, width: int, height: int) -> Floats:
    """Cut a polygon off a pixel outside a mask.

    Inside, an edge that leaves the mask may move by a tenth of a pixel, which is what pycocotools rounds by.

    Args:
        polygon: (N, 2) x and y.
        width: Of the mask.
        height: Of the mask.

    Returns:
        (M, 2), M at most 16 N; M may be 0. Edges along the border join parts that are apart.

    Source: Sutherland and Hodgman, 1974, "Reentrant polygon clipping".
    """
    for axis, limit in ((0, width + 1.0), (1, height + 1.0)):
        for sign, bound in ((1.0, limit), (-1.0, 1.0)):
            polygon = _cut(polygon, axis, sign, bound)
    return polygon


def _cut(polygon: Floats, axis: int, sign: float, bound: float) -> Floats:
    """Keep what has ``sign * coordinate <= bound``."""
    if not len(polygon):
        return polygon
    before = np.roll(polygon, 1, axis=0)
    here, there = bound - sign * polygon[:, axis], bound - sign * before[:, axis]
    crossing = (here < 0) != (there < 0)
    share = np.divide(there, there - here, out=np.zeros_like(there), where=crossing)
    crossed = before + share[:, None] * (polygon - before)
    crossed[:, axis] = sign * bound
    both = np.stack([crossed, polygon], axis=1)
    kept: Floats = both[np.stack([crossing, here >= 0], axis=1)]
    return kept


def _length(polygon: Floats) -> float:
    """Return the pixels of an outline, as many as pycocotools steps along."""
    steps = np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1, initial=0.0)
    return float(steps.sum())
