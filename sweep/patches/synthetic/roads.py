"""Road scenes in perspective: a road in the lower half, vehicles and pedestrians, and what looks like them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.patches.synthetic.canvas import Canvas, Colour, Points, fractal_noise
from sweep.patches.synthetic.objects import LEAVES, PAINTS, disc
from sweep.patches.synthetic.scene import photograph
from trainables.errors import DataError

ROAD_CLASSES = ("background", "road", "vehicle", "pedestrian")
ROAD_COLOURS = ((0, 0, 0), (128, 64, 128), (0, 114, 178), (230, 159, 0))
ROAD, VEHICLE, PEDESTRIAN = 1, 2, 3
MIN_SHARES = {ROAD: 0.15, VEHICLE: 0.01, PEDESTRIAN: 0.002}
"""Scenes that show less of a class, as a share of their pixels, are drawn again."""
MAX_TRIES = 30
NEAREST_M, FARTHEST_M = 6.0, 30.0
CLOTHES: tuple[Colour, ...] = (*PAINTS, (52, 84, 140), (150, 60, 54), (92, 100, 60), (86, 80, 96))
SKIN: tuple[Colour, ...] = ((224, 182, 150), (196, 148, 112), (140, 98, 70), (92, 64, 48))
WALLS: tuple[Colour, ...] = ((170, 150, 128), (148, 96, 78), (196, 190, 180), (112, 112, 116), (178, 164, 120))


@dataclass(frozen=True, kw_only=True)
class _Camera:
    """A camera above the road that looks along it.

    Attributes:
        size: Side of the picture in pixels.
        vanishing: (2,) x and y in pixels where parallel lines of the road meet.
        height: Above the road, in metres.
    """

    size: int
    vanishing: Points
    height: float

    def scale(self, depth: float) -> float:
        """Return pixels per metre at a depth in metres."""
        return 0.9 * self.size / depth

    def ground(self, x: float, depth: float) -> Points:
        """Return x and y in pixels of a point on the ground, ``x`` metres to the right."""
        point: Points = self.vanishing + self.scale(depth) * np.array([x, self.height])
        return point

    def upright(self, corners: list[tuple[float, float]], x: float, depth: float) -> Points:
        """Return (N, 2) pixels of corners in metres to the right and up, of something that stands on the ground."""
        away = np.array([(right, -up) for right, up in corners])
        points: Points = self.ground(x, depth) + self.scale(depth) * away
        return points


def draw_road_scene(seed: int, *, size: int = 256) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a road as a camera on a mast sees it; a pure function of its arguments.

    Colours do not distinguish the classes: pavements are as grey as the road, kiosks as bright as cars, and clothes
    have the colours of both.

    Args:
        seed: At least 0.
        size: Side in pixels, a multiple of 32 from 64 up.

    Returns:
        Image (size, size, 3) uint8 RGB, and mask (size, size) uint8, indices of ``ROAD_CLASSES``, all four of them.

    Raises:
        DataError: A size or seed out of range.
    """
    if size < 64 or size % 32:
        raise DataError(f"scene size {size}: must be a multiple of 32 from 64 up")
    if seed < 0:
        raise DataError(f"scene seed {seed}: must be at least 0")
    for attempt in range(MAX_TRIES):
        random = np.random.default_rng([seed, attempt, 7])
        canvas = _draw(random, size)
        shares = np.bincount(canvas.mask.reshape(-1), minlength=len(ROAD_CLASSES)) / canvas.mask.size
        if all(shares[value] >= least for value, least in MIN_SHARES.items()):
            break
    return photograph(canvas.image, random), canvas.mask


def _draw(random: np.random.Generator, size: int) -> Canvas:
    canvas = Canvas.blank(random, size)
    horizon = size * random.uniform(0.34, 0.46)
    camera = _Camera(
        size=size, vanishing=np.array([size * random.uniform(0.35, 0.65), horizon]), height=random.uniform(2.6, 3.6)
    )
    half, shift = random.uniform(3.2, 5.0), random.uniform(-1.5, 1.5)
    grey = random.uniform(80, 135)
    _draw_sky_and_ground(canvas, camera, random)
    _draw_walls(canvas, camera, random)
    _draw_road(canvas, camera, (shift - half, shift + half), grey, random)
    things = [(depth, VEHICLE) for depth in random.uniform(NEAREST_M + 2, FARTHEST_M, random.integers(1, 4))]
    things += [(depth, PEDESTRIAN) for depth in random.uniform(NEAREST_M, 0.6 * FARTHEST_M, random.integers(1, 5))]
    things += [(depth, 0) for depth in random.uniform(NEAREST_M + 2, FARTHEST_M, random.integers(2, 6))]
    for depth, kind in sorted(things, reverse=True):
        side = random.choice((-1.0, 1.0))
        if kind == VEHICLE:
            lane = shift + side * half * random.uniform(0.35, 0.6)
            _draw_vehicle(canvas, camera, lane, depth, random)
        elif kind == PEDESTRIAN:
            # Half of them cross the road, the others walk beside it.
            place = (
                random.uniform(-0.9, 0.9) * half if random.random() < 0.5 else side * (half + random.uniform(0.4, 2))
            )
            _draw_pedestrian(canvas, camera, shift + place, depth, random)
        else:
            _draw_bystander(canvas, camera, shift + side * (half + random.uniform(1.0, 3.0)), depth, random)
    return canvas


def _draw_sky_and_ground(canvas: Canvas, camera: _Camera, random: np.random.Generator) -> None:
    size, horizon = canvas.size, camera.vanishing[1]
    rows = np.arange(size, dtype=np.float32)[:, None, None]
    zenith = np.array([(120, 160, 205), (178, 186, 194), (150, 150, 160)][random.integers(3)], dtype=np.float32)
    pale = np.array([214, 218, 220], dtype=np.float32)
    canvas.image[:] = zenith + (pale - zenith) * np.clip(rows / horizon, 0, 1)
    clouds = fractal_noise(random, size, coarsest=size // 2, octaves=4)[..., None]
    canvas.image += 9 * clouds
    pavement = np.array([(120, 118, 114), (92, 104, 66), (150, 138, 112)][random.integers(3)]) * random.uniform(
        0.8, 1.1
    )
    ground = np.array([(0, horizon), (size, horizon), (size, size), (0, size)], dtype=np.float64)
    canvas.paint(ground, (pavement[0], pavement[1], pavement[2]), fine=0.06, coarse=0.1)


def _draw_walls(canvas: Canvas, camera: _Camera, random: np.random.Generator) -> None:
    """Draw houses with windows and crowns of trees along the horizon."""
    size, horizon = canvas.size, camera.vanishing[1]
    x = -random.uniform(0, 0.1) * size
    while x < size:
        width, height = random.uniform(0.1, 0.28) * size, random.uniform(0.08, 0.3) * size
        base = horizon + random.uniform(0, 0.03) * size
        if random.random() < 0.3:
            leaves = LEAVES[random.integers(len(LEAVES))]
            for _ in range(5):
                middle = np.array([x + random.uniform(0, width), base - random.uniform(0.2, 0.8) * height])
                canvas.paint(disc(middle, random.uniform(0.03, 0.07) * size), leaves, fine=0.15, coarse=0.1)
        else:
            wall = WALLS[random.integers(len(WALLS))]
            canvas.paint(_rectangle(x, base - height, x + width, base), wall, fine=0.03, coarse=0.05)
            step, pane = 0.045 * size, 0.022 * size
            for left in np.arange(x + pane, x + width - pane, step):
                for top in np.arange(base - height + pane, base - 2 * pane, step):
                    dark = (60.0, 66.0, 76.0) if random.random() < 0.8 else (210.0, 200.0, 160.0)
                    canvas.paint(_rectangle(left, top, left + pane, top + 1.3 * pane), dark, opacity=0.8)
        x += width


def _draw_road(
    canvas: Canvas, camera: _Camera, edges: tuple[float, float], grey: float, random: np.random.Generator
) -> None:
    """Draw the road between two edges in metres: kerbs, asphalt, patches, lane marks."""
    left, right = edges
    near, far = 2.0, 400.0

    def band(start: float, end: float, close: float = near, distant: float = far) -> Points:
        corners = [(start, close), (end, close), (end, distant), (start, distant)]
        return np.array([camera.ground(x, depth) for x, depth in corners])

    kerb = min(255.0, grey * 1.35)
    canvas.paint(band(left - 0.3, right + 0.3), (kerb, kerb, kerb * 0.98))
    canvas.paint(band(left, right), (grey, grey * 0.99, grey * 0.97), fine=0.06, coarse=0.07)
    canvas.mark(band(left, right), ROAD)
    for _ in range(random.integers(1, 4)):
        x, depth = random.uniform(left, right - 1.5), random.uniform(5, 25)
        patch = band(x, min(right, x + random.uniform(0.8, 1.6)), depth, depth + random.uniform(1, 4))
        canvas.paint(patch, (grey * 0.8, grey * 0.8, grey * 0.8), opacity=0.6)
    middle = (left + right) / 2
    for depth in np.arange(near, 60, 5.0):
        canvas.paint(band(middle - 0.08, middle + 0.08, depth, depth + 2.5), (215, 212, 196), opacity=0.75)
    if random.random() < 0.5:
        depth = random.uniform(7, 20)
        for x in np.arange(left + 0.3, right - 0.5, 1.0):
            canvas.paint(band(x, x + 0.5, depth, depth + 2.5), (220, 218, 210), opacity=0.8)


def _draw_vehicle(canvas: Canvas, camera: _Camera, x: float, depth: float, random: np.random.Generator) -> None:
    """Draw a car or a van from behind or in front."""
    tall = random.random() < 0.25
    half, height = random.uniform(0.85, 1.0), random.uniform(2.0, 2.5) if tall else random.uniform(1.4, 1.6)
    waist = height * (0.5 if tall else 0.58)
    roof = half * (0.92 if tall else random.uniform(0.68, 0.8))
    body = [(-half, 0.25), (half, 0.25), (half, waist), (roof, height), (-roof, height), (-half, waist)]
    tyres = [
        [(side * half, 0.0), (side * (half - 0.25), 0.0), (side * (half - 0.25), 0.4), (side * half, 0.4)]
        for side in (-1, 1)
    ]
    paint = PAINTS[random.integers(len(PAINTS))]
    canvas.darken(_shadow(camera, x, depth, half * 1.15), 0.5)
    for tyre in tyres:
        canvas.paint(camera.upright(tyre, x, depth), (28, 28, 30))
        canvas.mark(camera.upright(tyre, x, depth), VEHICLE)
    canvas.paint(camera.upright(body, x, depth), paint, fine=0.02, coarse=0.03)
    canvas.mark(camera.upright(body, x, depth), VEHICLE)
    glass = [(-roof * 1.05, waist + 0.05), (roof * 1.05, waist + 0.05), (roof * 0.88, height - 0.12)]
    canvas.paint(camera.upright([*glass, (-roof * 0.88, height - 0.12)], x, depth), (44, 50, 60), opacity=0.85)
    light: Colour = (190, 40, 36) if random.random() < 0.6 else (236, 232, 210)
    for side in (-1, 1):
        lamp = [
            (side * half * 0.95, 0.6),
            (side * half * 0.65, 0.6),
            (side * half * 0.65, 0.8),
            (side * half * 0.95, 0.8),
        ]
        canvas.paint(camera.upright(lamp, x, depth), light)


def _draw_pedestrian(canvas: Canvas, camera: _Camera, x: float, depth: float, random: np.random.Generator) -> None:
    """Draw someone who stands or walks."""
    tall = random.uniform(1.5, 1.95) / 1.75
    stride = random.uniform(0.06, 0.3)
    coat, trousers = (CLOTHES[random.integers(len(CLOTHES))] for _ in range(2))
    skin = SKIN[random.integers(len(SKIN))]
    legs = [
        [(-0.16, 0.85), (0.02, 0.85), (-stride + 0.09, 0.0), (-stride - 0.09, 0.0)],
        [(-0.02, 0.85), (0.16, 0.85), (stride + 0.09, 0.0), (stride - 0.09, 0.0)],
    ]
    torso = [(-0.18, 0.8), (0.18, 0.8), (0.27, 1.4), (0.12, 1.5), (-0.12, 1.5), (-0.27, 1.4)]
    head = [(0.13 * np.cos(angle), 1.62 + 0.15 * np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 12)[:-1]]
    canvas.darken(_shadow(camera, x, depth, 0.35), 0.6)
    for part, colour in ((legs[0], trousers), (legs[1], trousers), (torso, coat), (head, skin)):
        points = camera.upright([(right * tall, up * tall) for right, up in part], x, depth)
        canvas.paint(points, colour, fine=0.04, coarse=0.02)
        canvas.mark(points, PEDESTRIAN)


def _draw_bystander(canvas: Canvas, camera: _Camera, x: float, depth: float, random: np.random.Generator) -> None:
    """Draw what is no vehicle and no pedestrian: a kiosk, a post or a young tree."""
    kind = random.integers(3)
    canvas.darken(_shadow(camera, x, depth, 0.4), 0.65)
    colour = CLOTHES[random.integers(len(CLOTHES))]
    if kind == 0:
        half, height = random.uniform(0.5, 1.0), random.uniform(1.1, 2.4)
        box = [(-half, 0.0), (half, 0.0), (half, height), (-half, height)]
        parts = [
            (box, colour),
            ([(-half, height * 0.8), (half, height * 0.8), (half, height), (-half, height)], colour),
        ]
    elif kind == 1:
        height = random.uniform(1.0, 2.6)
        parts = [([(-0.1, 0.0), (0.1, 0.0), (0.1, height), (-0.1, height)], colour)]
        parts += [([(-0.25, height), (0.25, height), (0.25, height + 0.5), (-0.25, height + 0.5)], colour)]
    else:
        crown = [(0.7 * np.cos(angle), 2.3 + 0.9 * np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 14)[:-1]]
        parts = [([(-0.08, 0.0), (0.08, 0.0), (0.08, 1.6), (-0.08, 1.6)], (88.0, 70.0, 52.0))]
        parts += [(crown, LEAVES[random.integers(len(LEAVES))])]
    for part, paint in parts:
        points = camera.upright([(float(right), float(up)) for right, up in part], x, depth)
        canvas.paint(points, paint, fine=0.06, coarse=0.04)
        canvas.mark(points, 0)  # it may stand before the road


def _shadow(camera: _Camera, x: float, depth: float, half: float) -> Points:
    """Return the ellipse on the ground under something of a half width in metres."""
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return np.array([camera.ground(x + half * np.cos(a), depth + 0.5 * half * np.sin(a)) for a in angles])


def _rectangle(left: float, top: float, right: float, bottom: float) -> Points:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)
