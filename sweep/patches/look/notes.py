"""What the look needs of every tile's pixels, noted while a check holds them, so that no file is decoded again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sweep.charts.tile_pictures import MOST_TILES, TilePictures, side_of_many, tile_pictures
from sweep.patches.checks.checking import Report
from sweep.patches.checks.tiles import CheckedTile
from sweep.patches.look.overview import SHOWN, small_tile
from sweep.rasters.shift import Shift, best_shift
from trainables.data.tiles import SPLITS, Tile, TileFiles, list_split
from trainables.task import Task

Note = TypeVar("Note")
Edges = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""A mask's first and last row, and its first and last column."""


class Noted(Generic[Note]):
    """One thing that is noted of tiles; of a tile that nobody noted it for, it is found by reading that again.

    Args:
        find: Takes a tile and what its mask means.
        wanted: Whether it is to be noted, by the path of a tile's image inside the dataset.
    """

    def __init__(self, find: Callable[[Tile, Task], Note], wanted: Callable[[str], bool] = lambda image: True) -> None:
        self._find = find
        self._wanted = wanted
        self._notes: dict[str, Note] = {}

    def see(self, files: TileFiles, task: Task) -> None:
        """Note it of a tile that is in memory; several threads may do so at once."""
        if self._wanted(files.image):
            self._notes[files.image] = self._find(files.tile, task)

    def of(self, report: Report, files: CheckedTile) -> Note:
        """Return it.

        Raises:
            DataError: The tile is read again, and has changed.
        """
        if files.image in self._notes:
            return self._notes[files.image]
        return self._find(report.read(files), report.task)


class Notes:
    """All that is noted of a dataset's tiles.

    Args:
        root: The dataset; None notes nothing, and everything is found by reading.

    Attributes:
        shifts: Where masks fit their images better.
        edges: What masks show where they end.
        small: Tiles in the overview's size, of those that it shows.
        pictures: What the contact sheet shows, where it shows all tiles.
    """

    def __init__(self, root: Path | None = None) -> None:
        listed = {split: [one.image for one in list_split(root, split)[0]] for split in SPLITS} if root else {}
        count = sum(map(len, listed.values()))
        drawn = {image.relative_to(root).as_posix() for images in listed.values() for image in images[:SHOWN] if root}
        self.shifts = Noted[Shift | None](lambda tile, _: best_shift(tile))
        self.edges = Noted[Edges](lambda tile, _: edges_of(tile.mask))
        self.small = Noted[Tile](lambda tile, _: small_tile(tile), drawn.__contains__)
        self.pictures = Noted[TilePictures](
            partial(tile_pictures, side=side_of_many(count)), lambda _: count <= MOST_TILES
        )

    def see_masks(self, files: TileFiles, task: Task) -> None:
        """Note what the search for masks that look wrong needs."""
        self.shifts.see(files, task)
        self.edges.see(files, task)

    def see_for_sheet(self, files: TileFiles, task: Task) -> None:
        """Note what the contact sheet needs, too."""
        self.see_masks(files, task)
        self.pictures.see(files, task)

    def see_all(self, files: TileFiles, task: Task) -> None:
        """Note everything."""
        self.see_for_sheet(files, task)
        self.small.see(files, task)


def edges_of(mask: NDArray[np.uint8]) -> Edges:
    """Return copies of a mask's outermost rows and columns."""
    return mask[0].copy(), mask[-1].copy(), mask[:, 0].copy(), mask[:, -1].copy()
