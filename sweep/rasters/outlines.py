"""Outlines of a mask's foreground, in pixels: arrays of many polygons at once, and their mean probability.

Pixel coordinates are (column, row) of pixel corners, so that the first pixel spans (0, 0) to (1, 1): whole numbers,
whatever the raster's transform.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOREGROUND = 1
MOST_POLYGONS = 20_000
MOST_VERTICES = 500_000
"""A batch ends with the polygon that reaches one of these: tens of megabytes."""
STRIP_PIXELS = 4_000_000
"""Pixels read at once for the means; their running sums take 16 bytes each."""


@dataclass(frozen=True, kw_only=True)
class Outlines:
    """Some polygons, as ragged arrays; the first ring of each is its outer one, the others are holes.

    Attributes:
        vertices: (N, 2) float64; each ring ends with its first vertex.
        rings: (R + 1,) int64; ring r is ``vertices[rings[r] : rings[r + 1]]``.
        polygons: (P + 1,) int64; polygon p has the rings from ``polygons[p]`` to ``polygons[p + 1]``.
    """

    vertices: NDArray[np.float64]
    rings: NDArray[np.int64]
    polygons: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.polygons) - 1

    @classmethod
    def of(cls, geometries: Any) -> Outlines:
        """Take shapely's polygons apart, an array of at least one."""
        import shapely

        _, vertices, (rings, polygons) = shapely.to_ragged_array(geometries)
        return cls(vertices=vertices, rings=rings.astype(np.int64), polygons=polygons.astype(np.int64))

    def geometries(self) -> Any:
        """Return (P,) shapely polygons."""
        import shapely

        return shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, self.vertices, (self.rings.copy(), self.polygons.copy())
        )

    @property
    def polygon_of_ring(self) -> NDArray[np.int64]:
        """(R,) number of the polygon that each ring belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.polygons))

    @property
    def polygon_of_vertex(self) -> NDArray[np.int64]:
        """(N,) number of the polygon that each vertex belongs to."""
        return np.repeat(self.polygon_of_ring, np.diff(self.rings))

    def select(self, kept: NDArray[np.bool_]) -> Outlines:
        """Return the polygons that are left of these rings; one without its outer ring must lose its holes too.

        Args:
            kept: (R,) which rings stay.
        """
        lengths = np.diff(self.rings)
        counts = np.bincount(self.polygon_of_ring, weights=kept, minlength=len(self)).astype(np.int64)
        return Outlines(
            vertices=self.vertices[np.repeat(kept, lengths)],
            rings=np.concatenate(([0], np.cumsum(lengths[kept]))),
            polygons=np.concatenate(([0], np.cumsum(counts[counts > 0]))),
        )


def read_outlines(mask: Any, values: Collection[int] = (FOREGROUND,)) -> Iterator[tuple[int, Outlines]]:
    """Outline what has some values in a mask, in batches of one value, roughly from top to bottom.

    Pixels that share a side belong together; pixels that only touch at a corner do not, so that every polygon is valid
    by the rules of simple features: joined at a corner, two pixels would be one self-touching outline.

    GDAL reads the mask line by line and keeps all its polygons in memory, about 0.6 KB each where they are simple.

    Args:
        mask: An open rasterio dataset; band 1 is uint8.
        values: Those that are outlined.
    """
    from rasterio import band
    from rasterio.features import shapes

    only = band(mask, 1)
    to_pixels = ~mask.transform  # of a band, GDAL gives coordinates in the raster's CRS
    found = {value: _Batch() for value in values}
    for polygon, value in shapes(only, mask=None if 0 in found else only, connectivity=4):
        if (batch := found.get(int(value))) is None:
            continue
        batch.add(polygon["coordinates"])
        if len(batch.counts) >= MOST_POLYGONS or batch.vertices >= MOST_VERTICES:
            yield int(value), _outlines(batch.rings, batch.counts, to_pixels)
            found[int(value)] = _Batch()
    for value, batch in found.items():
        if batch.counts:
            yield value, _outlines(batch.rings, batch.counts, to_pixels)


@dataclass
class _Batch:
    """Polygons of one value that wait to be outlined."""

    rings: list[list[tuple[float, float]]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    vertices: int = 0

    def add(self, rings: list[list[tuple[float, float]]]) -> None:
        self.rings += rings
        self.counts.append(len(rings))
        self.vertices += sum(map(len, rings))


def _outlines(rings: list[list[tuple[float, float]]], counts: list[int], to_pixels: Any) -> Outlines:
    flat = chain.from_iterable(chain.from_iterable(rings))
    lengths = np.fromiter(map(len, rings), dtype=np.int64, count=len(rings))
    located = np.fromiter(flat, dtype=np.float64, count=2 * int(lengths.sum())).reshape(-1, 2)
    return Outlines(
        vertices=np.rint(transformed(located, to_pixels)),
        rings=np.concatenate(([0], np.cumsum(lengths))),
        polygons=np.concatenate(([0], np.cumsum(counts))),
    )


def transformed(places: NDArray[np.float64], transform: Any) -> NDArray[np.float64]:
    """Return (N, 2) places, moved by an affine transform."""
    linear = np.array([[transform.a, transform.b], [transform.d, transform.e]])
    moved: NDArray[np.float64] = places @ linear.T + np.array([transform.c, transform.f])
    return moved


def mean_probabilities(outlines: Outlines, probability: Any, scale: float) -> NDArray[np.float64]:
    """Average the probability over each polygon's own pixels.

    A polygon's sum over a row is what has been summed up at its right edges less that at its left edges, so the cost
    is that of reading the rows once, however many polygons there are (Green's theorem, as in a planimeter).

    Args:
        outlines: P polygons, in pixels.
        probability: An open rasterio dataset; band 1 is uint8 or uint16. Pixels of its nodata value do not count.
        scale: Probability of one unit of the band.

    Returns:
        (P,) in [0, 1]; NaN where none of a polygon's pixels has a probability.
    """
    from rasterio.windows import Window

    x, top, bottom, sign, owner = _vertical_edges(outlines)
    sums, counts = np.zeros(len(outlines)), np.zeros(len(outlines))
    if not len(x):
        return sums
    first, last = int(x.min()), int(x.max())
    height = max(1, STRIP_PIXELS // (last - first))
    for begin in range(int(top.min()), int(bottom.max()), height):
        end = min(begin + height, int(bottom.max()))
        here = np.flatnonzero((top < end) & (bottom > begin))
        if not len(here):
            continue
        values = probability.read(1, window=Window(first, begin, last - first, end - begin))
        known = np.ones(values.shape, bool) if probability.nodata is None else values != probability.nodata
        low, high = np.maximum(top[here], begin), np.minimum(bottom[here], end)
        lengths = high - low
        rows = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows += np.repeat(low - begin, lengths)
        columns = np.repeat(x[here] - first, lengths)
        signs, owners = np.repeat(sign[here], lengths), np.repeat(owner[here], lengths)
        for total, grid in ((sums, np.where(known, values, 0)), (counts, known)):
            running = np.zeros((end - begin, last - first + 1), dtype=np.int64)
            np.cumsum(grid, axis=1, out=running[:, 1:])
            total += np.bincount(owners, weights=signs * running[rows, columns], minlength=len(outlines))
    means: NDArray[np.float64] = np.divide(sums * scale, counts, out=np.full(len(outlines), np.nan), where=counts > 0)
    return means


def _vertical_edges(outlines: Outlines) -> tuple[NDArray[np.int64], ...]:
    """Return (E,) column, first row, row after the last, sign and polygon of each vertical edge.

    The sign is 1 where the polygon is to the left of the edge, -1 where it is to the right.
    """
    import shapely

    turned = Outlines.of(shapely.orient_polygons(outlines.geometries()))  # inside is on the left, with y upwards
    vertices = turned.vertices.astype(np.int64)
    (x, y), (next_x, next_y) = vertices[:-1].T, vertices[1:].T
    upright = (x == next_x) & (y != next_y)
    upright[turned.rings[1:-1] - 1] = False  # from the last vertex of a ring to the first of the next is no edge
    x, y, next_y = x[upright], y[upright], next_y[upright]
    owner = turned.polygon_of_vertex[:-1][upright]
    return x, np.minimum(y, next_y), np.maximum(y, next_y), np.sign(next_y - y), owner
