"""A raster seen at another resolution: the same ground in larger or smaller pixels."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from sweep.rasters.georeference import sides_of_pixel
from sweep.rasters.orientation import Span
from sweep.rasters.raster import Raster
from sweep.rasters.validity import ClippedArea
from trainables.errors import DataError

MOST_TIMES = 32.0
"""So many times a pixel may become larger or smaller along a side."""
SAME = 0.01
"""Share by which pixels may differ and are left as they are."""
BLOCK = 1024
"""Pixels along a side that are warped at a time, of the finer raster."""
OPAQUE = 255
PLANE = Affine(10, 0, 1000, 0, -10, 1000)
"""Where a raster's pixels are while it is warped, whatever is under it; GDAL takes an identity for no place at all."""


class Resampled(Raster):
    """Another raster on a grid of other steps that begins in the same corner.

    Values are means of the pixels around, weighted by a triangle as wide as a pixel of the coarser grid (GDAL's
    bilinear warp, which widens its kernel as pixels become larger). What holds nothing has no weight.

    Args:
        inner: The other raster.
        steps: Its pixels down and across per pixel of this one.
    """

    def __init__(self, inner: Raster, steps: tuple[float, float]) -> None:
        # Not by the dataclass: the dataset is the other raster's, which opens it again when it fails.
        self.__dict__.update({name: value for name, value in vars(inner).items() if name != "dataset"})
        self._inner, self._steps = inner, steps
        inner.area = None
        if self.area is not None:
            self.area = ClippedArea(geometry=self.area.geometry, transform=self.transform)

    @classmethod
    def at(cls, inner: Raster, metres: float, name: str) -> Raster:
        """Return a raster in pixels of some metres along each side; itself where its pixels are that large.

        Args:
            inner: The raster.
            metres: On the ground, in its middle.
            name: What to call it in an error.

        Raises:
            DataError: Nobody knows how large its pixels are, or they would become far larger or smaller.
        """
        sides = sides_of_pixel(inner, name)
        if sides is None:
            raise DataError(
                f"{name}: has no CRS or no transform, so nobody knows how large its pixels are; leave --resample out, "
                f"or resize the picture itself"
            )
        sides = _as_written(inner, sides)
        steps = metres / sides[1], metres / sides[0]
        if not all(1 / MOST_TIMES <= one <= MOST_TIMES for one in steps):
            raise DataError(
                f"--resample {metres:g}: {name} has pixels of {in_metres(sides)}, more than {MOST_TIMES:g} times "
                f"{'smaller' if max(steps) > MOST_TIMES else 'larger'}; say metres per pixel that are nearer"
            )
        return inner if all(abs(one - 1) <= SAME for one in steps) else cls(inner, steps)

    @property
    def dataset(self) -> Any:
        """The other raster's."""
        return self._inner.dataset

    @property
    def bad(self) -> dict[str, None]:
        """The other raster's."""
        return self._inner.bad

    @property
    def height(self) -> int:
        """Rows of pixels; the last one may reach beyond the other raster."""
        return _covering(self._inner.height, self._steps[0])

    @property
    def width(self) -> int:
        """Columns of pixels, likewise."""
        return _covering(self._inner.width, self._steps[1])

    @property
    def transform(self) -> Any:
        """Of these pixels."""
        transform = self._inner.transform
        return transform @ type(transform).scale(self._steps[1], self._steps[0])

    @property
    def dtype(self) -> str:
        """The other raster's."""
        return self._inner.dtype

    def valid(self, rows: Span, columns: Span) -> NDArray[np.bool_]:
        """See ``Raster.valid``."""
        return self.values(rows, columns)[1]

    def _upright(self, rows: Span, columns: Span) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        shape = rows[1] - rows[0], columns[1] - columns[0]
        values = np.zeros((len(self.bands), *shape), self.dtype)
        valid = np.zeros(shape, dtype=bool)
        side = max(1, int(BLOCK / max(1.0, *self._steps)))
        for top, left in itertools.product(range(0, shape[0], side), range(0, shape[1], side)):
            down, along = (top, min(top + side, shape[0])), (left, min(left + side, shape[1]))
            place = slice(*down), slice(*along)
            values[:, *place], valid[place] = self._warped(
                (rows[0] + down[0], rows[0] + down[1]), (columns[0] + along[0], columns[0] + along[1])
            )
        return values, valid

    def _warped(self, rows: Span, columns: Span) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        from rasterio.crs import CRS
        from rasterio.enums import Resampling
        from rasterio.warp import reproject

        above = _around(rows, self._steps[0], self._inner.height)
        before = _around(columns, self._steps[1], self._inner.width)
        found, known = self._inner.values(above, before)
        kind = found.dtype
        exact = np.float64 if kind.itemsize > 2 else np.float32
        source = np.concatenate([np.where(known, found, 0).astype(exact), known[None].astype(exact) * OPAQUE])
        target = np.zeros((len(source), rows[1] - rows[0], columns[1] - columns[0]), exact)
        plane = CRS.from_epsg(3857)
        scale = Affine.scale(self._steps[1], self._steps[0])
        reproject(
            source,
            target,
            src_transform=PLANE @ Affine.translation(before[0], above[0]),
            dst_transform=PLANE @ scale @ Affine.translation(columns[0], rows[0]),
            src_crs=plane,
            dst_crs=plane,
            src_alpha=len(source),
            dst_alpha=len(source),
            resampling=Resampling.bilinear,
            tolerance=0,
        )
        values = target[:-1]
        if kind.kind in "iu":
            values = np.clip(np.rint(values), np.iinfo(kind).min, np.iinfo(kind).max)
        return values.astype(kind), target[-1] >= OPAQUE / 2


def in_metres(sides: tuple[float, float]) -> str:
    """Return ``0.3 m`` of a square pixel, ``0.17 x 0.33 m`` of one that is not."""
    across, down = (f"{side:.3g}" for side in sides)
    return f"{across} m" if across == down else f"{across} x {down} m"


def _as_written(raster: Raster, sides: tuple[float, float]) -> tuple[float, float]:
    """Return the sides as the transform has them where they are the ground's but for the projection's small stretch.

    A UTM zone's metres are up to 0.1 % longer or shorter than the ground's, and 0.6 is to become 0.6.
    """
    if raster.crs.is_geographic:
        return sides
    unit = float(raster.crs.linear_units_factor[1])
    transform = raster.transform
    across, down = math.hypot(transform.a, transform.d) * unit, math.hypot(transform.b, transform.e) * unit
    near = all(abs(one / other - 1) <= SAME for one, other in zip((across, down), sides, strict=True))
    return (across, down) if near else sides


def _covering(length: int, step: float) -> int:
    return max(1, math.ceil(length / step - 1e-6))


def _around(span: Span, step: float, length: int) -> Span:
    """Return the other raster's pixels that a span is made of, with those that its ends reach into."""
    reach = 2 * max(1.0, step) + 1
    low = min(max(0, math.floor(span[0] * step - reach)), length - 1)
    return low, max(low + 1, min(length, math.ceil(span[1] * step + reach)))
