"""How large tiles are and how many are cut from a source, as the options say or as the sources need."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sweep.patches.options import Make
from sweep.patches.tiling.placing import MEANINGFUL_SHARE
from sweep.patches.tiling.selection import Selection
from sweep.patches.tiling.window import tile_side
from trainables.data.tiles import MIN_SIDE, SIDE_MULTIPLE
from trainables.errors import DataError
from trainables.escaping import visible

DEFAULT_SIZE = 1024
WINDOWS = 6.5
"""Windows, with margins of a quarter, along the longer side of a raster that several splits share."""
DEFAULT_NEGATIVES = 0.1
"""Share of windows without foreground where others must have some."""


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How tiles are cut.

    Attributes:
        size: Longest side of a tile in pixels.
        grid: Windows all over the source; else one in its middle.
        overlap: Pixels that neighbouring windows share.
        minimum: Wanted share of foreground in the one tile of a source, in [0, 1].
        selection: Which windows are taken.
        lines: What was chosen for the user, a sentence each.
    """

    size: int
    grid: bool
    overlap: int
    minimum: float
    selection: Selection
    lines: tuple[str, ...]

    @property
    def flags(self) -> str:
        """What gives the same windows again."""
        chosen = self.selection
        some = f"--tiles-per-source {chosen.tiles_per_source}" if chosen.tiles_per_source else "--grid"
        words = [f"--size {self.size}", *((some,) if self.grid else ())]
        words += [f"--overlap {self.overlap}"] if self.overlap else []
        least = chosen.min_foreground if self.grid else self.minimum
        words += [f"--min-foreground {least:g}"] if least != (0 if self.grid else MEANINGFUL_SHARE) else []
        words += [f"--negatives {chosen.negatives:g}"] if chosen.negatives is not None else []
        words += [f"--seed {chosen.seed}"] if chosen.seed else []
        return " ".join(words)


def choose_tiling(options: Make, shapes: Collection[tuple[int, int]], splits: int) -> Tiling:
    """Return how sources are cut.

    Args:
        options: What is asked for.
        shapes: Rows and columns of every source.
        splits: How many splits there are to be; fewer sources than that are each divided between them.

    Raises:
        DataError: Options that do not go together.
    """
    few = len(shapes) < splits
    many = options.grid or options.tiles_per_source is not None
    size, lines = _size(options, shapes, few)
    overlap = _overlap(options.overlap, size)
    faults = []
    if options.grid and options.tiles_per_source is not None:
        faults.append("--grid: takes all windows, and --tiles-per-source some; leave one of them out")
    if overlap and not (many or few):
        faults.append(f"--overlap {options.overlap}: is between windows of a grid; add --grid or --tiles-per-source")
    if options.nudge and (many or few):
        faults.append("--nudge: moves the one tile of a source; leave it out, or --grid and --tiles-per-source")
    for flag, share in (("min-foreground", options.min_foreground), ("negatives", options.negatives)):
        if share is not None and not 0 <= share <= 1:
            faults.append(f"--{flag} {share:g}: is a share from 0 to 1, such as 0.1")
    if faults:
        raise DataError(faults)
    if few and not many:
        what = "1 raster" if len(shapes) == 1 else f"{len(shapes)} rasters"
        lines.append(f"{what} for {splits} splits: all windows become tiles, as with --grid")
    least = options.min_foreground or 0.0
    grid = many or few
    return Tiling(
        size=size,
        grid=grid,
        overlap=overlap,
        minimum=MEANINGFUL_SHARE if options.min_foreground is None else least,
        selection=Selection(
            tiles_per_source=options.tiles_per_source,
            min_foreground=least if grid else 0.0,
            negatives=DEFAULT_NEGATIVES if options.negatives is None and grid and least else options.negatives,
            seed=options.seed,
        ),
        lines=tuple(lines),
    )


def largest_fitting(length: float) -> int:
    """Return the largest side of a tile that is at most so long, in pixels; at least that of the smallest tile."""
    return max(MIN_SIDE, int(length) // SIDE_MULTIPLE * SIDE_MULTIPLE)


def _size(options: Make, shapes: Collection[tuple[int, int]], few: bool) -> tuple[int, list[str]]:
    if options.size is not None:
        return options.size, []
    if few and (fits := largest_fitting(min(map(max, shapes)) / WINDOWS)) < DEFAULT_SIZE:
        return fits, [f"--size {fits}: so that each raster has windows for all splits"]
    if (widest := max(map(min, shapes))) < DEFAULT_SIZE:
        size = tile_side(widest)
        return size, [f"--size {size}: no image has {DEFAULT_SIZE} px a side; the largest has {widest}"]
    return DEFAULT_SIZE, []


def _overlap(text: str, size: int) -> int:
    """Return what neighbouring windows share, in pixels, of a share or a number of pixels."""
    try:
        value = float(text)
        pixels = round(value * size) if 0 < value < 1 else int(text)
        if 0 <= pixels < size:
            return pixels
    except (ValueError, OverflowError):
        pass
    raise DataError(
        f"--overlap {visible(text[:40])}: give a share of the tile's side, such as 0.25, or pixels up to {size - 1}"
    )
