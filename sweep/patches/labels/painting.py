"""Paints polygons into masks as pycocotools does, whatever they look like, in bounded memory and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError

PLENTY = 1_000_000
"""Pixels of a polygon's outline from which on it is clipped to its mask first: pycocotools takes 40 bytes for each."""
MOST = 5_000_000
"""Pixels of an outline that are painted at most, clipped; that is 200 MB."""
MOST_COVERED = 1_000
"""How often the shapes of one image may cover it in all."""


class MaskCanvas:
    """A mask that shapes are painted into, run by run as pycocotools stores them: nothing of its size is made."""

    def __init__(self, shape: tuple[int, int], place: str) -> None:
        self._height, self._width = shape
        self._columns = np.zeros(self._height * self._width, np.uint8)  # runs go down the columns
        self._place = place
        self._left = MOST_COVERED * self._columns.size

    @property
    def mask(self) -> NDArray[np.uint8]:
        """(H, W) uint8, 0 where nothing has been painted."""
        return np.ascontiguousarray(self._columns.reshape(self._width, self._height).T)

    def paint(self, polygon: NDArray[np.float64], value: int) -> None:
        """Paint the pixels whose centre a polygon holds, as pycocotools says it.

        Coordinates follow CVAT, COCO and LabelMe: the upper left pixel reaches from 0 to 1, its centre is at 0.5.
        OpenCV and Pillow would also paint every pixel that the outline touches.

        Args:
            polygon: (N, 2) x and y in pixels, N at least 3; it may leave the mask.
            value: What to paint, 0 to 255.

        Raises:
            DataError: Its outline is too long, or all shapes together cover too much.
        """
        from pycocotools import mask as coco

        if _length(polygon) > PLENTY:
            polygon = clip(polygon, self._width, self._height)
            if _length(polygon) > MOST:
                raise DataError(
                    f"{self._place}: holds a polygon whose outline is more than {MOST:,} pixels long; simplify or "
                    f"remove it"
                )
        if len(polygon) < 3:
            return
        encoded = coco.frPyObjects([polygon.ravel().tolist()], self._height, self._width)
        runs = parse_runs(encoded[0]["counts"])
        assert runs is not None, "pycocotools wrote them"
        self.paint_runs(runs, value)

    def paint_runs(self, runs: Sequence[int], value: int) -> None:
        """Paint every second run of pixels, down the columns, beginning with the second one.

        Args:
            runs: Lengths, at least 0, which sum to the pixels of the mask.
            value: What to paint, 0 to 255.

        Raises:
            DataError: All shapes together cover too much.
        """
        self._left -= sum(runs[1::2])
        if self._left < 0:
            raise DataError(
                f"{self._place}: its shapes cover it more than {MOST_COVERED:,} times; remove repeated ones"
            )
        position = 0
        for number, length in enumerate(runs):
            if number % 2:
                self._columns[position : position + length] = value
            position += length


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


def clip(polygon: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
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


def _cut(polygon: NDArray[np.float64], axis: int, sign: float, bound: float) -> NDArray[np.float64]:
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
    kept: NDArray[np.float64] = both[np.stack([crossing, here >= 0], axis=1)]
    return kept


def _length(polygon: NDArray[np.float64]) -> float:
    """Return the pixels of an outline, as many as pycocotools steps along."""
    steps = np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1, initial=0.0)
    return float(steps.sum())
