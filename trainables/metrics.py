"""How well tiles were segmented: from each tile's confusion matrix to IoU, F1 and accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX, Task

METRIC = (
    "mean over whole tiles, predicted through windows that fade into each other, of the foreground's IoU "
    "at a threshold of 0.5; 1 for a tile that is empty in both"
)
"""What a binary score is. Scores are ranked together only where this is the same: change it with any change of
meaning."""
CLASS_METRIC = (
    "mean over whole tiles, predicted through windows that fade into each other, of the mean IoU over the classes that "
    "truth or prediction show in the tile; ignored pixels do not count"
)
"""What a multi-class score is."""

Confusion = tuple[tuple[int, ...], ...]
"""Pixels by true class (row) and predicted class (column)."""


def metric_of(task: Task) -> str:
    """Say what a score of a task is, with its classes where they matter."""
    return METRIC if task.binary else f"{CLASS_METRIC}; classes: {', '.join(task.classes)}"


def _ratio(above: NDArray[np.int64], below: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide, with NaN for a class that neither truth nor prediction show."""
    ratio: NDArray[np.float64] = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return ratio


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """What a confusion matrix says.

    Attributes:
        confusion: C rows of C counts of pixels, by true and by predicted class; ignored pixels are in none.
        scored: The classes whose scores are averaged; the foreground alone in a binary task.
    """

    confusion: Confusion
    scored: tuple[int, ...] = (1,)

    @property
    def _counts(self) -> NDArray[np.int64]:
        return np.array(self.confusion, dtype=np.int64)

    @property
    def class_iou(self) -> tuple[float, ...]:
        """IoU per class, in [0, 1]; NaN for one that neither truth nor prediction show."""
        counts = self._counts
        hits = counts.diagonal()
        return tuple(_ratio(hits, counts.sum(0) + counts.sum(1) - hits).tolist())

    @property
    def class_f1(self) -> tuple[float, ...]:
        """F1 (Dice) a class, in [0, 1]; NaN for one that neither truth nor prediction show."""
        counts = self._counts
        return tuple(_ratio(2 * counts.diagonal(), counts.sum(0) + counts.sum(1)).tolist())

    @property
    def iou(self) -> float:
        """Mean IoU over the scored classes that truth or prediction show, in [0, 1].

        1 where they show none of these, NaN where no pixel counts.
        """
        return self._mean(self.class_iou)

    @property
    def f1(self) -> float:
        """Mean F1 (Dice) over the same classes, in [0, 1]; 1 where there are none, NaN where no pixel counts."""
        return self._mean(self.class_f1)

    def _mean(self, each: tuple[float, ...]) -> float:
        present = [each[index] for index in self.scored if not np.isnan(each[index])]
        if present:
            return sum(present) / len(present)
        return 1.0 if self.counted else math.nan

    @property
    def counted(self) -> bool:
        """Whether any pixel counts."""
        return any(map(any, self.confusion))

    @property
    def pixel_accuracy(self) -> float:
        """Share of pixels of the right class, in [0, 1]; NaN where none counts."""
        counts = self._counts
        return float(counts.trace() / counts.sum()) if self.counted else math.nan

    @property
    def frequency_weighted_iou(self) -> float:
        """Mean IoU per class weighted by its share of the true pixels, in [0, 1]; NaN where none counts."""
        counts = self._counts
        frequency = counts.sum(1)
        present = frequency > 0
        if not present.any():
            return math.nan
        return float((frequency[present] * np.array(self.class_iou)[present]).sum() / frequency.sum())


@dataclass(frozen=True, kw_only=True)
class TileScore(ClassScore):
    """How well one tile was segmented.

    Attributes:
        name: The tile's name.
        loss: Mean loss of the tile.
    """

    name: str
    loss: float


@dataclass(frozen=True, kw_only=True)
class SplitScore:
    """Scores of all tiles of a split. Means are over tiles, not over pixels: each tile counts the same.

    A tile without a pixel that counts is no part of a mean; where no tile has any, a mean is NaN.
    """

    tiles: tuple[TileScore, ...]

    @property
    def iou(self) -> float:
        """Mean IoU over tiles, in [0, 1]."""
        return self._mean(lambda tile: tile.iou)

    @property
    def f1(self) -> float:
        """Mean F1 over tiles, in [0, 1]."""
        return self._mean(lambda tile: tile.f1)

    @property
    def loss(self) -> float:
        """Mean loss over tiles."""
        return self._mean(lambda tile: tile.loss)

    @property
    def worst(self) -> TileScore:
        """The tile of the lowest IoU; the first one by name among equals."""
        return min(self.tiles, key=lambda tile: (tile.iou if tile.counted else math.inf, tile.name))

    def _mean(self, measure: Callable[[TileScore], float]) -> float:
        found = [measure(tile) for tile in self.tiles if tile.counted]
        return float(np.mean(found)) if found else math.nan

    @property
    def pooled(self) -> ClassScore:
        """All tiles' pixels in one confusion matrix, as the field's benchmarks count."""
        return pool([tile.confusion for tile in self.tiles], self.tiles[0].scored)


def as_confusion(counts: Iterable[Iterable[float]]) -> Confusion:
    """Return C rows of C counts as plain whole numbers."""
    return tuple(tuple(int(count) for count in row) for row in counts)


def pool(confusions: Iterable[Sequence[Sequence[int]]], scored: tuple[int, ...]) -> ClassScore:
    """Put the pixels of at least one tile into one confusion matrix.

    Args:
        confusions: C rows of C counts each.
        scored: The classes whose scores are averaged.
    """
    return ClassScore(confusion=as_confusion(np.sum(list(confusions), axis=0)), scored=scored)


def nothing_counted(task: Task) -> ClassScore:
    """Return the score of no tile at all: every number of it is NaN."""
    empty = as_confusion(np.zeros((len(task.classes), len(task.classes))))
    return ClassScore(confusion=empty, scored=task.scored_classes)


@dataclass(frozen=True, kw_only=True)
class ScoredTile:
    """A tile, what a model made of it, and how good that is.

    Attributes:
        tile: The tile.
        predicted: (H, W) uint8 class indices: of the largest logit, or in {0, 1} from a probability of 0.5 on.
        score: The counts over those pixels.
        task: What its classes mean.
    """

    tile: Tile
    predicted: NDArray[np.uint8]
    score: TileScore
    task: Task = field(default_factory=Task)


def score_mask(
    name: str,
    predicted: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    loss: float = 0.0,
    *,
    task: Task | None = None,
) -> TileScore:
    """Count the confusion of one tile.

    Args:
        name: The tile's name.
        predicted: (H, W) class indices.
        truth: (H, W) class indices; 255 does not count.
        loss: Mean loss of the tile.
        task: What the masks mean; None is binary.

    Returns:
        The counts, from which IoU and F1 follow.
    """
    task = task or Task()
    classes = len(task.classes)
    counted = truth != IGNORE_INDEX
    places = truth[counted].astype(np.int64) * classes + predicted[counted]
    counts = np.bincount(places, minlength=classes**2).reshape(classes, classes)
    return TileScore(name=name, confusion=as_confusion(counts), scored=task.scored_classes, loss=loss)


def only_class(counts: Sequence[Sequence[Sequence[int]]]) -> int | None:
    """Return the single class that is predicted on all tiles, where their truth shows more than one; else None.

    Args:
        counts: (tiles, classes, classes) pixels by true, then predicted class.
    """
    if not counts:
        return None
    total = np.asarray(counts).sum(axis=0)
    predicted, true = total.sum(axis=0).nonzero()[0], total.sum(axis=1).nonzero()[0]
    return int(predicted[0]) if predicted.size == 1 and true.size > 1 else None
