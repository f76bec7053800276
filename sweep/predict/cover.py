"""How windows cover a raster of any size: stripes that are narrow enough for memory, and rows of windows in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trainables.windows import Side

WIDEST = 16384
"""Pixels of a stripe at most, if two windows fit into it: a row of 1024-pixel windows holds 50 MB of image then."""


@dataclass(frozen=True, kw_only=True)
class Stripe:
    """Some columns of windows from the raster's top to its bottom.

    Attributes:
        number: From 0, from left to right.
        columns: How its windows cover its part of the raster, moved to begin at 0.
        begin: The raster's column at which it begins.
        own: The raster's columns, from and to, that are taken from it: neighbours share a column of windows.
    """

    number: int
    columns: Side
    begin: int
    own: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Cover:
    """How windows cover a raster.

    Attributes:
        rows: From top to bottom.
        stripes: From left to right.
    """

    rows: Side
    stripes: tuple[Stripe, ...]

    @classmethod
    def of(cls, height: int, width: int, window: int, widest: int = WIDEST) -> Cover:
        """Cover a raster.

        Args:
            height: Of the raster in pixels.
            width: Likewise.
            window: Side of a window in pixels, a multiple of 32.
            widest: Pixels of a stripe.
        """
        return cls(rows=Side.of(height, window), stripes=tuple(_stripes(Side.of(width, window), widest)))

    @property
    def windows(self) -> int:
        """Windows of the whole raster, those that two stripes share twice."""
        return len(self.rows.starts) * sum(len(stripe.columns.starts) for stripe in self.stripes)

    def finished(self, row: int) -> tuple[int, int]:
        """Return the raster's rows, from and to, that are finished with a row of windows."""
        low = self.rows.fades[row - 1][0] if row else 0
        high = self.rows.fades[row][0] if row < len(self.rows.fades) else self.rows.length
        return low, high


def _stripes(columns: Side, widest: int) -> Iterator[Stripe]:
    end = len(columns.starts) - 1
    first = number = 0
    while True:
        last = min(first + 1, end)
        while last < end and columns.starts[last + 1] + columns.window - columns.starts[first] <= widest:
            last += 1
        own = (columns.fades[first][0] if first else 0, columns.fades[last][0] if last < end else columns.length)
        yield Stripe(number=number, columns=columns.cut(first, last), begin=columns.starts[first], own=own)
        if last == end:
            return
        first, number = last, number + 1
