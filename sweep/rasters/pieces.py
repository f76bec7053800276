"""A mosaic read file by file: what one file leaves open shows the one below it, and overlaps may be averaged."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.rasters.bands import palette_of
from sweep.rasters.collars import collar_share
from sweep.rasters.damage import Damage
from sweep.rasters.files import UnreadableError, open_dataset, replace_or_skip
from sweep.rasters.gdal import in_thread
from sweep.rasters.mosaic import Mosaic, Source
from sweep.rasters.orientation import Span
from sweep.rasters.raster import Raster
from sweep.rasters.validity import Validity
from trainables.errors import DataError

MOST_OPEN = 64
"""Files that stay open for the next read."""


class MosaicRaster(Raster):
    """A raster of several, each read by itself: its nodata, its transparency and its damage are its own.

    Args:
        whole: The mosaic's virtual raster, open: its place, and how its values are seen.
        mosaic: What it shows.
        mean: Where files overlap, the mean of those that hold something; else the upper one.
    """

    def __init__(self, whole: Raster, mosaic: Mosaic, *, mean: bool = False) -> None:
        super().__init__(**vars(whole))
        self._mosaic, self._mean = mosaic, mean
        self._files: OrderedDict[Source, Raster | None] = OrderedDict()
        self._lost: dict[str, None] = {}
        corners = [(one.top, one.left, one.top + one.height, one.left + one.width) for one in mosaic.sources]
        self._corners = np.array(corners)

    @property
    def bad(self) -> dict[str, None]:
        """What could not be read, in words, with the file that it is of."""
        found = {**self.damage.found, **self._lost}
        for source, file in self._files.items():
            found |= dict.fromkeys(_of_file(source, file))
        return found

    def valid(self, rows: Span, columns: Span) -> NDArray[np.bool_]:
        """See ``Raster.valid``."""
        known = np.zeros((rows[1] - rows[0], columns[1] - columns[0]), dtype=bool)
        for place, file, parts in self._parts(rows, columns):
            known[place] |= file.valid(*parts)
        return self._in_area(known, rows, columns)

    def collars(self, most: int) -> dict[str, float]:
        """Return the shares of black collars, see ``collar_share``, of files here and there, by their paths."""
        step = max(1, -(-len(self._mosaic.sources) // most))
        found = {}
        for source in self._mosaic.sources[::step]:
            if not source.palette and (file := self._open(source)) is not None:
                found[source.path] = collar_share(file.dataset, file.bands)
        return found

    def close(self) -> None:
        """Close all files."""
        while self._files:
            self._close_first()

    def _upright(self, rows: Span, columns: Span) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        shape = rows[1] - rows[0], columns[1] - columns[0]
        kind = np.dtype(self.dtype)
        values = np.zeros((len(self.bands), *shape), np.float64 if self._mean and kind.itemsize > 2 else kind)
        total = np.zeros(values.shape, np.float32) if self._mean and kind.itemsize <= 2 else values
        count: NDArray[Any] = np.zeros(shape, np.uint16 if self._mean else np.bool_)
        with in_thread():  # once, not for each file
            for place, file, parts in self._parts(rows, columns):
                found, known = file.values(*parts)
                if self._mean:
                    total[:, *place] += np.where(known, found, 0)
                    count[place] += known
                elif known.all():  # copied at once, which is faster than by a mask
                    values[:, *place] = found
                    count[place] = True
                else:
                    np.copyto(values[:, *place], found, where=known)
                    count[place] |= known
        if self._mean:
            mean = total / np.maximum(count, 1)
            values = (np.rint(mean) if kind.kind in "iu" else mean).astype(kind)
        return values, count > 0

    def _parts(self, rows: Span, columns: Span) -> Iterator[tuple[tuple[slice, slice], Raster, tuple[Span, Span]]]:
        """Yield what each file shows of a part, the lowest first: where, the file, and which of its pixels."""
        top, left, bottom, right = self._corners.T
        seen = (top < rows[1]) & (bottom > rows[0]) & (left < columns[1]) & (right > columns[0])
        for number in np.flatnonzero(seen).tolist():
            source = self._mosaic.sources[number]
            file = self._open(source)
            if file is None:
                continue
            down = max(rows[0], source.top), min(rows[1], source.top + source.height)
            along = max(columns[0], source.left), min(columns[1], source.left + source.width)
            place = slice(down[0] - rows[0], down[1] - rows[0]), slice(along[0] - columns[0], along[1] - columns[0])
            own = (down[0] - source.top, down[1] - source.top), (along[0] - source.left, along[1] - source.left)
            yield place, file, own

    def _open(self, source: Source) -> Raster | None:
        """Open a file, or take it from those that are; None where it cannot be opened and that is allowed."""
        if source not in self._files:
            if len(self._files) >= MOST_OPEN:
                self._close_first()
            self._files[source] = self._opened(source)
        self._files.move_to_end(source)
        return self._files[source]

    def _opened(self, source: Source) -> Raster | None:
        damage = Damage(path=source.path, skip_bad=self.damage.skip_bad, skip_flag=self.damage.skip_flag)
        try:
            dataset = open_dataset(source.path, fix=replace_or_skip(damage.skip_flag))
        except UnreadableError:
            if damage.skip_bad:
                self._lost |= {f"missing file {Path(source.path).resolve()}": None}
                return None
            raise
        if dataset.shape != (source.height, source.width):
            raise DataError(f"{source.path}: was replaced while it was read; run the same command again")
        return Raster(
            path=source.path,
            dataset=dataset,
            bands=source.bands,
            scale=None,
            fill=(),
            damage=damage,
            palette=palette_of(dataset) if source.palette else None,
            validity=Validity(nodata=self.validity.nodata, ignore_alpha=self.validity.ignore_alpha),
        )

    def _close_first(self) -> None:
        source, file = self._files.popitem(last=False)
        self._lost |= dict.fromkeys(_of_file(source, file))
        if file is not None:
            file.dataset.close()


def _of_file(source: Source, file: Raster | None) -> list[str]:
    return [f"{Path(source.path).name}: {text}" for text in file.bad] if file is not None else []


@contextmanager
def as_mosaic(whole: Raster, mosaic: Mosaic, *, mean: bool = False) -> Iterator[MosaicRaster]:
    """Read a mosaic file by file for the duration of the block; see ``MosaicRaster``."""
    found = MosaicRaster(whole, mosaic, mean=mean)
    try:
        yield found
    finally:
        found.close()
