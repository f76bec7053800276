"""Class maps, read block by block: which class each pixel has, and how much ground it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from sweep.rasters.addresses import unsigned
from sweep.rasters.files import Stamp, stamp
from sweep.rasters.georeference import Georeference, is_located
from sweep.rasters.opening import open_raster
from sweep.rasters.raster import Raster
from trainables.errors import DataError

VALUES = 256
"""Values of a class map are from 0 to 255."""
SIDE, MOST_BLOCKS = 1024, 16_384
"""Pixels of a block's side; larger where there would be more blocks than that."""
DIFFER = VALUES
"""The stratum of pixels of which two maps say different things; the others are those of the value that both say."""
NOTHING = -1
"""Stands for pixels without data."""

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part of the maps.

    Attributes:
        rows: First row and the one after the last.
        columns: Likewise.
        values: For each map (H, W) int16, ``NOTHING`` where any of the maps has no data.
    """

    rows: Span
    columns: Span
    values: tuple[NDArray[np.int16], ...]

    @property
    def strata(self) -> NDArray[np.int16]:
        """(H, W) the stratum of each pixel: the map's value, or ``DIFFER``; ``NOTHING`` without data."""
        first = self.values[0]
        return np.where(first == self.values[1], first, DIFFER).astype(np.int16) if len(self.values) > 1 else first


class ClassMaps:
    """One class map, or two of the same grid.

    Args:
        rasters: Open, all bands as they are.
    """

    def __init__(self, rasters: Sequence[Raster]) -> None:
        self._rasters = rasters
        self.height, self.width = rasters[0].height, rasters[0].width
        dataset = rasters[0].dataset
        self.ground = Georeference(dataset, unsigned(rasters[0].path)) if is_located(dataset) else None
        self.crs = dataset.crs.to_wkt() if self.ground is not None else None
        self._transform = dataset.transform
        self._side = SIDE
        while -(-self.height // self._side) * -(-self.width // self._side) > MOST_BLOCKS:
            self._side *= 2
        for raster in rasters:
            _require_classes(raster)
        if len(rasters) > 1:
            _require_one_grid(*rasters)

    @property
    def stamps(self) -> list[Stamp]:
        """What changes when the files do."""
        return [stamp(one.dataset, one.path) for one in self._rasters]

    @property
    def class_tags(self) -> list[str]:
        """The names of the classes as predictions carry them, ``0=land,1=roof``; empty where a map carries none."""
        return [str(one.dataset.tags().get("CLASSES", "")) for one in self._rasters]

    @property
    def places(self) -> list[tuple[Span, Span]]:
        """Rows and columns of each block."""
        return [
            ((top, min(top + self._side, self.height)), (left, min(left + self._side, self.width)))
            for top in range(0, self.height, self._side)
            for left in range(0, self.width, self._side)
        ]

    def read(self, place: tuple[Span, Span]) -> Block:
        """Read a block.

        Raises:
            DataError: It is damaged, or holds a value that no class has.
        """
        found, nothing = [], None
        for raster in self._rasters:
            values, valid = raster.values(*place)
            band = values[0]
            if valid.any() and not 0 <= int(band[valid].min()) <= int(band[valid].max()) < VALUES:
                raise DataError(
                    f"{unsigned(raster.path)}: holds the value {int(band[valid].max())}; a class map holds values from "
                    f"0 to {VALUES - 1}: name the map of classes, not of probabilities"
                )
            found.append(band.astype(np.int16))
            nothing = ~valid if nothing is None else nothing | ~valid
        for band in found:
            band[nothing] = NOTHING
        return Block(rows=place[0], columns=place[1], values=tuple(found))

    def row_areas(self, place: tuple[Span, Span]) -> NDArray[np.float64]:
        """Return (H,) how much ground a pixel of each row of a block shows: in m2, or 1 where nobody knows."""
        (top, bottom), (left, right) = place
        if self.ground is None:
            return np.ones(bottom - top)
        rows = np.arange(top, bottom) + 0.5
        middles = np.stack([np.full_like(rows, (left + right) / 2), rows], axis=1)
        areas: NDArray[np.float64] = np.abs(np.linalg.det(self.ground.metres_per_pixel(middles)))
        return areas

    def locate(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2) coordinates of (N, 2) columns and rows in the map's CRS.

        Without one they are columns, and rows as negative numbers: so programs show a picture that has no place.
        """
        if self.ground is not None:
            return self.ground.to_crs(pixels)
        return pixels * (1.0, -1.0)


@contextmanager
def open_class_maps(paths: Sequence[str]) -> Iterator[ClassMaps]:
    """Open one or two class maps for the duration of the block.

    Raises:
        DataError: One cannot be opened, is no class map, or they are on different grids.
    """
    with ExitStack() as stack:
        for path in paths:
            if "://" not in path and not path.startswith("/vsi") and not Path(path).exists():
                raise DataError(f"{path}: no such file; correct the path")
        yield ClassMaps([stack.enter_context(open_raster(path, raw=True)) for path in paths])


def _require_classes(raster: Raster) -> None:
    name = unsigned(raster.path)
    if len(raster.bands) > 1:
        raise DataError(f"{name}: has {len(raster.bands)} bands; a class map has one: name the map, not the image")
    if raster.dtype[0] not in "iu":
        raise DataError(
            f"{name}: holds {raster.dtype}, which are no classes; name the map of classes, not of probabilities"
        )


def _require_one_grid(first: Raster, second: Raster) -> None:
    one, other = (
        (raster.height, raster.width, tuple(round(value, 9) for value in raster.dataset.transform), raster.dataset.crs)
        for raster in (first, second)
    )
    if one == other:
        return
    name, against = unsigned(second.path), unsigned(first.path)
    if one[:2] != other[:2]:
        what = f"{other[1]} x {other[0]} pixels and {against} {one[1]} x {one[0]}"
    else:
        what = f"another {'transform' if one[2] != other[2] else 'CRS'} than {against}"
    raise DataError(
        f"{name}: has {what}; two maps are compared pixel by pixel: warp one first, such as rio warp {quote(name)} "
        f"{quote(Path(name).stem + '_warped.tif')} --like {quote(against)} --resampling nearest"
    )
