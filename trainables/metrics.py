"""IoU and F1 of one tile, and their summary over tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.data.tiles import Tile

METRIC = (
    "mean over whole tiles, predicted through windows that fade into each other, of the foreground's IoU "
    "at a threshold of 0.5; 1 for a tile that is empty in both"
)
"""What a score is. Scores are ranked together only where this is the same: change it with any change of meaning."""


@dataclass(frozen=True, kw_only=True)
class TileScore:
    """How well one tile was segmented.

    Attributes:
        name: The tile's name.
        true_positives: Foreground pixels found.
        false_positives: Background pixels called foreground.
        false_negatives: Foreground pixels missed.
        loss: Mean loss of the tile.
    """

    name: str
    true_positives: int
    false_positives: int
    false_negatives: int
    loss: float

    @property
    def iou(self) -> float:
        """Intersection over union, in [0, 1]. 1 where truth and prediction are both empty."""
        union = self.true_positives + self.false_positives + self.false_negatives
        return self.true_positives / union if union else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall (Dice), in [0, 1]. 1 where truth and prediction are both empty."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / total if total else 1.0


@dataclass(frozen=True, kw_only=True)
class SplitScore:
    """Scores of all tiles of a split. Means are over tiles, not over pixels: each tile counts the same."""

    tiles: tuple[TileScore, ...]

    @property
    def iou(self) -> float:
        """Mean IoU over tiles, in [0, 1]."""
        return float(np.mean([tile.iou for tile in self.tiles]))

    @property
    def f1(self) -> float:
        """Mean F1 over tiles, in [0, 1]."""
        return float(np.mean([tile.f1 for tile in self.tiles]))

    @property
    def loss(self) -> float:
        """Mean loss over tiles."""
        return float(np.mean([tile.loss for tile in self.tiles]))

    @property
    def worst(self) -> TileScore:
        """The tile of the lowest IoU; the first one by name among equals."""
        return min(self.tiles, key=lambda tile: (tile.iou, tile.name))


@dataclass(frozen=True, kw_only=True)
class ScoredTile:
    """A tile, what a model made of it, and how good that is.

    Attributes:
        tile: The tile.
        predicted: (H, W) uint8 in {0, 1}, probability at least 0.5.
        score: The counts over those pixels.
    """

    tile: Tile
    predicted: NDArray[np.uint8]
    score: TileScore


def score_mask(name: str, predicted: NDArray[np.uint8], truth: NDArray[np.uint8], loss: float = 0.0) -> TileScore:
    """Count the confusion of one tile.

    Args:
        name: The tile's name.
        predicted: (H, W) in {0, 1}.
        truth: (H, W) in {0, 1}.
        loss: Mean loss of the tile.

    Returns:
        The counts, from which IoU and F1 follow.
    """
    found, real = predicted.astype(bool), truth.astype(bool)
    return TileScore(
        name=name,
        true_positives=int(np.count_nonzero(found & real)),
        false_positives=int(np.count_nonzero(found & ~real)),
        false_negatives=int(np.count_nonzero(~found & real)),
        loss=loss,
    )
