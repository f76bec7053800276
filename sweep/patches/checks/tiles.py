"""Tiles as a check sees them: a few are read at a time, and what is kept of each is small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch
from sweep.machine.threads import in_threads
from sweep.patches.checks.views import TileView, view_of
from trainables.data.decoding import decode_mask, read_file
from trainables.data.imagery import Imagery
from trainables.data.tiles import ListedTile, Tile, TileFiles, list_split, read_tile
from trainables.errors import DataError
from trainables.task import Task

SeeTile = Callable[[TileFiles, Task], None]
"""Takes a tile while its pixels are in memory, and what its mask means; several threads call it at once."""


def unseen(files: TileFiles, task: Task) -> None:
    """Look at nothing; a ``SeeTile``."""


@dataclass(frozen=True, kw_only=True)
class CheckedTile:
    """A tile that was read, without its pixels.

    Attributes:
        name: Its name.
        image: Path of the image inside the dataset, with ``/``.
        mask: Path of the mask inside the dataset, with ``/``.
        image_sha256: Hex digest of the image file.
        mask_sha256: Hex digest of the mask file.
        shape: Height and width in pixels.
        values: (256,) how many pixels of the mask have each value.
        view: What stands for it when tiles are compared; None where they are not.
    """

    name: str
    image: str
    mask: str
    image_sha256: str
    mask_sha256: str
    shape: tuple[int, int]
    values: NDArray[np.int64]
    view: TileView | None = None

    @property
    def size(self) -> str:
        """Width and height in words."""
        return f"{self.shape[1]}x{self.shape[0]}"

    def read(self, root: Path, task: Task, imagery: Imagery) -> Tile:
        """Read it again, with its pixels.

        Raises:
            DataError: It has changed since.
        """
        listed = ListedTile(name=self.name, image=root / self.image, mask=root / self.mask)
        return read_tile(root, listed, task, imagery).tile

    def read_mask(self, root: Path, task: Task) -> NDArray[np.uint8]:
        """Read its mask again: (H, W) uint8.

        Raises:
            DataError: It has changed since.
        """
        return decode_mask(read_file(root / self.mask), root / self.mask, task)


def checked(files: TileFiles, *, viewed: bool) -> CheckedTile:
    """Return what is kept of a tile; ``viewed`` for one that will be compared with others."""
    return CheckedTile(
        name=files.name,
        image=files.image,
        mask=files.mask,
        image_sha256=files.image_sha256,
        mask_sha256=files.mask_sha256,
        shape=files.tile.shape,
        values=files.values,
        view=view_of(files.tile.picture) if viewed else None,
    )


def check_split(
    root: Path, split: str, task: Task, imagery: Imagery, *, viewed: bool, watch: Watch, see: SeeTile = unseen
) -> tuple[tuple[CheckedTile, ...], list[str]]:
    """Read all tiles of a split by several threads.

    Args:
        root: The dataset.
        split: Which split.
        task: What the masks mean.
        imagery: What the images hold.
        viewed: Whether they will be compared with others.
        watch: Shows how many are read.
        see: Is shown every sound tile.

    Returns:
        The sound tiles, in the natural order of their names, and one line for everything that is wrong.
    """
    listed, faults = list_split(root, split)

    def look(one: ListedTile) -> CheckedTile | DataError:
        try:
            files = read_tile(root, one, task, imagery)
        except DataError as error:
            return error
        see(files, task)
        return checked(files, viewed=viewed)

    tiles = []
    for found in watch(f"reading the tiles of {split}", in_threads(look, listed), len(listed)):
        if isinstance(found, DataError):
            faults += found.faults
        else:
            tiles.append(found)
    return tuple(tiles), sorted(faults)


def pictures(tiles: Sequence[CheckedTile], root: Path, task: Task, imagery: Imagery) -> Iterator[Tile]:
    """Read tiles again, in their order, a few at a time.

    Raises:
        DataError: One has changed since.
    """
    return in_threads(lambda one: one.read(root, task, imagery), tiles, ahead=4)
