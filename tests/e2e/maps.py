"""What tests of maps by the command share: a scene, its place, and the type of ``predict``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from affine import Affine
from numpy.typing import NDArray

Predict = Callable[..., str]
"""Runs the command in this process; gives what it says."""
HERE = Affine(0.3, 0, 325_000, 0, -0.3, 2_787_000)


def scene(height: int, width: int) -> NDArray[np.uint8]:
    """Bright rectangles on noise, like the tiles that the sweep was trained on."""
    random = np.random.default_rng(5)
    image = random.integers(40, 110, (height, width, 3), dtype=np.uint8)
    for _ in range(height * width // 4000):
        top, left = random.integers(0, height - 20), random.integers(0, width - 20)
        image[top : top + 20, left : left + 20] = 200
    return image
