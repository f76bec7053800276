"""The temperature that makes probabilities mean what they say: logits are divided by it.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks": one number per model, which leaves the most
probable class as it is. It is the one with the least cross-entropy on tiles that the model has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from trainables.calibration import THRESHOLDS, count_bins, ious_by_threshold, logit
from trainables.task import IGNORE_INDEX

SMALLEST, LARGEST = 1 / 8, 16.0
"""Temperatures that are tried: below the smallest one, a threshold of 0.95 rounds to 1."""
TEMPERATURES: NDArray[np.float64] = np.geomspace(SMALLEST, LARGEST, 113)
"""At which the cross-entropy is computed, 4 % apart; between them it is a parabola."""
MOST_PIXELS = 2**16
"""Of a tile that are looked at, on a regular grid: each tile of 256 x 256 pixels whole."""
MOST_VALUES = 2**26
"""Logits in memory of all tiles together, 256 MiB: of many tiles fewer pixels each are looked at."""
LOWEST, HIGHEST = 0.05, 0.95
"""Between which a threshold is chosen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TileSample:
    """What is kept of a tile that a model has not seen.

    Attributes:
        logits: (C, P) float32: one row is the foreground's logit, more are one per class.
        truth: (P,) int64 classes.
        entropy: (113,) cross-entropy summed over the pixels, by temperature.
        ious: (1024,) IoU of the whole tile by threshold, in multiples of 1/1024; None for classes.
    """

    logits: Tensor
    truth: Tensor
    entropy: NDArray[np.float64]
    ious: NDArray[np.float64] | None

    @classmethod
    def of(cls, logits: Tensor, truth: NDArray[np.uint8], most: int = MOST_PIXELS) -> TileSample:
        """Look at a tile.

        Args:
            logits: (C, H, W) float32, on any device.
            truth: (H, W) classes; 255 does not count.
            most: Pixels that are kept, about: every k-th of every k-th row.
        """
        step = max(1, math.ceil(math.sqrt(truth.size / most)))
        there = torch.tensor(truth[::step, ::step].reshape(-1)).long()
        kept = there != IGNORE_INDEX
        values = logits[:, ::step, ::step].flatten(1).cpu().float()[:, kept]
        classes = there[kept]
        ious = None
        if len(logits) == 1:
            known = truth.reshape(-1) != IGNORE_INDEX
            ious = ious_by_threshold(
                logits.flatten().cpu()[torch.tensor(known)], torch.tensor(truth.reshape(-1)[known] == 1)
            )
        return cls(logits=values, truth=classes, entropy=_entropy(values, classes), ious=ious)

    def bins(self, temperature: float) -> NDArray[np.float64]:
        """Return (3, 15): pixels, sums of their probabilities at a temperature, and how many are right, by bin."""
        scaled = self.logits / temperature
        if len(scaled) == 1:
            return count_bins(scaled[0].sigmoid(), self.truth.bool())
        confidence, predicted = scaled.softmax(0).max(0)
        return count_bins(confidence, predicted == self.truth)

    def entropy_at(self, temperature: float) -> float:
        """Return the cross-entropy in nats, summed over the pixels, at a temperature."""
        return _entropy_at(self.logits, self.truth, temperature)


def _entropy(logits: Tensor, truth: Tensor) -> NDArray[np.float64]:
    """Return the (113,) sums of the cross-entropy, see ``TileSample``."""
    return np.array([_entropy_at(logits, truth, temperature) for temperature in TEMPERATURES.tolist()])


def _entropy_at(logits: Tensor, truth: Tensor, temperature: float) -> float:
    scaled = logits / temperature
    one = (
        F.binary_cross_entropy_with_logits(scaled[0], truth.float(), reduction="none")
        if len(scaled) == 1
        else F.cross_entropy(scaled.T, truth, reduction="none")
    )
    return float(one.double().sum())


def pixels_of_a_tile(tiles: int, channels: int) -> int:
    """Return how many pixels of each tile fit into memory."""
    return max(1, min(MOST_PIXELS, MOST_VALUES // max(1, tiles * channels)))


def best_temperature(samples: Sequence[TileSample]) -> float:
    """Return the temperature with the least cross-entropy over the pixels of tiles, from 1/8 to 16."""
    sums = np.sum([one.entropy for one in samples], axis=0)
    best = int(sums.argmin())
    if not 0 < best < len(sums) - 1:
        return float(TEMPERATURES[best])
    before, here, after = sums[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    step = math.log(TEMPERATURES[1] / TEMPERATURES[0])
    return float(TEMPERATURES[best] * math.exp(shift * step))


def best_threshold(samples: Sequence[TileSample]) -> float:
    """Return the threshold of uncalibrated probabilities with the best mean IoU, from 0.05 to 0.95; 0.5 among equals.

    Args:
        samples: Of a binary task.
    """
    ious = mean_ious(samples)
    half = THRESHOLDS // 2
    places = range(math.ceil(LOWEST * THRESHOLDS), math.floor(HIGHEST * THRESHOLDS) + 1)
    return min(places, key=lambda place: (-ious[place], abs(place - half), place)) / THRESHOLDS


def mean_ious(samples: Iterable[TileSample]) -> NDArray[np.float64]:
    """Return the (1024,) mean IoU by threshold, over tiles of a binary task."""
    found: NDArray[np.float64] = np.mean([one.ious for one in samples if one.ious is not None], axis=0)
    return found


def calibrated_threshold(threshold: float, temperature: float) -> float:
    """Return the threshold of calibrated probabilities that decides as one of uncalibrated ones does, in (0, 1)."""
    return 1 / (1 + math.exp(-logit(threshold) / temperature))


def raw_threshold(threshold: float, temperature: float) -> float:
    """Return the threshold of uncalibrated probabilities that decides as one of calibrated ones does, in (0, 1)."""
    inner = min(max(logit(threshold) * temperature, -30.0), 30.0)
    return 1 / (1 + math.exp(-inner))
