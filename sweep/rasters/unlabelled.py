"""Windows of images without labels: as many as memory has room for, spread over all of a folder's images."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from sweep.machine.threads import in_threads
from sweep.rasters.bands import kinds_of
from sweep.rasters.gdal import gdal
from sweep.rasters.ground import metres_per_pixel, place_in
from sweep.rasters.held_out import HeldOut
from sweep.rasters.opening import open_raster
from sweep.rasters.orientation import UPRIGHT
from sweep.rasters.raster import Raster
from trainables.data.imagery import Imagery
from trainables.data.tiles import Tile, natural_order
from trainables.errors import DataError, TilesweepError
from trainables.task import IGNORE_INDEX
from trainables.wording import counted

ENDINGS = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg")
SIDE = 1024
"""Pixels of a window's side, unless crops are larger; a smaller image is one window."""
MOST_BYTES = 512 * 2**20
"""Of all windows: 170 of 1024 pixels and three bands. Each node holds them once."""
MAX_IMAGES = 100_000
LEAST_KNOWN = 0.5
"""Share of a window that must hold something."""
MOST_FAULTS = 20
SHOWN = 3
_ADVICE = re.compile(r"; say which.*$")
"""Of flags that a sweep has not."""


@dataclass(frozen=True, kw_only=True)
class UnlabelledImages:
    """What a folder of images without labels gives.

    Attributes:
        folder: The folder.
        tiles: Windows of the images; their masks are 0, and 255 where an image holds nothing.
        images: How many images there are.
        windows: How many windows there are in all, of which ``tiles`` are drawn.
        held_out: Windows that were left out since they show the ground of a val or test tile.
        empty: Windows that were drawn and left out since they hold next to nothing.
        sha256: Hex digest of names and pixels of the windows that are used.
        notes: What a user should know, a line each.
    """

    folder: Path
    tiles: tuple[Tile, ...]
    images: int
    windows: int
    held_out: int
    empty: int
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What is used, in words."""
        sides = sorted({f"{tile.shape[1]}x{tile.shape[0]}" for tile in self.tiles})
        some = f"{len(self.tiles)} of {self.windows:,} windows" if len(self.tiles) < self.windows else "all"
        size = sides[0] if len(sides) == 1 else f"{len(sides)} sizes"
        return f"{counted(self.images, 'image')} in {self.folder}: {some} used, of {size}"

    def to_dict(self) -> dict[str, Any]:
        """Return what an experiment records, for JSON."""
        return {
            "path": str(self.folder.resolve()),
            "images": self.images,
            "windows": self.windows,
            "used": [tile.name for tile in self.tiles],
            "sha256": self.sha256,
        }


@dataclass(frozen=True, kw_only=True)
class _Window:
    path: Path
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.path.name} y={self.rows[0]} x={self.columns[0]}"


@dataclass(frozen=True, kw_only=True)
class _Image:
    """What is known of an image before windows are drawn."""

    name: str
    windows: list[_Window] = field(default_factory=list)
    held_out: int = 0
    bands: int = 0
    metres: float | None = None
    faults: tuple[str, ...] = ()


def list_images(folder: Path) -> list[Path]:
    """List the images of a folder and those below, hidden files left out.

    Raises:
        DataError: There is no such folder, no image in it, or far too many.
    """
    if not folder.is_dir():
        raise DataError(f"--unlabelled {folder}: no such folder on this machine; fix the path")
    found = []
    for path in folder.rglob("*"):
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file():
            found.append(path)
            if len(found) > MAX_IMAGES:
                raise DataError(f"--unlabelled {folder}: holds more than {MAX_IMAGES:,} images; give a part of them")
    if not found:
        raise DataError(f"--unlabelled {folder}: holds no image ({', '.join(ENDINGS)}); give another folder")
    return sorted(found, key=lambda path: natural_order(str(path.relative_to(folder))))


def read_unlabelled(
    folder: Path,
    imagery: Imagery,
    held_out: HeldOut,
    *,
    side: int = SIDE,
    most_bytes: int = MOST_BYTES,
    metres: float | None = None,
) -> UnlabelledImages:
    """Read windows of a folder's images.

    Args:
        folder: Where they are.
        imagery: What models see of the labelled tiles.
        held_out: What must not be seen.
        side: Of a window in pixels.
        most_bytes: Of all windows.
        metres: Of a pixel of the labelled tiles; None where that is not known.

    Raises:
        DataError: What is wrong with the images, all at once.
    """
    paths = list_images(folder)
    with gdal():  # here as well, since what silences it is the process's
        images = list(in_threads(lambda path: _look(path, imagery, held_out, side), paths))
        if faults := [fault for image in images for fault in image.faults]:
            raise DataError(faults)
        windows = [window for image in images for window in image.windows]
        tiles, empty = _draw(windows, imagery, most_bytes)
    hidden = sum(image.held_out for image in images)
    if not tiles:
        raise DataError(
            f"--unlabelled {folder}: no ground of its own in {counted(len(paths), 'image')}: {hidden} windows show val "
            f"or test tiles, {empty} hold next to nothing; give other images"
        )
    return UnlabelledImages(
        folder=folder,
        tiles=tiles,
        images=len(paths),
        windows=len(windows),
        held_out=hidden,
        empty=empty,
        sha256=_digest(tiles),
        notes=tuple(_notes(images, imagery, metres, hidden, empty)),
    )


def _opened(path: Path, imagery: Imagery) -> AbstractContextManager[Raster]:
    return open_raster(str(path), wanted=imagery.bands, scale=imagery.scale)


def _look(path: Path, imagery: Imagery, held_out: HeldOut, side: int) -> _Image:
    """Look at an image; its pixels are read where it has the size of a tile that must not be seen."""
    if why := held_out.by_file(path):
        return _Image(name=path.name, faults=(f"--unlabelled {path}: {why}; take it out of the folder",))
    try:
        with _opened(path, imagery) as raster:
            shape = raster.height, raster.width
            if shape in held_out.shapes:
                image = np.moveaxis(raster.read((0, shape[0]), (0, shape[1])).image, 0, 2)
                if why := held_out.by_pixels(np.ascontiguousarray(image)):
                    return _Image(name=path.name, faults=(f"--unlabelled {path}: {why}; take it out of the folder",))
            areas = place_in(raster.dataset, held_out.ground) if raster.orientation == UPRIGHT else []
            every = [
                _Window(path=path, rows=rows, columns=columns)
                for rows in _parts(raster.height, side)
                for columns in _parts(raster.width, side)
            ]
            free = [one for one in every if not any(_touch(area, one) for area in areas)]
            return _Image(
                name=path.name,
                windows=free,
                held_out=len(every) - len(free),
                bands=len([kind for kind in kinds_of(raster.dataset) if kind != "alpha"]),
                metres=metres_per_pixel(raster.dataset),
            )
    except TilesweepError as error:
        return _Image(name=path.name, faults=_said(error))


def _said(error: TilesweepError) -> tuple[str, ...]:
    """Return an error's lines, without advice that is for the flags of other commands."""
    return tuple(f"--unlabelled {_ADVICE.sub('; convert it', line)}" for line in error.faults)


def _draw(windows: Sequence[_Window], imagery: Imagery, room: int) -> tuple[tuple[Tile, ...], int]:
    """Read windows in a random order until there is no room; also returns how many hold next to nothing.

    Raises:
        DataError: Some cannot be read.
    """
    faults: list[str] = []
    chosen: list[tuple[int, Tile]] = []
    empty = 0
    for number in np.random.default_rng(0).permutation(len(windows)).tolist():
        window = windows[number]
        (top, bottom), (left, right) = window.rows, window.columns
        size = (bottom - top) * (right - left) * (len(imagery.bands) + 1)
        if (size > room and chosen) or len(faults) >= MOST_FAULTS:
            break
        try:
            with _opened(window.path, imagery) as raster:
                pixels = raster.read(window.rows, window.columns)
        except TilesweepError as error:
            faults += _said(error)
            continue
        if pixels.valid.mean() < LEAST_KNOWN:
            empty += 1
            continue
        mask = np.where(pixels.valid, 0, IGNORE_INDEX).astype(np.uint8)
        image = np.ascontiguousarray(np.moveaxis(pixels.image, 0, 2))
        chosen.append((number, Tile(name=window.name, image=image, mask=mask)))
        room -= size
    if faults:
        raise DataError(dict.fromkeys(faults))
    return tuple(tile for _, tile in sorted(chosen, key=lambda one: one[0])), empty


def _parts(length: int, side: int) -> list[tuple[int, int]]:
    """Divide a side into equal parts that are no longer than a window."""
    count = -(-length // side)
    edges = [number * length // count for number in range(count + 1)]
    return list(pairwise(edges))


def _touch(area: tuple[float, float, float, float], window: _Window) -> bool:
    """Whether a window has more than a line of pixels in an area."""
    top, bottom, left, right = area
    (first, last), (begin, end) = window.rows, window.columns
    return top < last - 1 and bottom > first + 1 and left < end - 1 and right > begin + 1


def _digest(tiles: Sequence[Tile]) -> str:
    digest = hashlib.sha256()
    for tile in tiles:
        digest.update(f"{tile.name} {tile.image.shape}\n".encode())
        digest.update(np.ascontiguousarray(tile.image).data)
    return digest.hexdigest()


def _notes(images: Sequence[_Image], imagery: Imagery, metres: float | None, hidden: int, empty: int) -> Iterator[str]:
    wanted = len(imagery.bands)
    for count in sorted({image.bands for image in images} - {wanted}):
        yield (
            f"{_some([one.name for one in images if one.bands == count])} of {counted(count, 'band')}, where the tiles "
            f"have {wanted}: {', '.join(imagery.bands)} are taken"
        )
    sizes = {image.metres for image in images if image.metres and metres and not 0.8 < image.metres / metres < 1.25}
    for size in sorted(one for one in sizes if one):
        yield (
            f"{_some([one.name for one in images if one.metres == size])} of {size:g} m per pixel, where the tiles "
            f"have {metres:g}"
        )
    if hidden:
        yield f"{counted(hidden, 'window')} left out: they show the ground of val or test tiles"
    if empty:
        yield f"{counted(empty, 'window')} left out: they hold next to nothing"


def _some(names: Sequence[str]) -> str:
    """Count images, and name the first ones."""
    more = ", ..." if len(names) > SHOWN else ""
    return f"{counted(len(names), 'image')} ({', '.join(names[:SHOWN])}{more})"
