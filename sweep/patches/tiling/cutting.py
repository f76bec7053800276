"""Cutting planned tiles out of source rasters. Cropping and padding are all that is done: nothing is ever resized."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch, unwatched
from sweep.machine.threads import in_threads
from sweep.patches.folders import write_tile
from sweep.patches.layouts.sources import SourceRaster, SourceSet
from sweep.patches.rasters.area import Area
from sweep.patches.tiling.counting import MAX_PIXELS
from sweep.patches.tiling.plan import PlannedTile, TilePlan
from sweep.patches.tiling.window import tile_side
from trainables.errors import DataError
from trainables.task import IGNORE_INDEX

CutTile = tuple[PlannedTile, NDArray[Any], NDArray[np.uint8]]
"""A tile, its (H, W, C) image and its (H, W) mask."""


def cut_tiles(
    root: Path, found: SourceSet, plan: TilePlan, *, threads: int | None = None, watch: Watch = unwatched
) -> None:
    """Cut the tiles of a plan, and write them.

    Args:
        root: The dataset's folder.
        found: The sources.
        plan: The tiles.
        threads: How many encode, None for one per core; their number does not change a byte.
        watch: Shows how many are written.

    Raises:
        DataError: Everything that is wrong, all at once.
    """
    faults: list[str] = []

    def write(cut: CutTile) -> None:
        tile, image, mask = cut
        write_tile(root, tile.split, tile.name, image, mask, plan.task, plan.imagery)

    written = in_threads(write, _cut(found, plan, faults), threads=threads)
    for _ in watch("cutting tiles", written, len(plan.tiles)):
        pass
    if faults:
        raise DataError(faults)


def _cut(found: SourceSet, plan: TilePlan, faults: list[str]) -> Iterator[CutTile]:
    """Yield the tiles source by source; what is wrong with a source goes to the faults."""
    in_order = sorted(plan.tiles, key=lambda tile: (tile.source, tile.window.area.top, tile.window.area.left))
    for name, tiles in groupby(in_order, key=lambda tile: tile.source):
        try:
            yield from _read(found, plan, found.sources[name], list(tiles))
        except DataError as error:
            faults += error.faults


def _read(found: SourceSet, plan: TilePlan, source: SourceRaster, tiles: Sequence[PlannedTile]) -> Iterator[CutTile]:
    """Yield the tiles of a source with their padded pixels; what is near each other is read at once."""
    image, truth = plan.images.files[source.name], plan.images.ignoring(found.truth)
    with image.opened() as opened:
        for together in _batches(tiles, image.shape):
            area = Area.around(tile.window.area for tile in together)
            pixels, mask = opened.read(area), truth(source, image.shape, area)
            for tile in together:
                own = tile.window.area
                rows = slice(own.top - area.top, own.rows.stop - area.top)
                columns = slice(own.left - area.left, own.columns.stop - area.left)
                yield tile, *pad(pixels[rows, columns], mask[rows, columns])


def _batches(tiles: Sequence[PlannedTile], shape: tuple[int, int]) -> Iterator[list[PlannedTile]]:
    """Yield tiles whose surroundings have few pixels: all of a small source, else neighbours that fill half of them."""
    if shape[0] * shape[1] <= MAX_PIXELS:
        yield list(tiles)
        return
    batch: list[PlannedTile] = []
    around, filled = tiles[0].window.area, 0
    for tile in tiles:
        area = tile.window.area
        larger = Area.around((around, area))
        if batch and (larger.pixels > MAX_PIXELS or larger.pixels > 2 * (filled + area.pixels)):
            yield batch
            batch, larger, filled = [], area, 0
        batch.append(tile)
        around, filled = larger, filled + area.pixels
    yield batch


def pad(image: NDArray[Any], mask: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Enlarge a tile at the bottom and on the right until its sides are multiples of 32, at least 64.

    Args:
        image: (h, w, C).
        mask: (h, w) uint8.

    Returns:
        (H, W, C), mirrored at the edges as augmentation does it; and (H, W), 255 there.
    """
    height, width = mask.shape
    down, right = tile_side(height) - height, tile_side(width) - width
    if not (down or right):
        return image, mask
    larger = np.pad(image, ((0, down), (0, right), (0, 0)), mode="reflect")
    return larger, np.pad(mask, ((0, down), (0, right)), constant_values=IGNORE_INDEX)
