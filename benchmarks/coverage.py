"""How often a 95 % interval of tilesweep's holds the truth, on simulated scores whose true mean is known.

Run with ``python -m benchmarks.coverage``; about two minutes on one CPU core. ``sweep.results.statistics.COVERAGE``,
which leaderboards and reports quote, comes from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import Report
from sweep.results.statistics import Resampling, Scores, mean_interval

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
    for number in range(simulations):
        scores = draw(rng, tiles)[None] + spread * rng.normal(size=(trainings, 1))
        scores = scores + spread * rng.normal(size=(trainings, tiles))
        interval = mean_interval(scores, Resampling(tiles, seed=number, resamples=2_000))
        assert interval.low is not None and interval.high is not None
        hits += interval.low <= truth <= interval.high
    return hits / simulations


def main(simulations: int = 2_000) -> None:
    """Measure every combination, print a table and write the figures."""
    table = Table(title=f"share of {simulations} simulated 95 % intervals that held the truth", title_justify="left")
    for heading in ("tiles are", "trainings", *(f"{tiles} tiles" for tiles in TILES)):
        table.add_column(heading)
    report = Report(name="coverage")
    for distribution in DISTRIBUTIONS:
        for trainings in TRAININGS:
            shares = [covered(distribution, trainings, tiles, simulations) for tiles in TILES]
            table.add_row(distribution, str(trainings), *(f"{share:.3f}" for share in shares))
            for tiles, share in zip(TILES, shares, strict=True):
                report.notes[f"{distribution}, {trainings} trainings, {tiles} tiles"] = share
    Console().print(table)
    report.write()


if __name__ == "__main__":
    main()
