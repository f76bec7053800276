"""A window of a source raster that becomes a tile."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.patches.rasters.area import Area
from trainables.data.tiles import MIN_SIDE, SIDE_MULTIPLE


def tile_side(length: int) -> int:
    """Return the side of a tile that holds so many pixels: the next multiple of 32, at least 64."""
    return max(MIN_SIDE, -(-length // SIDE_MULTIPLE) * SIDE_MULTIPLE)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A rectangle cut from a source; what it lacks to a tile's sides is padded at the bottom and on the right.

    Attributes:
        area: Its pixels, all inside the source.
        counts: Labelled pixels of each class in it; those that do not count are in none.
        row: Its place from the top among the windows of its source.
        column: Its place from the left.
    """

    area: Area
    counts: tuple[int, ...]
    row: int = 0
    column: int = 0

    @property
    def labelled(self) -> int:
        """Pixels that count."""
        return sum(self.counts)

    @property
    def beyond_first(self) -> int:
        """Labelled pixels that are not of the first class: the foreground of a binary task."""
        return sum(self.counts[1:])

    @property
    def share(self) -> float:
        """Share of its pixels that are labelled and not of the first class, in [0, 1]."""
        return self.beyond_first / (self.area.height * self.area.width)

    @property
    def pixels(self) -> int:
        """Pixels of its tile."""
        return tile_side(self.area.height) * tile_side(self.area.width)

    @property
    def ignored(self) -> int:
        """Pixels of its tile that do not count: those that are not labelled, and those that are padded."""
        return self.pixels - self.labelled

    @property
    def padded(self) -> int:
        """Pixels of its tile that are outside the source or the part of it that it was cut from."""
        return self.pixels - self.area.height * self.area.width
