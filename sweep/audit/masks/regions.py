"""Regions in which a model is sure of another class than the label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.audit.masks.confident import NOBODY, Thresholds, disagreeing
from sweep.audit.masks.finding import CONFUSED, INVENTED, MISSING, LabelFinding
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX, Task

OPENING = 3
"""Pixels of the square by which a region is opened: what is thinner is an outline drawn less exactly."""
LEAST_SHARE = 8
"""A region has at least so small a part of a usual object's pixels."""
LEAST_SCORE = 0.15
"""Of a finding: weaker ones are mostly the model's own errors, see ``python -m benchmarks.labels``."""
LEAST_PIXELS, MOST_USUAL = 25, 4096
"""A region's least pixels, and the most that a usual object is taken to have."""


@dataclass(kw_only=True)
class UsualSize:
    """The median size of labelled objects in pixels, gathered tile by tile."""

    def __post_init__(self) -> None:
        self._sizes: list[int] = []

    def add(self, mask: NDArray[np.uint8], task: Task) -> None:
        """Count the objects of a tile: connected areas of every class; in a binary task, of the foreground."""
        for one in task.scored_classes:
            _, _, stats, _ = cv2.connectedComponentsWithStats((mask == one).astype(np.uint8), connectivity=4)
            self._sizes += stats[1:, cv2.CC_STAT_AREA].tolist()

    @property
    def pixels(self) -> float:
        """The median, between bounds."""
        found = [one for one in self._sizes if one >= LEAST_PIXELS]
        return float(np.clip(np.median(found), 4 * LEAST_PIXELS, MOST_USUAL)) if found else float(MOST_USUAL)


@dataclass(frozen=True, kw_only=True)
class RegionFinder:
    """Finds regions.

    Attributes:
        thresholds: Of all tiles.
        usual: Pixels of a usual object.
        task: What masks mean.
    """

    thresholds: Thresholds
    usual: float
    task: Task

    def find(self, tile: Tile, probabilities: NDArray[np.float32]) -> Iterator[LabelFinding]:
        """Yield the regions of a tile, in no order.

        A region's score is how much more probable the other class is there, times the share of the object that is
        wrong, times how near its size comes to a usual object's. The object is that of the label or that of the
        prediction, whichever is smaller: a roof in a large lawn is its own.
        """
        sure = self.thresholds.sure_of(probabilities)
        wrong = disagreeing(tile.mask, sure)
        best = probabilities.argmax(axis=0).astype(np.uint8)
        for label, other in sorted({(int(a), int(b)) for a, b in np.unique(_pairs(tile.mask, sure, wrong), axis=0)}):
            flagged = (wrong & (tile.mask == label) & (sure == other)).astype(np.uint8)
            flagged = np.asarray(cv2.morphologyEx(flagged, cv2.MORPH_OPEN, np.ones((OPENING, OPENING), np.uint8)))
            count, numbers, stats, _ = cv2.connectedComponentsWithStats(flagged, connectivity=8)
            objects = [_components(tile.mask == label), _components(best == other)]
            for number in range(1, count):
                left, top, width, height, pixels = (int(one) for one in stats[number])
                if pixels < max(LEAST_PIXELS, self.usual / LEAST_SHARE):
                    continue
                rows, columns = slice(top, top + height), slice(left, left + width)
                region = numbers[rows, columns] == number
                lead = probabilities[other] - probabilities[label]
                margin = float(lead[rows, columns][region].mean())
                whole = min(_touched(*one, rows, columns, region) for one in objects)
                share = min(1.0, pixels / max(whole, 1))
                score = max(0.0, margin) * share * float(1 - np.exp(-pixels / self.usual))
                if score < LEAST_SCORE:
                    continue
                probable = float(probabilities[other][rows, columns][region].mean())
                yield self._finding(
                    tile, label, other, score, (top, left, top + height, left + width), region, share, probable
                )

    def _finding(
        self,
        tile: Tile,
        label: int,
        other: int,
        score: float,
        box: tuple[int, int, int, int],
        region: NDArray[np.bool_],
        share: float,
        probable: float,
    ) -> LabelFinding:
        names = self.task.classes
        kind = CONFUSED if not self.task.binary else INVENTED if label else MISSING
        reason = (
            f"labelled {names[label]}, but a model that has not seen the tile is sure of {names[other]} "
            f"({probable:.0%}); {share:.0%} of the object"
        )
        return LabelFinding(
            tile=tile.name,
            kind=kind,
            reason=reason,
            score=score,
            box=box,
            pixels=int(region.sum()),
            labelled=names[label],
            predicted=names[other],
            region=region,
        )


def _pairs(mask: NDArray[np.uint8], sure: NDArray[np.uint8], wrong: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.stack([mask[wrong], sure[wrong]], axis=1)


Components = tuple[NDArray[np.int32], NDArray[np.int64]]
"""(H, W) number of the object of each pixel, 0 for none; and the pixels of each."""


def _components(area: NDArray[np.bool_]) -> Components:
    count, numbers = cv2.connectedComponents(area.astype(np.uint8), connectivity=4)
    return np.asarray(numbers, np.int32), np.bincount(numbers.ravel(), minlength=count).astype(np.int64)


def _touched(
    numbers: NDArray[np.int32], sizes: NDArray[np.int64], rows: slice, columns: slice, region: NDArray[np.bool_]
) -> int:
    """Return how many pixels the objects have together that a region has pixels of."""
    found = np.unique(numbers[rows, columns][region])
    return int(sizes[found[found > 0]].sum())


def share_wrong(mask: NDArray[np.uint8], sure: NDArray[np.uint8]) -> float:
    """Return the share of a tile's labelled pixels that are surely of another class, of those that one is sure of."""
    known = (mask != IGNORE_INDEX) & (sure != NOBODY)
    return float(disagreeing(mask, sure).sum() / max(1, int(known.sum())))


def ranked(findings: Sequence[LabelFinding]) -> list[LabelFinding]:
    """Return findings, the surest first."""
    return sorted(findings, key=lambda one: (-one.score, one.tile, one.box))
