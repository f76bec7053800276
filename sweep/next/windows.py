"""Windows that may be labelled: a grid over each raster, none over another, read row by row."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from pathlib import Path

import numpy as np

from sweep.rasters.inputs import list_inputs, result_name
from sweep.rasters.raster import Pixels, Raster
from trainables.data.tiles import MIN_SIDE, SIDE_MULTIPLE

WIDEST = 16_384
"""Columns of a raster that are read at once."""
GRID_ENDING = re.compile(r"_r\d+_c\d+$")
"""How the names of several tiles of a raster end."""
PICTURE_FOLDERS = ("images", "image", "imgs", "img", "train", "val", "test")
"""Names of folders that name no scene."""


@dataclass(frozen=True, kw_only=True)
class Unlabelled:
    """A raster without labels.

    Attributes:
        path: A file, or an address that GDAL opens.
        name: What its tiles are called after; no other one is called so.
        folder: The folder that names its scene; empty for none.
    """

    path: str
    name: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class CandidateWindow:
    """A part of a raster that may become a tile.

    Attributes:
        name: What its tile will be called.
        source: Number of its raster.
        top: First row of pixels.
        left: First column.
        height: Rows, a multiple of 32.
        width: Columns, likewise.
        alone: Whether it is the raster's only one.
    """

    name: str
    source: int
    top: int
    left: int
    height: int
    width: int
    alone: bool

    @property
    def rows(self) -> tuple[int, int]:
        """First row and the one after the last."""
        return self.top, self.top + self.height

    @property
    def columns(self) -> tuple[int, int]:
        """First column and the one after the last."""
        return self.left, self.left + self.width

    @property
    def size(self) -> str:
        """``WIDTHxHEIGHT``."""
        return f"{self.width}x{self.height}"


def find_unlabelled(inputs: Iterable[str], out: Path) -> list[Unlabelled]:
    """List the rasters that the user named; of those with one name, the folders' names come before it.

    Raises:
        ExperimentError: Something is missing or empty.
    """
    paths = list_inputs(inputs, out)
    folders = [_scene_folder(path) for path in paths]
    stems = [result_name(path) for path in paths]
    twice = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()
    found: dict[str, Unlabelled] = {}
    for path, folder, stem in zip(paths, folders, stems, strict=True):
        name = base = f"{folder}_{stem}" if stem in twice and folder else stem
        number = 2
        while name in found:
            name, number = f"{base}_{number}", number + 1
        found[name] = Unlabelled(path=path, name=name, folder=folder)
    return list(found.values())


def called_apart(rasters: Sequence[Unlabelled], taken: Collection[str]) -> list[Unlabelled]:
    """Return rasters whose tiles are called like none of a dataset's.

    Args:
        rasters: Those that were named.
        taken: Names of the dataset's tiles.
    """
    starts = {GRID_ENDING.sub("", name) for name in taken} | set(taken)
    used = starts | {one.name for one in rasters}
    found = []
    for one in rasters:
        name, number = one.name, 2
        while name in starts or (name != one.name and name in used):
            name, number = f"{one.name}_{number}", number + 1
        used.add(name)
        found.append(replace(one, name=name))
    return found


def _scene_folder(path: str) -> str:
    """Return the nearest folder above a file that is not merely called as images are."""
    parts = Path(path).resolve().parts[1:-1] if Path(path).exists() else ()
    return next((part for part in reversed(parts) if part.lower() not in PICTURE_FOLDERS), "")


def cut_grid(one: Unlabelled, source: int, height: int, width: int, size: int) -> list[CandidateWindow]:
    """Return the windows of a raster, row by row.

    They are spread evenly, and share no pixel. A raster that is smaller gives one window, of the largest sides that are
    multiples of 32; what is smaller than the smallest tile gives none.

    Args:
        one: The raster.
        source: Its number.
        height: Its rows of pixels.
        width: Its columns.
        size: Side of a window in pixels, a multiple of 32.
    """
    if min(height, width) < MIN_SIDE:
        return []
    (tops, tall), (lefts, wide) = _places(height, size), _places(width, size)
    alone = len(tops) * len(lefts) == 1
    return [
        CandidateWindow(
            name=one.name if alone else f"{one.name}_r{row}_c{column}",
            source=source,
            top=top,
            left=left,
            height=tall,
            width=wide,
            alone=alone,
        )
        for (row, top), (column, left) in product(enumerate(tops), enumerate(lefts))
    ]


def _places(length: int, size: int) -> tuple[list[int], int]:
    """Return where windows begin along a side, and how long they are."""
    count = max(1, length // size)
    side = min(size, length // SIDE_MULTIPLE * SIDE_MULTIPLE)
    if count == 1:
        return [(length - side) // 2], side
    return [number * (length - side) // (count - 1) for number in range(count)], side


def read_windows(raster: Raster, windows: Sequence[CandidateWindow]) -> Iterator[tuple[CandidateWindow, Pixels]]:
    """Yield windows of one raster, as they come in ``cut_grid``; those of one row that are near are read at once.

    Raises:
        DataError: A block is damaged.
    """
    for _, row in groupby(windows, key=lambda one: one.top):
        for together in _near(list(row)):
            begin, end = together[0].left, together[-1].columns[1]
            pixels = raster.read(together[0].rows, (begin, end))
            for one in together:
                own = slice(one.left - begin, one.columns[1] - begin)
                yield one, Pixels(image=np.ascontiguousarray(pixels.image[:, :, own]), valid=pixels.valid[:, own])


def _near(row: Sequence[CandidateWindow]) -> Iterator[list[CandidateWindow]]:
    """Yield windows of a row whose columns are read at once: neighbours, within what is read at once."""
    batch: list[CandidateWindow] = []
    for one in row:
        if batch and (one.columns[1] - batch[0].left > WIDEST or one.left > batch[-1].columns[1] + one.width):
            yield batch
            batch = []
        batch.append(one)
    yield batch
