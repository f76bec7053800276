"""Where two masks of the same ground differ by more than the width of an outline."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from trainables.task import IGNORE_INDEX

SLIVER = 5
"""Pixels; narrower differences are how exactly people outline, and what a turned picture costs."""
LEAST_SHARE = 0.02
"""Of the pixels that count in both."""


def differing_share(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the share of the pixels that count in both masks and are of two classes there, slivers left out.

    Args:
        one: (H, W) class indices; 255 does not count.
        other: (H, W) of the same ground.
    """
    both = (one != IGNORE_INDEX) & (other != IGNORE_INDEX)
    wrong = (both & (one != other)).astype(np.uint8)
    wide = cv2.morphologyEx(wrong, cv2.MORPH_OPEN, np.ones((SLIVER, SLIVER), np.uint8))
    return float(wide.sum() / max(1, both.sum()))
