"""A part of a raster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Area:
    """A rectangle of a raster's pixels, inside it.

    Attributes:
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """The rows, to index an array with."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """The columns, to index an array with."""
        return slice(self.left, self.left + self.width)

    @property
    def spans(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """First row and the one after the last, and the same of the columns."""
        return (self.top, self.top + self.height), (self.left, self.left + self.width)

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.height * self.width

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Area:
        """Return all of a raster of so many rows and columns."""
        return cls(top=0, left=0, height=shape[0], width=shape[1])

    @classmethod
    def around(cls, areas: Iterable[Area]) -> Area:
        """Return the smallest area that holds some others, at least one."""
        found = list(areas)
        top, left = min(one.top for one in found), min(one.left for one in found)
        bottom, right = max(one.rows.stop for one in found), max(one.columns.stop for one in found)
        return cls(top=top, left=left, height=bottom - top, width=right - left)
