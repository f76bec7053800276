"""How often a 95 % interval of tilesweep's holds the truth, and how often a contender is called better that is not.

Run with ``python -m benchmarks.coverage``; about three minutes on one CPU core. ``sweep.results.statistics.COVERAGE``,
which leaderboards and reports quote, comes from here, and so do the tables of docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import Report
from sweep.results.statistics import Scores, compare, mean_interval

TILES, TRAININGS = (3, 6, 12, 24), (1, 2, 3)
SEED_SPREAD = 0.03
"""Standard deviation between trainings, and of a training's tiles about their usual difficulty, in IoU."""


def _beta(rng: np.random.Generator, tiles: int) -> Scores:
    """Draw tiles that are mostly good, some bad; the true mean is 0.75."""
    return rng.beta(6.0, 2.0, size=tiles)


def _two_kinds(rng: np.random.Generator, tiles: int) -> Scores:
    """Draw tiles of which one in five is hard; the true mean is 0.8 * 0.8 + 0.2 * 0.4 = 0.72."""
    hard = rng.random(tiles) < 0.2
    return np.where(hard, 0.4, 0.8) + rng.uniform(-0.1, 0.1, size=tiles)


DISTRIBUTIONS: Mapping[str, tuple[Callable[[np.random.Generator, int], Scores], float]] = MappingProxyType(
    {"skewed": (_beta, 0.75), "two kinds of tiles": (_two_kinds, 0.72)}
)


def covered(distribution: str, trainings: int, tiles: int, simulations: int, seed: int = 0) -> float:
    """Return the share of simulated data sets whose 95 % interval held the true mean.

    Args:
        distribution: Of the tiles' difficulty: a key of ``DISTRIBUTIONS``.
        trainings: Trainings of each data set; one has no seed to it, for its interval speaks of tiles alone.
        tiles: Tiles of each data set, at least 2.
        simulations: Data sets.
        seed: Of the simulation.
    """
    draw, truth = DISTRIBUTIONS[distribution]
    rng = np.random.default_rng([seed, trainings, tiles])
    spread = SEED_SPREAD if trainings > 1 else 0.0
    hits = 0
    for _ in range(simulations):
        scores = draw(rng, tiles)[None] + spread * rng.normal(size=(trainings, 1))
        scores = scores + spread * rng.normal(size=(trainings, tiles))
        interval = mean_interval(scores)
        assert interval.low is not None and interval.high is not None
        hits += interval.low <= truth <= interval.high
    return hits / simulations


@dataclass(frozen=True, kw_only=True)
class World:
    """Contenders whose true order is known.

    Attributes:
        truths: Their true means less the first one's, in IoU.
        tiles: Val tiles.
        trainings: Of each contender.
        spread: Standard deviation between trainings, in IoU: of all, or of each.
    """

    truths: tuple[float, ...]
    tiles: int
    trainings: int
    spread: float | tuple[float, ...] = 0.015

    def draw(self, rng: np.random.Generator) -> list[Scores]:
        """Draw every contender's scores: (trainings, tiles) each.

        A tile is hard or easy for all; besides, models differ from tile to tile by 0.03, and trainings by 0.02.
        """
        shape = (self.trainings, self.tiles)
        difficulty = rng.beta(5.0, 1.7, self.tiles)
        spreads = np.broadcast_to(self.spread, len(self.truths))
        return [
            difficulty
            + truth
            + rng.normal(0.0, 0.03, self.tiles)
            + rng.normal(0.0, spread, (self.trainings, 1))
            + rng.normal(0.0, 0.02, shape)
            for truth, spread in zip(self.truths, spreads, strict=True)
        ]

    def __str__(self) -> str:
        kind = "equal" if not any(self.truths) else f"apart by {', '.join(f'{-one:.2f}' for one in self.truths[1:])}"
        spread = "0.005 to 0.06" if isinstance(self.spread, tuple) else f"{self.spread}"
        return f"{len(self.truths)} {kind}, {self.tiles} tiles x {self.trainings}, seeds {spread}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was said of simulated contenders, as shares of the simulations.

    Attributes:
        wrongly: A contender was called worse than one that is no better.
        held: All intervals that are shown held the true differences, all at once; NaN where none is shown.
        alone: One was called the single winner.
        somebody: Somebody was called worse than the winner.
    """

    wrongly: float
    held: float
    alone: float
    somebody: float


def told(world: World, simulations: int, seed: int = 0) -> Told:
    """Compare simulated contenders."""
    rng = np.random.default_rng([seed, len(world.truths), world.tiles, world.trainings])
    counts = np.zeros(4)
    for _ in range(simulations):
        found = compare(world.draw(rng), draws=1)
        best = next(number for number, one in enumerate(found) if one.difference is None)
        true = [truth - world.truths[best] for truth in world.truths]
        behind = [number for number, one in enumerate(found) if number != best and not one.tied]
        shown = [
            (one.difference.low, truth, one.difference.high)
            for one, truth in zip(found, true, strict=True)
            if one.difference is not None
        ]
        counts += (
            any(true[number] >= 0.0 for number in behind),
            all(low is not None and high is not None and low <= truth <= high for low, truth, high in shown),
            len(behind) == len(found) - 1,
            bool(behind),
        )
    wrongly, held, alone, somebody = (float(count) / simulations for count in counts)
    return Told(wrongly=wrongly, held=held if world.trainings > 1 else float("nan"), alone=alone, somebody=somebody)


UNEVEN = (0.005, 0.015, 0.015, 0.015, 0.06)
FANNED = (0.0, -0.01, -0.02, -0.03, -0.05)
WORLDS = (
    *(World(truths=(0.0, 0.0), tiles=tiles, trainings=trainings) for trainings in (1, 2, 3) for tiles in (6, 24)),
    *(
        World(truths=(0.0,) * 5, tiles=tiles, trainings=trainings, spread=0.02)
        for trainings in (2, 3)
        for tiles in TILES
    ),
    World(truths=(0.0,) * 5, tiles=24, trainings=3, spread=UNEVEN),
    World(truths=(0.0,) * 10, tiles=24, trainings=3, spread=0.02),
    *(World(truths=FANNED, tiles=tiles, trainings=3) for tiles in (6, 24)),
    *(World(truths=(0.0, -gain), tiles=tiles, trainings=3) for gain in (0.03, 0.06) for tiles in (6, 24)),
)


def main(simulations: int = 2_000) -> None:
    """Measure every combination, print the tables and write the figures."""
    means = Table(title=f"share of {simulations} simulated 95 % intervals that held the truth", title_justify="left")
    for heading in ("tiles are", "trainings", *(f"{tiles} tiles" for tiles in TILES)):
        means.add_column(heading)
    report = Report(name="coverage")
    for distribution in DISTRIBUTIONS:
        for trainings in TRAININGS:
            shares = [covered(distribution, trainings, tiles, simulations) for tiles in TILES]
            means.add_row(distribution, str(trainings), *(f"{share:.3f}" for share in shares))
            for tiles, share in zip(TILES, shares, strict=True):
                report.notes[f"{distribution}, {trainings} trainings, {tiles} tiles"] = share
    differences = Table(title=f"what was said of {simulations} simulated sets of contenders", title_justify="left")
    for heading in ("contenders", "wrongly called worse", "all intervals hold", "single winner", "somebody worse"):
        differences.add_column(heading)
    for world in WORLDS:
        found = told(world, simulations)
        figures = {"wrongly": found.wrongly, "held": found.held, "alone": found.alone, "somebody": found.somebody}
        differences.add_row(str(world), *("-" if np.isnan(one) else f"{one:.3f}" for one in figures.values()))
        report.notes |= {f"{world}: {name}": one for name, one in figures.items() if not np.isnan(one)}
    for table in (means, differences):
        Console().print(table)
    report.write()


if __name__ == "__main__":
    main()
