"""What a map shows, counted in one pass: pixels and ground of every class, in every block."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.audit.maps.class_maps import DIFFER, NOTHING, VALUES, ClassMaps
from sweep.cli.counting import Watch, unwatched
from trainables.errors import DataError

STRATA = VALUES + 1
"""A stratum for each value, and one where two maps differ."""


@dataclass(frozen=True, kw_only=True)
class MapSurvey:
    """What one map shows, or two of the same grid.

    Attributes:
        pixels: (blocks, strata) int64.
        areas: (blocks, strata) float64, in m2 where the map says where it is, else in pixels.
        class_areas: For each map (256,) likewise.
        empty: Pixels without data, in any of the maps.
        digest: Changes when a pixel does.
    """

    pixels: NDArray[np.int64]
    areas: NDArray[np.float64]
    class_areas: tuple[NDArray[np.float64], ...]
    empty: int
    digest: str

    @property
    def strata(self) -> list[int]:
        """The strata that are there, in order."""
        return [int(one) for one in np.flatnonzero(self.pixels.sum(axis=0))]

    def stratum_pixels(self, stratum: int) -> int:
        """Return how many pixels a stratum has."""
        return int(self.pixels[:, stratum].sum())

    def stratum_area(self, stratum: int) -> float:
        """Return how much ground a stratum has."""
        return float(self.areas[:, stratum].sum())

    def values(self, number: int) -> list[int]:
        """Return the values that a map shows."""
        return [int(one) for one in np.flatnonzero(self.class_areas[number])]


def survey(maps: ClassMaps, name: str, watch: Watch = unwatched) -> MapSurvey:
    """Count what maps show, block by block.

    Args:
        maps: Open.
        name: What to call them in an error.
        watch: Shows how far it is.

    Raises:
        DataError: A block is damaged, or no pixel has data.
    """
    places = maps.places
    pixels = np.zeros((len(places), STRATA), np.int64)
    areas = np.zeros((len(places), STRATA))
    class_areas = tuple(np.zeros(VALUES) for _ in maps.stamps)
    empty, checksum = 0, 0
    for number, block in enumerate(watch("reading the map", map(maps.read, places), len(places))):
        ground = maps.row_areas(places[number])
        for values in block.values:
            checksum = zlib.crc32(values.tobytes(), checksum)
        strata = block.strata
        by_row = _by_row(strata, STRATA)
        empty += int((strata == NOTHING).sum())
        pixels[number], areas[number] = by_row.sum(axis=0), ground @ by_row
        for total, values in zip(class_areas, block.values, strict=True):
            total += ground @ _by_row(values, VALUES) if len(block.values) > 1 else areas[number, :DIFFER]
    if not pixels.sum():
        raise DataError(f"{name}: no pixel holds data; name another map")
    return MapSurvey(pixels=pixels, areas=areas, class_areas=class_areas, empty=empty, digest=f"{checksum:08x}")


def _by_row(values: NDArray[np.int16], count: int) -> NDArray[np.int64]:
    """Return (H, count) how often each row shows each value; ``NOTHING`` is none."""
    rows, width = len(values), count + 1
    places = values.astype(np.int32) + 1 + width * np.arange(rows, dtype=np.int32)[:, None]
    return np.bincount(places.ravel(), minlength=rows * width).reshape(rows, width)[:, 1:]
