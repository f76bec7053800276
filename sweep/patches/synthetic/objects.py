"""What is between buildings: trees, cars, pools, parking lots, courts."""

from __future__ import annotations

import numpy as np

from sweep.patches.synthetic.canvas import PIXELS_PER_METRE, Canvas, Colour, Frame, Points
from sweep.patches.synthetic.roofs import Sun

LEAVES: tuple[Colour, ...] = ((58, 78, 46), (70, 92, 52), (84, 98, 58), (48, 66, 44), (104, 106, 66))
PAINTS: tuple[Colour, ...] = (
    (225, 225, 225),
    (190, 192, 195),
    (60, 62, 66),
    (30, 31, 34),
    (120, 124, 130),
    (140, 40, 38),
    (48, 66, 110),
    (160, 140, 110),
)
CAR_LENGTH_M, CAR_WIDTH_M = 4.6, 1.9


def disc(centre: Points, radius: float, corners: int = 24) -> Points:
    """Return the corners of a regular polygon of a radius in pixels."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    points: Points = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return points


def draw_tree(canvas: Canvas, centre: Points, radius_m: float, sun: Sun, random: np.random.Generator) -> None:
    """Draw a crown of a few lobes, lit from one side, with its shadow; the mask stays, also under the leaves.

    Args:
        canvas: What to draw on.
        centre: (2,) x and y in pixels.
        radius_m: Of the crown, in metres.
        sun: Where the light comes from.
        random: Where randomness comes from.
    """
    radius = radius_m * PIXELS_PER_METRE
    canvas.darken(disc(centre + sun.shift(radius_m * 1.1), radius * 0.95), 0.55)
    colour = np.array(LEAVES[random.integers(len(LEAVES))]) * random.uniform(0.85, 1.15)
    lobes = random.integers(4, 9)
    for lobe in range(lobes + 1):
        angle, reach = random.uniform(0, 2 * np.pi), radius * random.uniform(0.35, 0.6)
        middle = centre if lobe == 0 else centre + reach * np.array([np.cos(angle), np.sin(angle)])
        _draw_lobe(canvas, middle, radius * (0.75 if lobe == 0 else random.uniform(0.35, 0.6)), colour, sun)


def _draw_lobe(canvas: Canvas, centre: Points, radius: float, colour: Points, sun: Sun) -> None:
    box = canvas.box(np.array([centre - radius * 1.3, centre + radius * 1.3]))
    if box is None:
        return
    rows, columns = np.mgrid[box]
    x, y = (columns - centre[0]) / radius, (rows - centre[1]) / radius
    rough = canvas.fine[box]
    alpha = np.clip((1 - np.hypot(x, y) + 0.13 * rough) * radius / 2, 0, 1)
    light = 1 - 0.38 * (x * sun.towards[0] + y * sun.towards[1]) + 0.2 * rough
    canvas.blend(box, alpha[..., None].astype(np.float32), (colour * light[..., None]).astype(np.float32))


def draw_car(canvas: Canvas, frame: Frame, sun: Sun, random: np.random.Generator) -> None:
    """Draw a car in the middle of a frame, its length along u."""
    scale = random.uniform(0.9, 1.15)
    half_length, half_width = CAR_LENGTH_M / 2 * scale, CAR_WIDTH_M / 2
    body = frame.rectangle(-half_length, -half_width, half_length, half_width)
    canvas.darken(body + sun.shift(1.2), 0.6)
    colour = PAINTS[random.integers(len(PAINTS))]
    canvas.paint(body, colour, fine=0.02, coarse=0.0)
    for u in (-0.45 * half_length, 0.35 * half_length):
        glass = frame.rectangle(u - 0.35, -half_width * 0.8, u + 0.35, half_width * 0.8)
        canvas.paint(glass, (38, 42, 48), opacity=0.8)


def draw_pool(canvas: Canvas, frame: Frame, random: np.random.Generator) -> None:
    """Draw a pool with its rim in the middle of a frame."""
    u, v = random.uniform(2.5, 5), random.uniform(1.5, 2.6)
    canvas.paint(frame.rectangle(-u - 1, -v - 1, u + 1, v + 1), (196, 188, 176))
    canvas.paint(frame.rectangle(-u, -v, u, v), (88, 170, 190), coarse=0.06)


def draw_court(canvas: Canvas, frame: Frame, random: np.random.Generator) -> None:
    """Draw a sports court, as large and as even as a roof."""
    u, v = 13.0, 7.5
    base: Colour = [(86, 122, 96), (150, 92, 74), (96, 116, 150)][random.integers(3)]
    canvas.paint(frame.rectangle(-u - 3, -v - 3, u + 3, v + 3), base, coarse=0.02)
    corners = frame.rectangle(-u, -v, u, v)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        canvas.line(start, end, 1.0, (225, 225, 220), 0.8)
    net = frame.points([(0, -v), (0, v)])
    canvas.line(net[0], net[1], 1.0, (225, 225, 220), 0.8)


def draw_parking(
    canvas: Canvas,
    frame: Frame,
    area: tuple[float, float, float, float],
    sun: Sun,
    random: np.random.Generator,
) -> None:
    """Draw a parking lot: grey and rectangular like a flat roof, with stalls and cars; u0, v0, u1, v1 in metres."""
    u0, v0, u1, v1 = area
    grey = random.uniform(78, 150)
    canvas.paint(frame.rectangle(*area), (grey, grey * 0.99, grey * 0.98), fine=0.04, coarse=0.07)
    occupancy = random.uniform(0.15, 0.85)
    stall, depth = 2.8, 5.4
    for v in np.arange(v0 + 1, v1 - depth, depth * 2.1):
        for u in np.arange(u0 + 1, u1 - stall, stall):
            marks = frame.points([(u, v), (u, v + depth)])
            canvas.line(marks[0], marks[1], 0.8, (215, 215, 205), 0.55)
            if random.random() < occupancy:
                spot = frame.at(u + stall / 2, v + depth / 2 + random.normal(0, 0.2), np.pi / 2)
                draw_car(canvas, spot, sun, random)
