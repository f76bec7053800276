"""Cutting a dataset out of source rasters. Cropping is the only reduction: nothing is ever resized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.patches.folders import write_tile
from sweep.patches.layouts.sources import ReadTruth, SourceRaster
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.choosing import SourceImages
from sweep.patches.rasters.georeference import Ground, ground_of
from sweep.patches.rasters.images import ImageFile
from sweep.patches.tiling.cropping import MEANINGFUL_SHARE, Window, choose_window, cut
from trainables.data.tiles import MIN_SIDE, SIDE_MULTIPLE
from trainables.errors import DataError
from trainables.task import IGNORE_INDEX, Task


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A tile as it was cut.

    Attributes:
        window: Where.
        source: The image's path and the window's place, for the manifest.
        poor: No window of the source has a meaningful share of foreground, or of pixels beyond the first class.
        turned: The image was turned upright, as its orientation says.
        ground: Where the tile is on the ground; None where the image does not say.
    """

    window: Window
    source: str
    poor: bool
    turned: bool
    ground: Ground | None = None


def parse_nudges(values: tuple[str, ...]) -> dict[str, tuple[int, int]]:
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


def cut_tiles(
    root: Path,
    sources: Mapping[str, SourceRaster],
    splits: Mapping[str, list[str]],
    *,
    size: int,
    truth: ReadTruth,
    task: Task,
    images: SourceImages,
    nudges: Mapping[str, tuple[int, int]],
) -> dict[str, Cut]:
    """Cut one tile from every source that a split names, and write them.

    Args:
        root: The dataset's folder.
        sources: Name to source.
        splits: Split to names.
        size: Side of a tile in pixels.
        truth: Reads a source's mask.
        task: What its values mean.
        images: How their images are read.
        nudges: Name to pixels right and down from where the tile would be cut.

    Returns:
        Name to what was cut.

    Raises:
        DataError: Everything that is wrong, all at once.
    """
    chosen = [name for names in splits.values() for name in names]
    faults = [f"--nudge {name}: no such tile in the split; correct the name" for name in nudges if name not in chosen]
    cuts: dict[str, Cut] = {}
    small: list[ImageFile] = []
    sides: list[int] = []
    for split, names in splits.items():
        for name in names:
            source = sources[name]
            try:
                image = images.files[name]
                sides.append(min(image.shape))
                mask = truth(source, image.shape, Area.whole(image.shape))
                if min(image.shape) < size:
                    small.append(image)
                    continue
                window = _place(source, mask, size, nudges.get(name, (0, 0)))
                area = Area(top=window.top, left=window.left, height=size, width=size)
                pixels = image.read(area)
            except DataError as error:
                faults += error.faults
                continue
            write_tile(root, split, name, pixels, mask[area.rows, area.columns], task, image.imagery)
            cuts[name] = Cut(
                window=window,
                source=f"{source.image.parent.name}/{source.image.name} x={window.left} y={window.top}",
                poor=window.share < MEANINGFUL_SHARE,
                turned=image.orientation != 1,
                ground=ground_of(image, window.top, window.left, size),
            )
    faults += _too_small(small, sides, size)
    if faults:
        raise DataError(faults)
    return cuts


def _too_small(small: list[ImageFile], sides: list[int], size: int) -> list[str]:
    """Say which images are smaller than a tile, and which size fits all that can be tiles."""
    usable = [side for side in sides if side >= MIN_SIDE]
    fits = min(usable, default=0) // SIDE_MULTIPLE * SIDE_MULTIPLE
    return [
        f"{image.path}: is {image.size}, and a tile has at least {MIN_SIDE} pixels a side; leave it out of --split"
        if min(image.shape) < MIN_SIDE
        else f"{image.path}: is {image.size}, smaller than --size {size}; --size {fits} fits all of at least {MIN_SIDE}"
        for image in small
    ]


def _place(source: SourceRaster, mask: NDArray[np.uint8], size: int, nudge: tuple[int, int]) -> Window:
    """Choose where to cut a tile: where it has a meaningful share beyond the first class, then any labelled pixel."""
    height, width = mask.shape
    labelled = mask != IGNORE_INDEX
    meaningful = labelled & (mask != 0)
    window = choose_window(meaningful, size)
    if not cut(labelled, window.top, window.left, size).share:
        best = choose_window(labelled, size)
        window = cut(meaningful, best.top, best.left, size)
    if nudge == (0, 0):
        return window
    left, top = window.left + nudge[0], window.top + nudge[1]
    if not (0 <= left <= width - size and 0 <= top <= height - size):
        raise DataError(
            f"--nudge {source.name}={nudge[0]},{nudge[1]}: leaves the source; from its place, dx may be "
            f"{-window.left} to {width - size - window.left} and dy {-window.top} to {height - size - window.top}"
        )
    return cut(meaningful, top, left, size)
