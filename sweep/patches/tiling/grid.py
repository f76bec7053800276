"""All windows of a part of a raster."""

from __future__ import annotations

from itertools import product

from sweep.patches.rasters.area import Area


def grid(part: Area, size: int, overlap: int) -> list[Area]:
    """Cover a part of a raster with windows, row by row; those at its bottom and right end hold what is left.

    Args:
        part: What is covered: each of its pixels is in a window, and no other one is.
        size: Side of a window in pixels.
        overlap: Pixels that neighbours share, less than ``size``.
    """
    rows, columns = _cover(part.top, part.height, size, overlap), _cover(part.left, part.width, size, overlap)
    return [
        Area(top=top, left=left, height=height, width=width) for (top, height), (left, width) in product(rows, columns)
    ]


def count_windows(length: int, size: int, overlap: int) -> int:
    """Return how many windows cover so many pixels."""
    return max(1, -(-(length - overlap) // (size - overlap)))


def _cover(start: int, length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Return where the windows along a side begin, and how long they are."""
    offsets = [number * (size - overlap) for number in range(count_windows(length, size, overlap))]
    return [(start + offset, min(size, length - offset)) for offset in offsets]
