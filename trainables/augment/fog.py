"""Fog as albumentations makes it, thousands of translucent discs, in one pass instead of one pass a disc."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Fog:
    """Discs of white, each blended over what is below it.

    Attributes:
        centres: (N, 2) int64 x and y in pixels; some are outside.
        radii: (N,) int64 in pixels.
        alpha: Opacity of one disc, in (0, 1).
        blur: Odd side in pixels of the Gaussian kernel at the end.
    """

    centres: NDArray[np.int64]
    radii: NDArray[np.int64]
    alpha: float
    blur: int

    def depth(self, side: int) -> NDArray[np.int64]:
        """Count the discs over each pixel.

        Returns:
            (S, S), at least 0.
        """
        change = np.zeros(side * (side + 1), dtype=np.int64)  # what changes at a pixel of a row; one column to spare
        for radius in np.unique(self.radii):
            halves = _half_widths(int(radius))
            x, y = self.centres[self.radii == radius].T
            rows = y[:, None] + np.arange(-radius, radius + 1)
            starts = np.clip(x[:, None] - halves, 0, side)
            ends = np.clip(x[:, None] + halves + 1, 0, side)
            inside = (rows >= 0) & (rows < side)
            first = rows[inside] * (side + 1)
            change += np.bincount(first + starts[inside], minlength=change.size)
            change -= np.bincount(first + ends[inside], minlength=change.size)
        return np.cumsum(change.reshape(side, side + 1), axis=1)[:, :side]

    def table(self, deepest: int) -> NDArray[np.uint8]:
        """Tabulate what becomes of each value under so many discs, rounded after each as albumentations does.

        Returns:
            (deepest + 1, 256) uint8.
        """
        values = np.arange(256, dtype=np.uint8)
        rows = [values]
        for _ in range(deepest):
            under = rows[-1][:, None]
            rows.append(cv2.addWeighted(np.full_like(under, 255), self.alpha, under, 1 - self.alpha, 0)[:, 0])
        return np.stack(rows)


def _half_widths(radius: int) -> NDArray[np.int64]:
    """Return, for each of the 2r + 1 rows of OpenCV's filled circle, the pixels on either side of its middle."""
    canvas = np.zeros((2 * radius + 1, 2 * radius + 1), dtype=np.uint8)
    cv2.circle(canvas, (radius, radius), radius, 1, thickness=-1)
    widths: NDArray[np.int64] = canvas.sum(axis=1, dtype=np.int64)
    return (widths - 1) // 2


def draw_fog(
    side: int, coefficients: tuple[float, float], alpha_coefficient: float, random: np.random.Generator
) -> Fog:
    """Draw the discs of ``albumentations.RandomFog``: in ten nested squares, the denser the nearer to the centre.

    Args:
        side: S in pixels.
        coefficients: Range of the fog's intensity, in [0, 1].
        alpha_coefficient: Opacity of a disc over the intensity.
        random: Where the random numbers come from.
    """
    intensity = random.uniform(*coefficients)
    region = max(1, int(side // 3 * intensity))
    centre = int((side - 1) / 2)
    centres = []
    width = side
    for _ in range(10):
        if width <= region:
            break
        count = int(width * width / (region * region) * intensity * 10)
        centres.append(random.integers(centre - width // 2, centre + width // 2, (count, 2), endpoint=True))
        width = int(width * 0.9)
    points = np.concatenate(centres) if centres else np.zeros((0, 2), dtype=np.int64)
    largest = max(2, int(side * 0.1 * intensity))
    radii = random.integers(max(1, largest // 2), largest, len(points))
    blur = max(3, side // 30)
    return Fog(centres=points, radii=radii, alpha=alpha_coefficient * intensity, blur=blur + 1 - blur % 2)
