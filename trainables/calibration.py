"""How far predicted probabilities can be trusted, and the threshold that suits the metric best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.metrics import score_mask
from trainables.task import IGNORE_INDEX, Task

THRESHOLDS = 1024
"""Thresholds are multiples of 1/1024: a power of two, so that float32 probabilities fall into bins without rounding."""
ERROR_BINS = 15
"""Bins of the expected calibration error, the number that its sources use."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What predictions of some tiles say of their probabilities.

    Attributes:
        threshold: The multiple of 1/1024 inside (0, 1) with the best mean IoU; the one nearest to 0.5 among equals.
            None for classes, which have none; so is ``iou``.
        iou: Mean IoU over the tiles at that threshold, in [0, 1].
        iou_at_half: Mean IoU over the tiles at 0.5, or of the most probable class, in [0, 1].
        calibration_error: Expected calibration error over all pixels that count, in [0, 1]: of the foreground's
            probability, or of that of the most probable class.
        tiles: How many tiles.
        tile_ious: IoU of each tile at 0.5, or of the most probable class, in the order that they were counted.
    """

    threshold: float | None
    iou: float | None
    iou_at_half: float
    calibration_error: float
    tiles: int
    tile_ious: tuple[float, ...] = ()


class CalibrationCounts:
    """Counts tiles one by one; its size does not grow with them.

    Probability p is foreground at threshold t where p >= t. The expected calibration error is the mean, weighted by
    pixels, of |mean p - share of foreground| over 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017, who bin
    the winning class's confidence; here it is the foreground's probability).
    """

    def __init__(self) -> None:
        self._ious = np.zeros(THRESHOLDS)  # sums over tiles, by threshold
        self._bins = np.zeros((3, ERROR_BINS))  # pixels, sums of p, foreground pixels
        self._tile_ious: list[float] = []

    def add(self, logits: Tensor, truth: NDArray[np.uint8]) -> None:
        """Count a tile.

        Args:
            logits: (1, H, W) float32, on any device.
            truth: (H, W) in {0, 1}; 255 does not count.
        """
        known = torch.tensor(truth.reshape(-1)).to(logits.device)
        flat, real = logits.flatten()[known != IGNORE_INDEX], known[known != IGNORE_INDEX].bool()
        ious = ious_by_threshold(flat, real)
        self._ious += ious
        self._bins += count_bins(flat.sigmoid(), real)
        self._tile_ious.append(float(ious[THRESHOLDS // 2]))

    def result(self) -> Calibration:
        """Return what at least one tile says."""
        ious = self._ious / len(self._tile_ious)
        half = THRESHOLDS // 2
        best = min(range(1, THRESHOLDS), key=lambda place: (-ious[place], abs(place - half), place))
        return Calibration(
            threshold=best / THRESHOLDS,
            iou=float(ious[best]),
            iou_at_half=float(ious[half]),
            calibration_error=error_of_bins(self._bins),
            tiles=len(self._tile_ious),
            tile_ious=tuple(self._tile_ious),
        )


class ClassCalibrationCounts:
    """The same for classes: how far the probability of the most probable class can be trusted (Guo et al. 2017)."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._bins = np.zeros((3, ERROR_BINS))
        self._ious: list[float] = []

    def add(self, logits: Tensor, truth: NDArray[np.uint8]) -> None:
        """Count a tile.

        Args:
            logits: (C, H, W) float32, on any device.
            truth: (H, W) class indices; 255 does not count.
        """
        known = torch.tensor(truth).to(logits.device)
        confidence, predicted = logits.softmax(0).max(0)
        counted = known != IGNORE_INDEX
        self._bins += count_bins(confidence[counted], (predicted == known)[counted])
        self._ious.append(score_mask("", predicted.byte().cpu().numpy(), truth, task=self._task).iou)

    def result(self) -> Calibration:
        """Return what at least one tile says."""
        return Calibration(
            threshold=None,
            iou=None,
            iou_at_half=float(np.mean(self._ious)),
            calibration_error=error_of_bins(self._bins),
            tiles=len(self._ious),
            tile_ious=tuple(self._ious),
        )


Counts = CalibrationCounts | ClassCalibrationCounts


def counts_for(task: Task) -> Counts:
    """Return empty counts of a task."""
    return CalibrationCounts() if task.binary else ClassCalibrationCounts(task)


def count_bins(probability: Tensor, right: Tensor) -> NDArray[np.float64]:
    """Return (3, 15): pixels, sums of their probabilities, and how many of them are right, by bin."""
    bins = (probability.double() * ERROR_BINS).long().clamp(max=ERROR_BINS - 1)
    rows = (torch.bincount(bins, weights, ERROR_BINS) for weights in (None, probability.double(), right.double()))
    return np.stack([row.cpu().numpy() for row in rows]).astype(np.float64)


def error_of_bins(bins: NDArray[np.float64]) -> float:
    """Return the expected calibration error of (3, 15) bins, as ``count_bins`` returns them, in [0, 1]."""
    pixels, probabilities, right = bins
    return float(np.abs(probabilities - right).sum() / max(pixels.sum(), 1))


def logit(threshold: float) -> float:
    """Return the logit of a threshold inside (0, 1); 0 for 0.5."""
    return math.log(threshold / (1 - threshold))


def _histogram(places: Tensor) -> NDArray[np.int64]:
    counted: NDArray[np.int64] = torch.bincount(places, minlength=THRESHOLDS).cpu().numpy()
    return counted


def ious_by_threshold(logits: Tensor, real: Tensor) -> NDArray[np.float64]:
    """Return a tile's IoU at each threshold; 1 where truth and prediction are both empty.

    Args:
        logits: (P,) float32 of the pixels that count.
        real: (P,) bool, which of them are foreground.

    Returns:
        (1024,) by threshold, in multiples of 1/1024.
    """
    # The sign decides at 0.5, as it does in scoring: the smallest negative logits round to a probability of 0.5.
    half = THRESHOLDS // 2
    places = (logits.sigmoid() * THRESHOLDS).long().clamp(max=THRESHOLDS - 1)
    places = torch.where(logits < 0, places.clamp(max=half - 1), places)
    found, others = (np.cumsum(_histogram(places[kind])[::-1])[::-1] for kind in (real, ~real))
    union = int(real.sum()) + others
    return np.where(union > 0, found / np.maximum(union, 1), 1.0)
