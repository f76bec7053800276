"""A picture that is painted shape by shape, with antialiased edges and textured colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Points = NDArray[np.float64]
Colour = tuple[float, float, float]

PIXELS_PER_METRE = 1 / 0.3
SUBPIXEL_BITS = 4


def fractal_noise(random: np.random.Generator, size: int, *, coarsest: int, octaves: int) -> Floats:
    """Draw smooth noise.

    Args:
        random: Where randomness comes from.
        size: Side in pixels.
        coarsest: Size in pixels of the largest blobs.
        octaves: Layers, each of half the blob size and 0.6 of the weight of the one before.

    Returns:
        (size, size) float32 of mean about 0 and standard deviation about 1.
    """
    total = np.zeros((size, size), dtype=np.float32)
    for octave in range(octaves):
        cells = max(2, min(size, round(size * 2**octave / coarsest)))
        layer = random.standard_normal((cells, cells)).astype(np.float32)
        total += 0.6**octave * cv2.resize(layer, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray((total - total.mean()) / (total.std() + 1e-6), dtype=np.float32)


@dataclass
class Canvas:
    """The picture, its mask, and noise fields to texture with.

    Attributes:
        image: (S, S, 3) float32, reflectance in 0..255.
        mask: (S, S) uint8 class indices, such as 1 where a roof is.
        fine: (S, S) float32 noise of about a pixel.
        coarse: (S, S) float32 noise of a few metres.
    """

    image: Floats
    mask: NDArray[np.uint8]
    fine: Floats
    coarse: Floats

    @classmethod
    def blank(cls, random: np.random.Generator, size: int) -> Canvas:
        """Make a black canvas with noise fields of its own."""
        return cls(
            image=np.zeros((size, size, 3), dtype=np.float32),
            mask=np.zeros((size, size), dtype=np.uint8),
            fine=fractal_noise(random, size, coarsest=5, octaves=2),
            coarse=fractal_noise(random, size, coarsest=40, octaves=4),
        )

    @property
    def size(self) -> int:
        """Side in pixels."""
        return int(self.mask.shape[0])

    def box(self, points: Points, margin: int = 2) -> tuple[slice, slice] | None:
        """Return the part of the canvas around some points; None where they are outside."""
        low = np.floor(points.min(0)).astype(int) - margin
        high = np.ceil(points.max(0)).astype(int) + margin + 1
        left, top = np.clip(low, 0, self.size)
        right, bottom = np.clip(high, 0, self.size)
        return None if left >= right or top >= bottom else (slice(top, bottom), slice(left, right))

    def coverage(self, points: Points, box: tuple[slice, slice]) -> Floats:
        """Return how much of each pixel of a box a polygon covers, (h, w) float32 in [0, 1]."""
        rows, columns = box
        alpha = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.uint8)
        shifted = np.round((points - [columns.start, rows.start]) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(alpha, [shifted], 255, cv2.LINE_AA, SUBPIXEL_BITS)
        return np.asarray(alpha / np.float32(255), dtype=np.float32)

    def paint(
        self, points: Points, colour: Colour, *, fine: float = 0.03, coarse: float = 0.04, opacity: float = 1.0
    ) -> None:
        """Fill a polygon with a textured colour.

        Args:
            points: (N, 2) x and y in pixels.
            colour: Red, green, blue in 0..255.
            fine: Relative strength of the fine texture.
            coarse: Relative strength of the coarse texture.
            opacity: In [0, 1].
        """
        box = self.box(points)
        if box is None:
            return
        alpha = self.coverage(points, box)[..., None] * opacity
        texture = 1 + fine * self.fine[box] + coarse * self.coarse[box]
        self.blend(box, alpha, np.asarray(colour, dtype=np.float32) * texture[..., None])

    def blend(self, box: tuple[slice, slice], alpha: Floats, colours: Floats) -> None:
        """Mix (h, w, 3) colours into a box by (h, w, 1) alpha."""
        self.image[box] += alpha * (colours - self.image[box])

    def darken(self, points: Points, factor: float) -> None:
        """Put a polygon into shadow, which keeps more of the blue of the sky."""
        box = self.box(points)
        if box is None:
            return
        tint = np.array([factor * 0.92, factor, factor * 1.12], dtype=np.float32)
        self.image[box] *= 1 - self.coverage(points, box)[..., None] * (1 - tint)

    def mark(self, points: Points, value: int = 1) -> None:
        """Write a class index into the mask where a polygon covers at least half of a pixel."""
        box = self.box(points)
        if box is not None:
            self.mask[box][self.coverage(points, box) >= 0.5] = value

    def line(self, start: Points, end: Points, width: float, colour: Colour, opacity: float = 1.0) -> None:
        """Draw a straight band of a width in pixels."""
        along = end - start
        length = float(np.hypot(*along)) or 1.0
        normal = np.array([-along[1], along[0]]) / length * width / 2
        self.paint(np.array([start + normal, end + normal, end - normal, start - normal]), colour, opacity=opacity)


@dataclass(frozen=True)
class Frame:
    """A rotated frame: metres along u and v to pixels.

    Attributes:
        origin: (2,) x and y in pixels.
        angle: Of the u axis, in radians.
    """

    origin: Points
    angle: float

    def points(self, metres: list[tuple[float, float]]) -> Points:
        """Map u and v in metres to (N, 2) x and y in pixels."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        mapped: Points = self.origin + np.asarray(metres, dtype=np.float64) @ turn * PIXELS_PER_METRE
        return mapped

    def rectangle(self, u0: float, v0: float, u1: float, v1: float) -> Points:
        """Map a rectangle to its four corners in pixels."""
        return self.points([(u0, v0), (u1, v0), (u1, v1), (u0, v1)])

    def at(self, u: float, v: float, turn: float = 0.0) -> Frame:
        """Return the frame moved to a point and turned by an angle in radians."""
        return Frame(self.points([(u, v)])[0], self.angle + turn)
