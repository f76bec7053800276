"""How far predicted probabilities can be trusted, and the threshold that suits the metric best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

THRESHOLDS = 1024
"""Thresholds are multiples of 1/1024: a power of two, so that float32 probabilities fall into bins without rounding."""
ERROR_BINS = 15
"""Bins of the expected calibration error, the number that its sources use."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What predictions of some tiles say of their probabilities.

    Attributes:
        threshold: The multiple of 1/1024 inside (0, 1) with the best mean IoU; the one nearest to 0.5 among equals.
        iou: Mean IoU over the tiles at that threshold, in [0, 1].
        iou_at_half: Mean IoU over the tiles at 0.5, in [0, 1].
        calibration_error: Expected calibration error of the foreground's probability over all pixels, in [0, 1].
        tiles: How many tiles.
    """

    threshold: float
    iou: float
    iou_at_half: float
    calibration_error: float
    tiles: int


class CalibrationCounts:
    """Counts tiles one by one; its size does not grow with them.

    Probability p is foreground at threshold t where p >= t. The expected calibration error is the mean, weighted by
    pixels, of |mean p - share of foreground| over 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017, who bin
    the winning class's confidence; here it is the foreground's probability).
    """

    def __init__(self) -> None:
        self._ious = np.zeros(THRESHOLDS)  # sums over tiles, by threshold
        self._bins = np.zeros((3, ERROR_BINS))  # pixels, sums of p, foreground pixels
        self._tiles = 0

    def add(self, logits: Tensor, truth: NDArray[np.uint8]) -> None:
        """Count a tile.

        Args:
            logits: (H, W) float32, on any device.
            truth: (H, W) in {0, 1}.
        """
        flat, real = logits.flatten(), torch.tensor(truth.reshape(-1)).to(logits.device).bool()
        probability = flat.sigmoid()
        # The sign decides at 0.5, as it does in scoring: the smallest negative logits round to a probability of 0.5.
        half = THRESHOLDS // 2
        places = (probability * THRESHOLDS).long().clamp(max=THRESHOLDS - 1)
        places = torch.where(flat < 0, places.clamp(max=half - 1), places)
        self._ious += _iou_by_threshold(*(_histogram(places[kind]) for kind in (real, ~real)))
        bins = (probability.double() * ERROR_BINS).long().clamp(max=ERROR_BINS - 1)
        for row, weights in enumerate((None, probability.double(), real.double())):
            self._bins[row] += torch.bincount(bins, weights=weights, minlength=ERROR_BINS).cpu().numpy()
        self._tiles += 1

    def result(self) -> Calibration:
        """Return what at least one tile says."""
        ious = self._ious / self._tiles
        half = THRESHOLDS // 2
        best = min(range(1, THRESHOLDS), key=lambda place: (-ious[place], abs(place - half), place))
        pixels, probabilities, foreground = self._bins
        return Calibration(
            threshold=best / THRESHOLDS,
            iou=float(ious[best]),
            iou_at_half=float(ious[half]),
            calibration_error=float(np.abs(probabilities - foreground).sum() / pixels.sum()),
            tiles=self._tiles,
        )


def logit(threshold: float) -> float:
    """Return the logit of a threshold inside (0, 1); 0 for 0.5."""
    return math.log(threshold / (1 - threshold))


def _histogram(places: Tensor) -> NDArray[np.int64]:
    counted: NDArray[np.int64] = torch.bincount(places, minlength=THRESHOLDS).cpu().numpy()
    return counted


def _iou_by_threshold(real: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a tile's IoU at each threshold; 1 where truth and prediction are both empty.

    Args:
        real: (1024,) foreground pixels by bin of their probability.
        other: (1024,) background pixels likewise.
    """
    found, wrong = (np.cumsum(counts[::-1])[::-1] for counts in (real, other))
    union = real.sum() + wrong
    return np.where(union > 0, found / np.maximum(union, 1), 1.0)
