"""How often what is said of contenders is right, in every kind of study: who is best, by how much, how sure that is.

Run with ``python -m benchmarks.coverage``. A cell of the table is 2,000 simulated studies of equal contenders and as
many of unequal ones. Cells that are in ``coverage.csv`` already are not simulated again, so a run that was stopped
continues; cells of an earlier state of the statistics are. docs/maintainers/statistics.md shows the summary.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple, dataclass, fields
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.worlds import KINDS, MEANS, World
from sweep.results.layout import Floats
from sweep.results.probability import probabilities_best
from sweep.results.statistics import half_width, inconclusive, is_behind, pair_level
from sweep.results.variances import Variation

TILES, CONTENDERS, SEEDS = (3, 6, 12, 24, 30), (2, 5, 10), (0.0, 0.015, 0.03)
TRAININGS = ("1", "3", "5 folds")
MERITS = 0.02
"""Standard deviation of unequal contenders' merits, in IoU."""
STUDIES, LAYOUTS, DRAWS = 2_000, 20, 300
TABLE = Path(__file__).parent / "results" / "coverage.csv"
SURE = 0.9
"""What a P(best) is called sure from."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What was said of simulated contenders, as shares of the studies; NaN where nothing was.

    Attributes:
        sole: One was called the single winner.
        worse: Somebody was called worse than one that is no better.
        seen: Somebody was called worse than the winner.
        held: All intervals of differences held the truth, all at once.
        covered: The interval of the first contender's mean held the truth: that of its training, where there is one.
        sure: Somebody was given a P(best) of at least ``SURE``.
        right: Of these, how many were the best one.
    """

    sole: float
    worse: float
    seen: float
    held: float
    covered: float
    sure: float
    right: float


def said(world: World, studies: int, *, seed: int = 0, spread: float = 0.0, draws: int = 0) -> Said:
    """Simulate studies and judge what is said of them.

    Args:
        world: What they are of.
        studies: How many; they share ``LAYOUTS`` layouts of scenes and folds.
        seed: Of the simulation.
        spread: Standard deviation of merits that are drawn again for each layout, in IoU; 0 for the world's own.
        draws: How many for P(best); 0 leaves it out.
    """
    random = np.random.default_rng([seed, world.tiles, world.trainings, world.folds, len(world.merits)])
    blocks = [_judged(world, random, max(1, studies // LAYOUTS), spread, draws) for _ in range(LAYOUTS)]
    columns = {one.name: np.concatenate([block[one.name] for block in blocks]) for one in fields(Said)}
    return Said(**{name: _share(values) for name, values in columns.items()})


def _share(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _judged(world: World, random: np.random.Generator, studies: int, spread: float, draws: int) -> dict[str, Floats]:
    """Judge studies of one layout, a value each; NaN where nothing was said."""
    layout, number = world.layout(random), np.arange(len(world.merits))
    merits = random.normal(0.0, spread, (studies, number.size)) if spread else np.array([world.merits] * studies)
    contenders, luck = world.draw(random, layout, merits)
    found = {one.name: np.full(studies, np.nan) for one in fields(Said)}
    if all(unit.known for unit in layout.units):
        truth = MEANS[world.kind] + merits[:, 0]
        if world.trainings == 1 and layout.folds is None:
            truth = truth + luck[:, 0]
        found["covered"] = np.abs(contenders[0].mean(axis=(1, 2)) - truth) <= half_width(contenders[0], layout)
    if inconclusive([scores[0] for scores in contenders], layout):
        return {**found, "sole": np.zeros(studies), "worse": np.zeros(studies), "seen": np.zeros(studies)}
    means = np.stack([scores.mean(axis=(1, 2)) for scores in contenders], axis=1)
    best = means.argmax(axis=1)
    leads, true = (values - values[np.arange(studies), best][:, None] for values in (means, merits))
    variation = Variation.of(contenders, layout)
    halves = variation.half_widths(best, pair_level(number.size))
    behind = is_behind(leads, halves)
    found["sole"] = behind.sum(axis=1) == number.size - 1
    found["worse"], found["seen"] = (behind & (true >= 0.0)).any(axis=1), behind.any(axis=1)
    found["held"] = ((np.abs(leads - true) <= halves) | (number == best[:, None])).all(axis=1)
    if draws:
        covariances, freedoms = variation.together()
        some = np.arange(0, studies, 8)  # it takes longer than all the rest
        shares = np.array([probabilities_best(means[one], covariances[one], freedoms[one], draws) for one in some])
        sure = shares.max(axis=1) >= SURE
        found["sure"] = sure.astype(np.float64)
        found["right"] = np.where(sure, shares.argmax(axis=1) == merits[some].argmax(axis=1), np.nan)
    return found


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A line of the table.

    Attributes:
        kind: How hard tiles are.
        trainings: Of each contender: on one split, or one on each of so many folds.
        contenders: How many.
        seeds: Standard deviation between trainings, in IoU.
        tiles: Val tiles; with folds, labelled tiles.
    """

    kind: str
    trainings: str
    contenders: int
    seeds: float
    tiles: int

    @property
    def world(self) -> World:
        """Equal contenders in it."""
        number = int(self.trainings.split()[0])
        folds = self.trainings.endswith("folds")
        return World(
            merits=(0.0,) * self.contenders,
            tiles=self.tiles,
            trainings=1 if folds else number,
            folds=number if folds else 0,
            seeds=self.seeds,
            kind=self.kind,
        )


CELLS = tuple(
    Cell(kind=kind, trainings=trainings, contenders=contenders, seeds=seeds, tiles=tiles)
    for kind, trainings, contenders, seeds, tiles in product(KINDS, TRAININGS, CONTENDERS, SEEDS, TILES)
)


def judge(cell: Cell) -> tuple[Said, Said]:
    """Simulate a cell: equal contenders, and such whose merits differ by ``MERITS``."""
    equal, unequal = (
        said(cell.world, STUDIES, seed=seed, spread=spread, draws=DRAWS) for seed, spread in ((0, 0.0), (1, MERITS))
    )
    return equal, unequal


@cache
def state() -> str:
    """Return a fingerprint of what the present code says of a few small studies."""
    few = [
        said(cell.world, 2 * LAYOUTS, spread=MERITS, draws=20)
        for cell in CELLS
        if (cell.contenders, cell.seeds, cell.tiles) == (5, 0.015, 12)
    ]
    return hashlib.sha256(repr([[round(one, 3) for one in astuple(found)] for found in few]).encode()).hexdigest()[:16]


COLUMNS = (
    *(one.name for one in fields(Cell)),
    *(f"{kind} {one.name}" for kind in ("equal", "unequal") for one in fields(Said)),
)


def read(path: Path) -> dict[Cell, tuple[Said, Said]]:
    """Read the cells that were simulated by this state of the code."""
    text = path.read_text() if path.is_file() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()  # a line without an end was not written to it
    if not lines or lines[0] != f"# {state()}":
        return {}
    return dict(_cell(row) for row in csv.DictReader(lines[1:]))


def _cell(row: Mapping[str, str]) -> tuple[Cell, tuple[Said, Said]]:
    equal, unequal = (
        Said(**{one.name: float(row[f"{kind} {one.name}"] or "nan") for one in fields(Said)})
        for kind in ("equal", "unequal")
    )
    numbers = {"contenders": int(row["contenders"]), "seeds": float(row["seeds"]), "tiles": int(row["tiles"])}
    return Cell(kind=row["kind"], trainings=row["trainings"], **numbers), (equal, unequal)  # type: ignore[arg-type]


def simulate(path: Path, cells: Sequence[Cell] = CELLS) -> dict[Cell, tuple[Said, Said]]:
    """Simulate the cells that a file does not have yet, and add each to it as soon as it is known."""
    known = read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("\n".join([f"# {state()}", ",".join(COLUMNS), *(_line(*one) for one in known.items()), ""]))
    part.replace(path)
    todo = [cell for cell in cells if cell not in known]
    with path.open("a") as file, ProcessPoolExecutor(os.cpu_count()) as pool:
        for cell, both in zip(todo, pool.map(judge, todo), strict=True):
            known[cell] = both
            file.write(f"{_line(cell, both)}\n")
            file.flush()
    return {cell: known[cell] for cell in cells}


def _line(cell: Cell, both: tuple[Said, Said]) -> str:
    shares = ["" if np.isnan(share) else f"{share:.4f}" for one in both for share in asdict(one).values()]
    return ",".join([*map(str, asdict(cell).values()), *shares])


def summary(found: Mapping[Cell, tuple[Said, Said]]) -> list[str]:
    """Return a Markdown table: the worst cell of each kind of tiles and trainings, and how many are outside."""
    lines = [
        "| tiles are | trainings | sole winner among equals | all intervals hold | P(best) from 90 % on is right | "
        "mean's interval holds | cells too narrow, too wide |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for kind, trainings in product(KINDS, TRAININGS):
        those = {cell: both for cell, both in found.items() if (cell.kind, cell.trainings) == (kind, trainings)}
        both = [one for pair in those.values() for one in pair]
        held = [one.held for one in both if not np.isnan(one.held)]
        covered = [one.covered for one in both if not np.isnan(one.covered)]
        sure = [one for _, one in those.values() if one.sure > 0]
        right = sum(one.sure * one.right for one in sure) / sum(one.sure for one in sure) if sure else None
        cells = [
            f"{max(equal.sole for equal, _ in those.values()):.3f}",
            f"{min(held):.3f}" if held else "none shown",
            "not shown" if right is None else f"{right:.2f}",
            f"{min(covered):.3f} to {max(covered):.3f}",
            ", ".join(str(sum(fault in faults(*pair) for pair in those.values())) for fault in (NARROW, WIDE)),
        ]
        lines.append(f"| {kind} | {trainings} | {' | '.join(cells)} |")
    return lines


SOLE, MISSED = "a sole winner among equals in more than 5 %", "differences outside of their intervals in more than 7 %"
NARROW, WIDE = "a mean's interval holds less than 93 %", "a mean's interval holds more than 97 %"


def faults(equal: Said, unequal: Said) -> list[str]:
    """Say in what a cell is outside of what is promised; a share that is not known is not."""
    outside = {
        SOLE: equal.sole > 0.05,
        MISSED: equal.held < 0.93 or unequal.held < 0.93,
        NARROW: equal.covered < 0.93 or unequal.covered < 0.93,
        WIDE: equal.covered > 0.97 or unequal.covered > 0.97,
    }
    return [fault for fault, holds in outside.items() if holds]


def main() -> None:
    """Simulate all cells, and print the summary and every cell that is outside."""
    found = simulate(TABLE)
    error = (0.05 * 0.95 / STUDIES) ** 0.5
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{STUDIES:,} studies a cell: Monte Carlo error {error:.3f}, the standard error of 5 or 95 %.\n")
    console.print("\n".join(summary(found)))
    for fault in (SOLE, MISSED, NARROW, WIDE):
        those = [cell for cell, both in found.items() if fault in faults(*both)]
        console.print(f"\n{fault}: {len(those)} of {len(found)} cells")
        for (kind, tiles), number in sorted(Counter((cell.kind, cell.tiles) for cell in those).items()):
            console.print(f"  {kind}, {tiles} tiles: {number}")


if __name__ == "__main__":
    main()
