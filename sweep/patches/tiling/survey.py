"""Reads the truth of sources and finds the windows that may become tiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch, unwatched
from sweep.patches.layouts.sources import SourceRaster, SourceSet
from sweep.patches.options import MAX_TILES
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.images import ImageFile
from sweep.patches.splits.parts import RasterPart
from sweep.patches.tiling.counting import MAX_PIXELS, ReadArea, count_pixels
from sweep.patches.tiling.grid import count_windows, grid
from sweep.patches.tiling.placing import choose_window
from sweep.patches.tiling.rules import Tiling
from sweep.patches.tiling.window import Window
from trainables.errors import DataError

Nudges = Mapping[str, tuple[int, int]]


def parse_nudges(values: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Parse ``NAME=dx,dy``: pixels to the right and down.

    Raises:
        DataError: Not of that form.
    """
    nudges = {}
    for value in values:
        name, _, offset = value.rpartition("=")
        try:
            dx, dy = (int(part) for part in offset.split(","))
        except ValueError as error:
            raise DataError(f"--nudge {value[:100]}: give NAME=dx,dy in pixels, such as austin7=-120,64") from error
        nudges[name] = (dx, dy)
    return nudges


def truth_reader(found: SourceSet, source: SourceRaster, image: ImageFile) -> ReadArea:
    """Return what reads parts of a source's truth; that of one with few pixels is read as a whole, once."""
    if image.height * image.width > MAX_PIXELS:
        return lambda area: found.truth(source, image.shape, area)
    whole: list[NDArray[np.uint8]] = []

    def read(area: Area) -> NDArray[np.uint8]:
        if not whole:
            whole.append(found.truth(source, image.shape, Area.whole(image.shape)))
        return whole[0][area.rows, area.columns]

    return read


def survey(
    found: SourceSet,
    images: Mapping[str, ImageFile],
    parts: Iterable[RasterPart],
    tiling: Tiling,
    nudges: Nudges,
    watch: Watch = unwatched,
) -> dict[RasterPart, list[Window]]:
    """Find the windows of parts of sources.

    Args:
        found: The sources.
        images: Name of each source to its image.
        parts: Which parts.
        tiling: How they are cut.
        nudges: Source to pixels right and down from where its one tile would be cut.
        watch: Shows how many sources are read.

    Returns:
        Part to its windows, numbered among those of its source.

    Raises:
        DataError: Everything that is wrong, all at once.
    """
    of_source: dict[str, list[RasterPart]] = {}
    for part in parts:
        of_source.setdefault(part.source, []).append(part)
    faults = [
        f"--nudge {name}: no such tile in the split; correct the name" for name in nudges if name not in of_source
    ]
    windows: dict[RasterPart, list[Window]] = {}
    for name, own in watch("reading the truth of sources", of_source.items(), len(of_source)):
        try:
            read = truth_reader(found, found.sources[name], images[name])
            areas = {part: part.area(images[name].shape) for part in own}
            if tiling.grid:
                _require_few(areas.values(), tiling)
                cut = {part: _grid(read, area, tiling, len(found.task.classes)) for part, area in areas.items()}
            else:
                cut = {
                    part: [_one(read, part, area, tiling, len(found.task.classes), nudges.get(name, (0, 0)))]
                    for part, area in areas.items()
                }
            windows |= _numbered(cut)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(dict.fromkeys(faults))
    return windows


def _require_few(areas: Iterable[Area], tiling: Tiling) -> None:
    """Refuse windows that nobody could train on, before they are made."""
    sides = [[count_windows(side, tiling.size, tiling.overlap) for side in (one.height, one.width)] for one in areas]
    if (count := sum(down * right for down, right in sides)) > MAX_TILES:
        raise DataError(
            f"--overlap {tiling.overlap}: makes {count:,} windows of one raster, and a dataset has at most "
            f"{MAX_TILES:,} tiles; give less"
        )


def _grid(read: ReadArea, part: Area, tiling: Tiling, classes: int) -> list[Window]:
    areas = grid(part, tiling.size, tiling.overlap)
    rows = {end for one in areas for end in (one.rows.start, one.rows.stop)}
    columns = {end for one in areas for end in (one.columns.start, one.columns.stop)}
    sums = count_pixels(read, list(rows), list(columns), classes)
    return [Window(area=area, counts=sums.of(area)) for area in areas]


def _one(read: ReadArea, part: RasterPart, area: Area, tiling: Tiling, classes: int, nudge: tuple[int, int]) -> Window:
    window = choose_window(read, area, tiling.size, classes, minimum=tiling.minimum)
    if nudge == (0, 0):
        return window
    moved = replace(window.area, left=window.area.left + nudge[0], top=window.area.top + nudge[1])
    low = (area.left - window.area.left, area.top - window.area.top)
    high = (area.columns.stop - window.area.columns.stop, area.rows.stop - window.area.rows.stop)
    if not all(least <= one <= most for least, one, most in zip(low, nudge, high, strict=True)):
        raise DataError(
            f"--nudge {part.source}={nudge[0]},{nudge[1]}: leaves the source; from its place, dx may be "
            f"{low[0]} to {high[0]} and dy {low[1]} to {high[1]}"
        )
    ends = (moved.rows.start, moved.rows.stop), (moved.columns.start, moved.columns.stop)
    return Window(area=moved, counts=count_pixels(read, *ends, classes).of(moved))


def _numbered(windows: Mapping[RasterPart, list[Window]]) -> dict[RasterPart, list[Window]]:
    """Number the rows and columns of all windows of a source."""
    areas = [one.area for found in windows.values() for one in found]
    rows = {top: row for row, top in enumerate(sorted({area.top for area in areas}))}
    columns = {left: column for column, left in enumerate(sorted({area.left for area in areas}))}
    return {
        part: [replace(one, row=rows[one.area.top], column=columns[one.area.left]) for one in found]
        for part, found in windows.items()
    }
