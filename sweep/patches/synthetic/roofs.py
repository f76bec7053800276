"""Buildings: footprints of one or more wings, roofs shaded facet by facet, and the shadows they cast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from sweep.patches.synthetic.canvas import PIXELS_PER_METRE, Canvas, Colour, Frame, Points

RoofShape = Literal["gable", "hip", "flat"]

SHINGLES: tuple[Colour, ...] = (
    (92, 92, 96),  # these greys are also asphalt
    (118, 116, 113),
    (72, 73, 78),
    (140, 136, 130),
    (112, 92, 78),
    (134, 112, 92),  # also bare soil
    (164, 142, 116),
    (158, 96, 74),  # tile; also red soil
    (176, 118, 90),
    (96, 106, 92),
    (108, 120, 134),
)
MEMBRANES: tuple[Colour, ...] = (
    (206, 204, 199),
    (186, 184, 180),  # also concrete
    (168, 166, 162),
    (128, 127, 126),
    (94, 93, 94),
    (150, 138, 120),
    (120, 128, 140),
)


@dataclass(frozen=True)
class Sun:
    """Where the light comes from.

    Attributes:
        towards: (2,) unit vector in the picture, pointing away from the sun: where shadows fall.
        elevation: Above the horizon, in radians.
    """

    towards: Points
    elevation: float

    def shade(self, downhill: Points, pitch: float) -> float:
        """Return the brightness of a facet over that of level ground.

        Args:
            downhill: (2,) unit vector in the picture in which the facet falls.
            pitch: Its slope in radians.
        """
        level = np.sin(self.elevation)
        direct = np.cos(pitch) * level - np.sin(pitch) * np.cos(self.elevation) * float(downhill @ self.towards)
        return float(0.42 + 0.58 * max(0.0, direct) / level)

    def shift(self, height: float) -> Points:
        """Return how far the top of something of a height in metres throws its shadow, in pixels."""
        result: Points = self.towards * height / np.tan(self.elevation) * PIXELS_PER_METRE
        return result


@dataclass(frozen=True)
class Wing:
    """A rectangular part of a building, in the building's frame.

    Attributes:
        u0: Left end in metres; likewise the rest.
    """

    u0: float
    v0: float
    u1: float
    v1: float


@dataclass(frozen=True)
class Building:
    """A building.

    Attributes:
        frame: Its own frame.
        wings: Its parts, the main one first.
        shape: Form of the roof.
        colour: Of the roof on level ground.
        height: Of the eaves, in metres.
        pitch: Slope of the facets, in radians.
    """

    frame: Frame
    wings: tuple[Wing, ...]
    shape: RoofShape
    colour: Colour
    height: float
    pitch: float

    def outlines(self) -> list[Points]:
        """Return each wing's corners in pixels."""
        return [self.frame.rectangle(wing.u0, wing.v0, wing.u1, wing.v1) for wing in self.wings]

    def cast_shadow(self, canvas: Canvas, sun: Sun) -> None:
        """Darken the ground behind the building; call it before any roof is drawn."""
        shift = sun.shift(self.height + (0.0 if self.shape == "flat" else 1.2))
        for outline in self.outlines():
            both = np.concatenate([outline, outline + shift]).astype(np.float32)
            canvas.darken(cv2.convexHull(both)[:, 0].astype(np.float64), 0.5)

    def draw(self, canvas: Canvas, sun: Sun, random: np.random.Generator) -> None:
        """Draw the roof and mark it in the mask."""
        for outline in self.outlines():
            canvas.mark(outline)
            canvas.darken(_grow(outline, 0.7), 0.75)  # the gutter line under the eaves
        for wing in self.wings:
            if self.shape == "flat":
                self._draw_flat(canvas, wing, sun, random)
            else:
                self._draw_pitched(canvas, wing, sun)
        self._draw_furniture(canvas, sun, random)

    def _draw_pitched(self, canvas: Canvas, wing: Wing, sun: Sun) -> None:
        """Draw the facets of one wing: two for a gable, four for a hip; the ridge runs along the longer side."""
        long_u = wing.u1 - wing.u0 >= wing.v1 - wing.v0
        half = min(wing.u1 - wing.u0, wing.v1 - wing.v0) / 2
        inset = half if self.shape == "hip" else 0.0
        if long_u:
            middle = (wing.v0 + wing.v1) / 2
            ridge = [(wing.u0 + inset, middle), (wing.u1 - inset, middle)]
        else:
            middle = (wing.u0 + wing.u1) / 2
            ridge = [(middle, wing.v0 + inset), (middle, wing.v1 - inset)]
        corners = [(wing.u0, wing.v0), (wing.u1, wing.v0), (wing.u1, wing.v1), (wing.u0, wing.v1)]
        a, b, c, d = corners
        start, end = ridge
        if long_u:
            facets = [([a, b, end, start], (0, -1)), ([d, c, end, start], (0, 1))]
            ends = [([a, d, start], (-1, 0)), ([b, c, end], (1, 0))]
        else:
            facets = [([a, d, end, start], (-1, 0)), ([b, c, end, start], (1, 0))]
            ends = [([a, b, start], (0, -1)), ([d, c, end], (0, 1))]
        for metres, downhill in facets + (ends if self.shape == "hip" else []):
            self._draw_facet(canvas, self.frame.points(metres), downhill, sun)
        first, last = self.frame.points(ridge)
        canvas.line(first, last, 1.0, _scale(self.colour, 1.12), 0.6)

    def _draw_facet(self, canvas: Canvas, points: Points, downhill: tuple[int, int], sun: Sun) -> None:
        """Fill a facet: its shade, and courses of shingles across the slope."""
        box = canvas.box(points)
        if box is None:
            return
        direction = self.frame.points([(0, 0), downhill])
        unit = (direction[1] - direction[0]) / np.hypot(*(direction[1] - direction[0]))
        rows, columns = np.mgrid[box]
        courses = np.sin((columns * unit[0] + rows * unit[1]) * 2 * np.pi / 2.7)
        texture = 1 + 0.02 * courses + 0.035 * canvas.fine[box] + 0.04 * canvas.coarse[box]
        colours = np.asarray(self.colour) * sun.shade(unit, self.pitch) * texture[..., None]
        canvas.blend(box, canvas.coverage(points, box)[..., None], colours.astype(np.float32))

    def _draw_flat(self, canvas: Canvas, wing: Wing, sun: Sun, random: np.random.Generator) -> None:
        """Draw a membrane with a parapet, patches and seams."""
        frame, colour = self.frame, self.colour
        canvas.paint(frame.rectangle(wing.u0, wing.v0, wing.u1, wing.v1), _scale(colour, 1.1), coarse=0.02)
        rim = 0.45
        inner = frame.rectangle(wing.u0 + rim, wing.v0 + rim, wing.u1 - rim, wing.v1 - rim)
        canvas.paint(inner, colour, fine=0.025, coarse=0.06)
        width, depth = wing.u1 - wing.u0, wing.v1 - wing.v0
        for _ in range(int(width * depth / 160)):
            u, v = random.uniform(wing.u0 + 1, wing.u1 - 1), random.uniform(wing.v0 + 1, wing.v1 - 1)
            du, dv = random.uniform(1, width / 4), random.uniform(1, depth / 4)
            patch = frame.rectangle(u, v, min(u + du, wing.u1 - rim), min(v + dv, wing.v1 - rim))
            canvas.paint(patch, _scale(colour, random.uniform(0.82, 1.12)), opacity=0.55)
        if random.random() < 0.5:
            for v in np.arange(wing.v0 + 3, wing.v1 - 1, random.uniform(3, 6)):
                ends = frame.points([(wing.u0 + rim, v), (wing.u1 - rim, v)])
                canvas.line(ends[0], ends[1], 1.0, _scale(colour, 0.9), 0.5)

    def _draw_furniture(self, canvas: Canvas, sun: Sun, random: np.random.Generator) -> None:
        """Put chimneys and vents, or air conditioners and skylights, on the main wing."""
        wing = self.wings[0]
        width, depth = wing.u1 - wing.u0, wing.v1 - wing.v0
        flat = self.shape == "flat"
        count = random.poisson(width * depth / 90) if flat else random.integers(0, 4)
        for _ in range(int(count)):
            side = random.uniform(1.2, 3.0) if flat else random.uniform(0.5, 1.0)
            if side > min(width, depth) / 3 or min(width, depth) < side + 2.2:
                continue
            u, v = random.uniform(wing.u0 + 1, wing.u1 - 1 - side), random.uniform(wing.v0 + 1, wing.v1 - 1 - side)
            points = self.frame.rectangle(u, v, u + side, v + side * random.uniform(0.6, 1.4))
            if flat and random.random() < 0.3:
                canvas.paint(points, (205, 215, 222))  # skylight
                continue
            canvas.darken(points + sun.shift(0.9 if flat else 0.7), 0.6)
            canvas.paint(points, _scale((150, 150, 150), random.uniform(0.7, 1.3)))


def _scale(colour: Colour, factor: float) -> Colour:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def _grow(points: Points, pixels: float) -> Points:
    """Move a convex outline outwards."""
    centre = points.mean(0)
    away = points - centre
    grown: Points = points + away / np.maximum(np.hypot(away[:, 0], away[:, 1])[:, None], 1e-6) * pixels
    return grown
