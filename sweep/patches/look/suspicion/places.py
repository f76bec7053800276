"""Where tiles lie beside each other, as the manifest says: windows of one raster, or places on the ground."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.patches.checks.checking import Report
from sweep.patches.checks.tiles import CheckedTile
from sweep.patches.splits.scenes import WINDOW

GRID_TOLERANCE = 0.1
"""Pixels by which the grids of two georeferenced tiles may differ and still be one."""


@dataclass(frozen=True, kw_only=True)
class TilePlace:
    """Where a tile lies, in pixels.

    Attributes:
        frame: What rows and columns are counted in: a raster, or a coordinate reference system and a size of pixels.
        top: Its first row.
        left: Its first column.
    """

    frame: str
    top: float
    left: float


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Two tiles that touch or overlap.

    Attributes:
        first: The one that is further up, or as far up and further left.
        second: The other one.
        down: Rows from the top of the first to that of the second.
        right: Columns from the left of the first to that of the second.
    """

    first: CheckedTile
    second: CheckedTile
    down: int
    right: int

    @property
    def common(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The first and the end row, and the first and the end column, of what both show, in pixels of the first."""
        (height, width), (other_height, other_width) = self.first.shape, self.second.shape
        rows = max(0, self.down), min(height, self.down + other_height)
        return rows, (max(0, self.right), min(width, self.right + other_width))

    @property
    def overlaps(self) -> bool:
        """Whether they have more than a side in common."""
        return all(end > start for start, end in self.common)


def place_of(entry: Mapping[str, Any], name: str) -> TilePlace | None:
    """Return where a tile lies; None where its manifest entry does not say.

    Args:
        entry: Of the tile's image.
        name: The tile's.
    """
    if matrix := entry.get("transform"):
        across, shear, x, turn, down, y = matrix
        if shear or turn:  # what is turned has no common rows and columns
            return None
        return TilePlace(frame=f"{entry.get('crs', '')} {across:.9g} {down:.9g}", top=y / down, left=x / across)
    if "row" in entry and (found := WINDOW.fullmatch(entry.get("source", ""))):
        raster = name.removesuffix(f"_r{entry['row']}_c{entry['column']}")
        return TilePlace(frame=f"{found[1]} {raster}", top=float(found["y"]), left=float(found["x"]))
    return None


def meetings(report: Report) -> Iterator[Meeting]:
    """Yield all pairs of tiles of one frame that touch along a side, or overlap."""
    frames: dict[str, list[tuple[TilePlace, CheckedTile]]] = defaultdict(list)
    entries = report.manifest.files if report.manifest else {}
    for found in report.splits.values():
        for files in found:
            if place := place_of(entries.get(files.image, {}), files.name):
                frames[place.frame].append((place, files))
    for members in frames.values():
        members.sort(key=lambda one: (one[0].top, one[0].left))
        corners = np.array([(place.top, place.left) for place, _ in members])
        sizes = np.array([files.shape for _, files in members])
        for number, (_, files) in enumerate(members):
            exact = corners[number + 1 :] - corners[number]
            offsets = exact.round().astype(np.int64)
            near = (offsets <= sizes[number]) & (-offsets <= sizes[number + 1 :])
            corner = ((offsets == sizes[number]) | (-offsets == sizes[number + 1 :])).all(axis=1)
            on_grid = (np.abs(exact - offsets) <= GRID_TOLERANCE).all(axis=1)
            for other in np.flatnonzero(near.all(axis=1) & ~corner & on_grid).tolist():
                down, right = offsets[other].tolist()
                yield Meeting(first=files, second=members[number + 1 + other][1], down=down, right=right)
