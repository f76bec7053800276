"""Which pixels are labelled: a stratified random sample, drawn by how much ground a pixel shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sweep.audit.maps.class_maps import DIFFER, ClassMaps
from sweep.audit.maps.survey import MapSurvey

LEAST = 50
"""Points of a rare class that a large sample has at least: Olofsson et al. 2014, 5.1.1, advise 50 to 100."""
FEW = 8
"""Up to so many times the sample, a stratum's pixels are all looked at."""


@dataclass(frozen=True, kw_only=True)
class SamplePoint:
    """A pixel that is to be labelled.

    Attributes:
        number: From 1, in an order that tells nothing.
        column: Of the map, from 0.
        row: Likewise.
        stratum: Where it was drawn.
        values: What each map says.
    """

    number: int
    column: int
    row: int
    stratum: int
    values: tuple[int, ...]


def allocate(survey: MapSurvey, count: int) -> dict[int, int]:
    """Divide a sample among the strata: half of it evenly, up to 50 points each, the rest by area.

    Where two maps differ they are compared, so that gets half of the sample. No stratum gets more points than it has
    pixels; what it leaves is divided among the others.

    Returns:
        Stratum to its number of points, at least 1 each where the sample has as many points as there are strata.
    """
    found = dict.fromkeys(survey.strata, 0)
    if DIFFER in found and len(found) > 1:
        found[DIFFER] = min(count // 2, survey.stratum_pixels(DIFFER))
        others = [one for one in found if one != DIFFER]
    else:
        others = list(found)
    floor = max(1, min(LEAST, (count - found.get(DIFFER, 0) * (DIFFER not in others)) // (2 * len(others))))
    for stratum in others:
        found[stratum] = min(floor, survey.stratum_pixels(stratum), count)
    while (left := count - sum(found.values())) > 0:
        open_to = [one for one in others if found[one] < survey.stratum_pixels(one)]
        open_to = open_to or [one for one in found if found[one] < survey.stratum_pixels(one)]
        if not open_to:
            break
        shares = np.array([survey.stratum_area(one) for one in open_to])
        wanted = np.floor(left * shares / shares.sum()).astype(int)
        wanted[np.argsort(-shares, kind="stable")[: left - int(wanted.sum())]] += 1
        for stratum, more in zip(open_to, wanted.tolist(), strict=True):
            found[stratum] = min(found[stratum] + more, survey.stratum_pixels(stratum))
    return found


def draw(maps: ClassMaps, survey: MapSurvey, counts: Mapping[int, int], seed: int) -> list[SamplePoint]:
    """Draw distinct pixels of each stratum, each pixel with a probability in proportion to its ground.

    Blocks are drawn first, then pixels in them: only the blocks in which points are get read.

    Args:
        maps: Open.
        survey: Of them.
        counts: As ``allocate`` returns them.
        seed: Decides.
    """
    random = np.random.default_rng(seed)
    found: dict[int, dict[tuple[int, int], tuple[int, ...]]] = {}
    for stratum, count in counts.items():
        if not count:
            continue
        if survey.stratum_pixels(stratum) <= FEW * count:
            found[stratum] = _of_few(maps, survey, stratum, count, random)
            continue
        found[stratum] = {}
        while len(found[stratum]) < count:  # pixels that were drawn before do not count
            for place, values in _draws(maps, survey, stratum, 2 * count, random):
                if len(found[stratum]) < count:
                    found[stratum].setdefault(place, values)
    every = [(stratum, place, values) for stratum, points in found.items() for place, values in points.items()]
    order = random.permutation(len(every)).tolist()
    return [
        SamplePoint(
            number=number,
            column=every[index][1][1],
            row=every[index][1][0],
            stratum=every[index][0],
            values=every[index][2],
        )
        for number, index in enumerate(order, start=1)
    ]


Drawn = tuple[tuple[int, int], tuple[int, ...]]
"""Row and column, and what each map says there."""


def _draws(maps: ClassMaps, survey: MapSurvey, stratum: int, count: int, random: np.random.Generator) -> list[Drawn]:
    """Return pixels of a stratum, with replacement, in the order in which they were drawn."""
    areas = survey.areas[:, stratum]
    blocks = random.choice(len(areas), size=count, p=areas / areas.sum())
    numbers: dict[int, list[int]] = defaultdict(list)
    for number, block in enumerate(blocks.tolist()):
        numbers[block].append(number)
    found: list[Drawn] = [((0, 0), ())] * count
    for block in sorted(numbers):
        for number, drawn in zip(
            numbers[block], _in_block(maps, block, stratum, len(numbers[block]), random), strict=True
        ):
            found[number] = drawn
    return found


def _in_block(
    maps: ClassMaps, number: int, stratum: int, count: int | None, random: np.random.Generator
) -> list[Drawn]:
    """Draw pixels of a block, with replacement; None returns all of them."""
    place = maps.places[number]
    block = maps.read(place)
    rows, columns = np.nonzero(block.strata == stratum)
    if count is None:
        chosen = np.arange(len(rows))
    else:
        ground = maps.row_areas(place)[rows]
        chosen = np.searchsorted(np.cumsum(ground), random.random(count) * ground.sum(), side="right")
        chosen = chosen.clip(max=len(rows) - 1)
    return [
        (
            (int(rows[one]) + place[0][0], int(columns[one]) + place[1][0]),
            tuple(int(values[rows[one], columns[one]]) for values in block.values),
        )
        for one in chosen.tolist()
    ]


def _of_few(
    maps: ClassMaps, survey: MapSurvey, stratum: int, count: int, random: np.random.Generator
) -> dict[tuple[int, int], tuple[int, ...]]:
    """Draw from all pixels of a small stratum, one after the other, without replacement."""
    pixels: list[Drawn] = []
    ground: list[float] = []
    for number in np.flatnonzero(survey.pixels[:, stratum]).tolist():
        place = maps.places[number]
        areas = maps.row_areas(place)
        found = _in_block(maps, number, stratum, None, random)
        pixels += found
        ground += [float(areas[row - place[0][0]]) for (row, _), _ in found]
    shares = np.array(ground) / np.sum(ground)
    chosen = random.choice(len(pixels), size=count, replace=False, p=shares)
    return dict(pixels[one] for one in chosen.tolist())
