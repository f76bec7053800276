"""Confident learning: which pixels a model is sure of another class than their label.

Northcutt, Jiang and Chuang 2021, Journal of Artificial Intelligence Research 70: a pixel belongs to a class where its
probability reaches that class's mean probability among the pixels that are labelled so. So a class of which the model
is less sure in general, or that is rare, has a lower threshold. cleanlab implements it for images as wholes and per
pixel; its filters rank single pixels, and here regions are what a person looks at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainables.task import IGNORE_INDEX

NOBODY = 255
"""Stands for a pixel of which the model is not sure."""


@dataclass(kw_only=True)
class Thresholds:
    """The thresholds, gathered tile by tile.

    Attributes:
        classes: How many there are.
        total: (classes,) sums of the probabilities of the labels' own classes.
        pixels: (classes,) labelled pixels.
    """

    classes: int
    total: NDArray[np.float64] = field(init=False)
    pixels: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.total, self.pixels = np.zeros(self.classes), np.zeros(self.classes)

    def add(self, mask: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
        """Count a tile: (H, W) labels and (classes, H, W) probabilities of a model that has not seen it."""
        for one in range(self.classes):
            own = mask == one
            self.total[one] += float(probabilities[one][own].sum())
            self.pixels[one] += int(own.sum())

    @property
    def values(self) -> NDArray[np.float64]:
        """(classes,) the thresholds; above 1 for a class that no label has."""
        unknown = np.full(self.classes, 2.0)
        found: NDArray[np.float64] = np.divide(self.total, self.pixels, out=unknown, where=self.pixels > 0)
        return found

    def sure_of(self, probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return (H, W) the class that the model is sure of, the most probable of several; else ``NOBODY``."""
        reached = probabilities >= self.values[:, None, None]
        best = np.where(reached, probabilities, -1.0).argmax(axis=0).astype(np.uint8)
        return np.where(reached.any(axis=0), best, np.uint8(NOBODY)).astype(np.uint8)


def disagreeing(mask: NDArray[np.uint8], sure: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (H, W) which pixels count, and are surely of another class than their label says."""
    found: NDArray[np.bool_] = (mask != IGNORE_INDEX) & (sure != NOBODY) & (sure != mask)
    return found
