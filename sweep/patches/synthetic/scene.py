"""Whole scenes: a rotated street grid, blocks of lots or lots of asphalt, and the camera's faults."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.patches.synthetic.blocks import Style, draw_industrial_block, draw_residential_block
from sweep.patches.synthetic.canvas import PIXELS_PER_METRE, Canvas, Floats, Frame, Points, fractal_noise
from sweep.patches.synthetic.objects import draw_car, draw_tree
from sweep.patches.synthetic.roofs import Building, Sun
from trainables.errors import DataError, nearest

STYLES: Mapping[str, Style] = MappingProxyType(
    {
        style.name: style
        for style in (
            Style("suburb", lot=(19, 27), house=(10, 15), flat=0.0, trees=1.0, block=(95, 130), depth=62, density=0.88),
            Style(
                "estate", lot=(15, 20), house=(11, 15), flat=0.05, trees=0.6, block=(90, 130), depth=52, density=0.97
            ),
            Style("town", lot=(11, 14), house=(10, 17), flat=0.35, trees=0.45, block=(70, 100), depth=44, density=0.98),
            Style(
                "mixed",
                lot=(16, 22),
                house=(11, 16),
                flat=0.2,
                trees=0.6,
                block=(90, 120),
                depth=58,
                density=0.9,
                industrial=0.4,
            ),
            Style(
                "industry",
                lot=(30, 60),
                house=(24, 50),
                flat=1.0,
                trees=0.12,
                block=(130, 190),
                depth=95,
                density=0.8,
                industrial=1.0,
            ),
        )
    }
)
SCENE_KINDS = tuple(STYLES)
"""From a leafy suburb to an industrial estate."""
MIN_FOREGROUND = 0.05
"""Scenes with a smaller share of roof are drawn again."""
MAX_TRIES = 30
ROAD_M, SIDEWALK_M = 9.0, 1.6


@dataclass
class _Scene:
    """A scene while it is drawn."""

    canvas: Canvas
    frame: Frame
    sun: Sun
    style: Style
    random: np.random.Generator
    buildings: list[Building] = field(default_factory=list)
    trees: list[tuple[Points, float]] = field(default_factory=list)


def draw_scene(seed: int, *, size: int = 1024, kind: str | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw an aerial scene at 0.3 m per pixel; a pure function of its arguments.

    Args:
        seed: At least 0.
        size: Side in pixels, a multiple of 32 from 64 up.
        kind: One of ``SCENE_KINDS``; None lets the seed choose.

    Returns:
        Image (size, size, 3) uint8 RGB, and mask (size, size) uint8, 1 on roofs, also where a tree hides them.

    Raises:
        DataError: An unknown kind, or a size or seed out of range.
    """
    if size < 64 or size % 32:
        raise DataError(f"scene size {size}: must be a multiple of 32 from 64 up")
    if seed < 0:
        raise DataError(f"scene seed {seed}: must be at least 0")
    if kind is not None and kind not in STYLES:
        raise DataError(f"scene kind {kind!r} does not exist; {nearest(kind, SCENE_KINDS)}")
    for attempt in range(MAX_TRIES):
        random = np.random.default_rng([seed, attempt])
        style = STYLES[kind or SCENE_KINDS[seed % len(SCENE_KINDS)]]
        scene = _draw(random, size, style)
        if scene.canvas.mask.mean() >= MIN_FOREGROUND:
            break
    return photograph(scene.canvas.image, random), scene.canvas.mask


def _draw(random: np.random.Generator, size: int, style: Style) -> _Scene:
    azimuth = random.uniform(0, 2 * np.pi)
    sun = Sun(np.array([np.cos(azimuth), np.sin(azimuth)]), np.deg2rad(random.uniform(32, 62)))
    frame = Frame(np.full(2, size / 2), random.uniform(-np.pi / 4, np.pi / 4))
    scene = _Scene(Canvas.blank(random, size), frame, sun, style, random)
    _draw_ground(scene)
    _draw_blocks(scene)
    for building in scene.buildings:
        building.cast_shadow(scene.canvas, sun)
    for building in scene.buildings:
        building.draw(scene.canvas, sun, random)
    for centre, radius in scene.trees:
        draw_tree(scene.canvas, centre, radius, sun, random)
    return scene


def _draw_ground(scene: _Scene) -> None:
    """Cover everything with grass that turns to dry grass and bare soil."""
    random, canvas = scene.random, scene.canvas
    grass = np.array([84, 100, 58]) * random.uniform(0.85, 1.2)
    dry = np.array([138, 126, 88]) * random.uniform(0.85, 1.1)
    soil = np.array([(150, 122, 94), (160, 104, 80), (134, 114, 96)][random.integers(3)])
    patches = fractal_noise(random, canvas.size, coarsest=170, octaves=5)[..., None]
    aridity = random.uniform(-0.6, 1.2)
    to_dry = 1 / (1 + np.exp(-3 * (patches + aridity)))
    to_soil = 1 / (1 + np.exp(-6 * (patches - 1.6 + 0.5 * aridity)))
    colours = grass * (1 - to_dry) + dry * to_dry
    colours = colours * (1 - to_soil) + soil * to_soil
    canvas.image[:] = colours * (1 + 0.06 * canvas.fine + 0.05 * canvas.coarse)[..., None]


def _draw_blocks(scene: _Scene) -> None:
    """Lay out the street grid and fill every block that touches the picture."""
    random, style = scene.random, scene.style
    reach = scene.canvas.size / PIXELS_PER_METRE * 0.75
    street = ROAD_M + 2 * SIDEWALK_M
    depth = style.depth * random.uniform(0.9, 1.1)
    # The grid's phase puts the first row of houses, not the street, into small pictures.
    rows = _cuts(-reach - depth * 0.25, reach, lambda: depth + street)
    asphalt = random.uniform(82, 128)
    walk = random.uniform(160, 195)
    plan = []
    for v0, v1 in itertools.pairwise(rows):
        columns = _cuts(
            -reach - random.uniform(0, style.block[0]), reach, lambda: random.uniform(*style.block) + street
        )
        plan += [(u0, v0, u1, v1) for u0, u1 in itertools.pairwise(columns)]
    half = street / 2
    for cell in plan:
        _pave(scene, cell, ROAD_M / 2 + SIDEWALK_M, walk)
    for cell in plan:
        _pave(scene, cell, ROAD_M / 2, asphalt)
    for cell in plan:
        _mark_street(scene, cell, asphalt)
    for u0, v0, u1, v1 in plan:
        area = (u0 + half, v0 + half, u1 - half, v1 - half)
        corners = scene.frame.rectangle(*area)
        if scene.canvas.box(corners, margin=60) is None:
            continue
        industrial = random.random() < style.industrial
        fill = draw_industrial_block if industrial else draw_residential_block
        buildings, trees = fill(scene.canvas, scene.frame, area, style, scene.sun, random)
        scene.buildings += buildings
        scene.trees += trees
        _park_cars(scene, (u0, v0, u1, v1))


def _cuts(start: float, stop: float, step: Callable[[], float]) -> list[float]:
    """Return street axes from ``start`` until past ``stop``, in metres."""
    cuts = [start]
    while cuts[-1] < stop:
        cuts.append(cuts[-1] + step())
    return cuts


def _pave(scene: _Scene, cell: tuple[float, float, float, float], half: float, grey: float) -> None:
    """Pave the streets on two sides of a cell of the grid, to a half width in metres."""
    u0, v0, u1, v1 = cell
    tint = (grey, grey * 0.985, grey * 0.97)
    for street in ((u0 - half, v0 - half, u1 + half, v0 + half), (u0 - half, v0 - half, u0 + half, v1 + half)):
        scene.canvas.paint(scene.frame.rectangle(*street), tint, fine=0.03, coarse=0.05)


def _mark_street(scene: _Scene, cell: tuple[float, float, float, float], asphalt: float) -> None:
    """Draw lane marks and cracks on the street along u."""
    u0, v0, u1, _ = cell
    frame, canvas, random, half = scene.frame, scene.canvas, scene.random, ROAD_M / 2
    for u in np.arange(u0 + 8, u1 - 8, 7.0):
        ends = frame.points([(u, v0), (u + 3, v0)])
        canvas.line(ends[0], ends[1], 0.9, (205, 190, 120), 0.6)
    for _ in range(random.integers(0, 4)):
        u = random.uniform(u0, u1)
        crack = frame.points([(u, v0 - half), (u + random.normal(0, 3), v0 + half)])
        canvas.line(crack[0], crack[1], 0.8, (asphalt * 0.7,) * 3, 0.6)


def _park_cars(scene: _Scene, cell: tuple[float, float, float, float]) -> None:
    u0, v0, u1, _ = cell
    for u in np.arange(u0 + 10, u1 - 10, 7.0):
        for side in (-1, 1):
            if scene.random.random() < 0.18:
                spot = scene.frame.at(u, v0 + side * (ROAD_M / 2 - 1.2), 0.0)
                draw_car(scene.canvas, spot, scene.sun, scene.random)


def photograph(scene: Floats, random: np.random.Generator) -> NDArray[np.uint8]:
    """Take the picture: uneven light, colour cast, haze, exposure, softness and sensor noise.

    Args:
        scene: (S, S, 3) float32 in 0..255.
        random: Where randomness comes from.

    Returns:
        (S, S, 3) uint8.
    """
    size = scene.shape[0]
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    light = 1 + random.uniform(0.0, 0.09) * (columns * np.cos(angle) + rows * np.sin(angle))
    cast = random.normal(1.0, 0.025, 3)
    picture = scene * (light[..., None] * cast).astype(np.float32)
    haze = random.uniform(0.0, 0.12)
    picture = picture * (1 - haze) + np.array([188, 196, 206], dtype=np.float32) * haze
    picture = 255 * np.clip(picture * random.uniform(0.92, 1.16) / 255, 0, 1) ** random.uniform(0.88, 1.1)
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.5, 0.75))
    picture += random.normal(0, random.uniform(1.2, 2.4), picture.shape)
    result: NDArray[np.uint8] = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    return result
