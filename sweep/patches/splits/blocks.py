"""Dividing one raster between splits: by strips across it, with a margin between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from sweep.patches.tiling.counting import ReadArea, count_pixels

STEPS = 24
"""Places along a side where a strip may end."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """How rasters are divided.

    Attributes:
        shares: Split to its share, more than 0; 1 in all.
        size: Side of a window in pixels.
        overlap: Pixels that neighbouring windows of one split share.
        seed: Decides among equals, at least 0.
    """

    shares: Mapping[str, float]
    size: int
    overlap: int
    seed: int

    @property
    def margin(self) -> int:
        """Pixels between two splits that are in neither."""
        return margin_of(self.size)

    def windows(self, length: int) -> int:
        """Return how many whole windows fit along a side of so many pixels, with the margins; 0 for too few."""
        room = length - self.margin * (len(self.shares) - 1) - self.overlap * len(self.shares)
        found = max(0, room) // (self.size - self.overlap)
        return found if found >= len(self.shares) else 0

    def divide(self, read: ReadArea, shape: tuple[int, int], classes: int) -> dict[str, Area] | None:
        """Divide a raster so that labelled pixels, and those of each class, are balanced.

        All ways are compared to lay one strip per split across the raster, along its rows or its columns, in any
        order, where strips end at whole windows, and the last one at the raster's end.

        Args:
            read: Reads the raster's truth.
            shape: Its rows and columns.
            classes: How many classes there are.

        Returns:
            Split to its strip; None where the raster has no room for a labelled window of each.
        """
        ways = [way for axis in (0, 1) for way in self._ways(shape, axis)]
        if not ways:
            return None
        places = [[way[split] for split in self.shares] for way in ways]
        ends = np.array([[[a.rows.start, a.columns.start, a.rows.stop, a.columns.stop] for a in way] for way in places])
        top, left, bottom, right = np.moveaxis(ends, 2, 0)
        rows, columns = np.unique([top, bottom]).tolist(), np.unique([left, right]).tolist()
        costs = self._costs(count_pixels(read, rows, columns, classes).between(top, left, bottom, right))
        order = np.random.default_rng(self.seed).permutation(len(ways))
        best = int(order[np.argmin(costs[order].round(9))])
        return ways[best] if np.isfinite(costs[best]) else None

    def _ways(self, shape: tuple[int, int], axis: int) -> Iterator[dict[str, Area]]:
        windows = self.windows(shape[axis])
        unit = max(1, windows // STEPS)
        for lengths in _compositions(windows // unit, len(self.shares)):
            for order in permutations(self.shares):
                yield self._strips(shape, axis, dict(zip(order, lengths, strict=True)), unit)

    def _strips(self, shape: tuple[int, int], axis: int, units: Mapping[str, int], unit: int) -> dict[str, Area]:
        start, last = 0, list(units)[-1]
        found = {}
        for split, count in units.items():
            length = count * unit * (self.size - self.overlap) + self.overlap
            length = shape[axis] - start if split == last else length
            found[split] = (
                Area(top=start, left=0, height=length, width=shape[1])
                if axis == 0
                else Area(top=0, left=start, height=shape[0], width=length)
            )
            start += length + self.margin
        return found

    def _costs(self, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each way's squared deviation from the shares; infinite where a strip has nothing labelled.

        Args:
            pixels: (W, S, K) of each way, split and class.
        """
        counts = np.concatenate((pixels.sum(2, keepdims=True), pixels), axis=2).astype(np.float64)
        total = counts.sum(axis=1, keepdims=True)
        wanted = np.array(list(self.shares.values()))[:, None]
        away = np.where(total > 0, counts / total.clip(min=1) - wanted, 0.0)
        costs: NDArray[np.float64] = np.where((counts[:, :, 0] > 0).all(axis=1), (away**2).sum(axis=(1, 2)), np.inf)
        return costs


def margin_of(size: int) -> int:
    """Return the pixels that are left between two splits of one raster: a quarter of a window."""
    return size // 4


def _compositions(total: int, parts: int) -> Iterator[Sequence[int]]:
    """Yield all ways to write a number as an ordered sum of so many numbers from 1."""
    if parts == 1:
        if total >= 1:
            yield (total,)
        return
    for first in range(1, total - parts + 2):
        for others in _compositions(total - first, parts - 1):
            yield (first, *others)
