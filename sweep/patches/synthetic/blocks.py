"""City blocks: lots with houses and gardens, or sheds and parking lots."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sweep.patches.synthetic.canvas import Canvas, Colour, Frame, Points
from sweep.patches.synthetic.objects import draw_car, draw_court, draw_parking, draw_pool
from sweep.patches.synthetic.roofs import MEMBRANES, SHINGLES, Building, RoofShape, Sun, Wing

Area = tuple[float, float, float, float]
"""u0, v0, u1, v1 in metres, in the street grid's frame."""
Trees = list[tuple[Points, float]]


@dataclass(frozen=True)
class Style:
    """What a kind of scene is made of; lengths in metres.

    Attributes:
        name: The kind.
        lot: Narrowest and widest lot.
        house: Shortest and longest house.
        flat: Share of flat roofs among houses.
        trees: Relative number of trees.
        block: Shortest and longest block.
        depth: Depth of a block.
        density: Share of lots that are built on.
        industrial: Share of blocks with sheds and parking lots.
    """

    name: str
    lot: tuple[float, float]
    house: tuple[float, float]
    flat: float
    trees: float
    block: tuple[float, float]
    depth: float
    density: float
    industrial: float = 0.0


def draw_residential_block(
    canvas: Canvas, frame: Frame, area: Area, style: Style, sun: Sun, random: np.random.Generator
) -> tuple[list[Building], Trees]:
    """Draw the ground of two rows of lots, back to back.

    Returns:
        Buildings and trees (centre in pixels, radius in metres), to be drawn later.
    """
    u0, v0, u1, v1 = area
    middle = (v0 + v1) / 2
    buildings: list[Building] = []
    trees: Trees = []
    for front, back in ((v0, middle), (v1, middle)):
        u = u0
        while u + style.lot[0] <= u1 + 1e-6:
            width = min(random.uniform(*style.lot), u1 - u)
            _draw_lot(canvas, frame, (u, front, u + width, back), style, sun, random, buildings, trees)
            u += width
    return buildings, trees


def _draw_lot(
    canvas: Canvas,
    frame: Frame,
    lot: Area,
    style: Style,
    sun: Sun,
    random: np.random.Generator,
    buildings: list[Building],
    trees: Trees,
) -> None:
    """Draw a lot's ground and plan its house; ``lot`` runs from the street (v0) to the back (v1)."""
    u0, v0, u1, v1 = lot
    inward = 1.0 if v1 > v0 else -1.0
    width, depth = u1 - u0, abs(v1 - v0)
    ground: Colour = [(88, 104, 60), (120, 116, 76), (146, 122, 94), (156, 104, 80), (128, 124, 118)][
        random.choice(5, p=[0.45, 0.25, 0.13, 0.07, 0.10])
    ]
    canvas.paint(frame.rectangle(u0, v0, u1, v1), ground, fine=0.07, coarse=0.09, opacity=random.uniform(0.35, 0.85))
    if random.random() > style.density:
        _scatter_trees(frame, lot, style, random, trees, 3)
        return
    house_width = min(random.uniform(*style.house), width - 1.6)
    house_depth = min(random.uniform(style.house[0] * 0.8, style.house[1]), depth - 5)
    setback = random.uniform(3.5, 7.5) if depth - house_depth > 9 else 2.0
    left = u0 + (width - house_width) * random.uniform(0.2, 0.8)
    front = v0 + inward * setback
    drive_u = left + random.choice([0.5, house_width - 3.7])
    grey = random.uniform(100, 190)
    drive_colour: Colour = (grey, grey * 0.98, grey * 0.95)
    drive_end = front + inward * random.choice([0.0, house_depth * 0.5])
    canvas.paint(frame.rectangle(drive_u, v0, drive_u + 3.2, drive_end), drive_colour)
    if random.random() < 0.45:
        draw_car(canvas, frame.at(drive_u + 1.6, v0 + inward * setback * 0.5, np.pi / 2), sun, random)
    buildings.append(_plan_house(frame, left, front, house_width, house_depth * inward, style, random))
    rear = front + inward * (house_depth + 1.5)
    yard = abs(v1 - rear)
    if yard > 4:
        if random.random() < 0.35:
            patio = frame.rectangle(left + 1, rear - inward * 1.5, left + 1 + random.uniform(3, 6), rear + inward * 2.5)
            canvas.paint(patio, (182, 172, 158))
        if random.random() < 0.16 and yard > 7:
            draw_pool(canvas, frame.at(u0 + width * 0.5, rear + inward * yard * 0.5), random)
        elif random.random() < 0.35:
            shed_u = random.choice([u0 + 0.8, u1 - 4.0])
            shed = frame.at(shed_u, v1 - inward * 4.2)
            size = random.uniform(2.2, 3.4, 2)
            buildings.append(_building(shed, (Wing(0, 0, size[0], size[1]),), "gable", SHINGLES, 2.2, random))
    _scatter_trees(frame, lot, style, random, trees, random.poisson(2.6 * style.trees * width * depth / 500))


def _plan_house(
    frame: Frame, u: float, v: float, width: float, depth: float, style: Style, random: np.random.Generator
) -> Building:
    """Plan a house of one to three wings; ``depth`` is negative where the lot runs backwards."""
    low, high = min(v, v + depth), max(v, v + depth)
    tall = high - low
    wings = [Wing(0, 0, width, tall)]
    form = random.random()
    if form < 0.35 and width > 8:  # L
        share = random.uniform(0.4, 0.6)
        wings = [Wing(0, tall * 0.35, width, tall), Wing(0, 0, width * share, tall * 0.8)]
    elif form < 0.55 and width > 9:  # T
        centre = random.uniform(0.3, 0.5) * width
        wings = [Wing(0, tall * 0.4, width, tall), Wing(centre, 0, centre + width * 0.35, tall * 0.8)]
    if depth < 0:  # the short wing looks to the street
        wings = [Wing(wing.u0, tall - wing.v1, wing.u1, tall - wing.v0) for wing in wings]
    shape: RoofShape = "flat" if random.random() < style.flat else "hip" if random.random() < 0.5 else "gable"
    palette = MEMBRANES if shape == "flat" else SHINGLES
    return _building(frame.at(u, low, random.normal(0, 0.015)), tuple(wings), shape, palette, 3.2, random)


def _building(
    frame: Frame,
    wings: tuple[Wing, ...],
    shape: RoofShape,
    palette: tuple[Colour, ...],
    height: float,
    random: np.random.Generator,
) -> Building:
    base = np.array(palette[random.integers(len(palette))]) * random.uniform(0.85, 1.15) + random.normal(0, 4, 3)
    colour: Colour = (float(base[0]), float(base[1]), float(base[2]))
    return Building(frame, wings, shape, colour, height * random.uniform(0.85, 1.7), np.deg2rad(random.uniform(18, 36)))


def draw_industrial_block(
    canvas: Canvas, frame: Frame, area: Area, style: Style, sun: Sun, random: np.random.Generator
) -> tuple[list[Building], Trees]:
    """Draw a block cut into a few yards: halls, parking lots, storage on bare ground, a court.

    Returns:
        Buildings and trees, to be drawn later.
    """
    u0, v0, u1, v1 = area
    buildings: list[Building] = []
    trees: Trees = []
    grey = random.uniform(105, 190)
    canvas.paint(frame.rectangle(*area), (grey, grey * 0.98, grey * 0.95), fine=0.04, coarse=0.08)
    cells = max(2, round((u1 - u0) / random.uniform(38, 62)))
    edges = np.linspace(u0, u1, cells + 1)
    rows = [(v0, v1)] if random.random() < 0.5 or v1 - v0 < 50 else [(v0, (v0 + v1) / 2), ((v0 + v1) / 2, v1)]
    for left, right in itertools.pairwise(edges):
        for low, high in rows:
            use = random.random()
            yard = (left + 2, low + 2, right - 2, high - 2)
            if use < 0.62:
                _plan_hall(canvas, frame, yard, sun, random, buildings)
            elif use < 0.86:
                draw_parking(canvas, frame, yard, sun, random)
            elif use < 0.93:
                draw_court(canvas, frame.at((left + right) / 2, (low + high) / 2), random)
            else:
                soil: Colour = [(150, 124, 96), (164, 108, 84), (170, 160, 142)][random.integers(3)]
                canvas.paint(frame.rectangle(*yard), soil, fine=0.06, coarse=0.12)
            _scatter_trees(frame, (left, low, right, high), style, random, trees, random.poisson(6 * style.trees))
    return buildings, trees


def _plan_hall(
    canvas: Canvas, frame: Frame, yard: Area, sun: Sun, random: np.random.Generator, buildings: list[Building]
) -> None:
    """Plan a hall that fills most of a yard; what is left becomes parking."""
    u0, v0, u1, v1 = yard
    width, depth = (u1 - u0) * random.uniform(0.7, 1.0), (v1 - v0) * random.uniform(0.5, 0.85)
    if v1 - v0 - depth > 9:
        draw_parking(canvas, frame, (u0, v0 + depth + 1.5, u1, v1), sun, random)
    wings = [Wing(0, 0, width, depth)]
    if random.random() < 0.4:
        wings = [Wing(0, 0, width, depth * 0.65), Wing(0, depth * 0.6, width * random.uniform(0.3, 0.7), depth)]
    shape: RoofShape = "flat" if random.random() < 0.8 else "gable"
    buildings.append(_building(frame.at(u0, v0), tuple(wings), shape, MEMBRANES, 5.5, random))


def _scatter_trees(
    frame: Frame, lot: Area, style: Style, random: np.random.Generator, trees: Trees, count: int
) -> None:
    """Plant trees anywhere in a lot, so that some hang over a roof's edge."""
    low, high = sorted((lot[1], lot[3]))
    for _ in range(int(count)):
        centre = frame.points([(random.uniform(lot[0], lot[2]), random.uniform(low, high))])[0]
        trees.append((centre, float(random.uniform(1.2, 4.6) * (0.7 if style.industrial == 1.0 else 1.0))))
