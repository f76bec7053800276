"""What recipe knobs bring on real tiles, each beside the same trainings without it.

Run with ``python -m benchmarks.knobs unlabelled --patches DIR`` (the mean teacher, with five labelled tiles) or
``python -m benchmarks.knobs stages --patches DIR`` (deep supervision, with all train tiles); some fifteen minutes each
on two CPU cores. The labelled tiles are divided into five folds by scene. A training sees those of four, and is scored
on the whole tiles of the fifth with its weights of the last epoch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from rich.console import Console
from scipy import stats

from benchmarks.folds import divided
from benchmarks.report import Report, Section
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from trainables.data.budgets import draw_tiles
from trainables.data.tiles import Tile, TuningData
from trainables.models.registry import get_architecture
from trainables.models.resolving import resolve
from trainables.recipe import Recipe
from trainables.training import Trainer

CONSOLE = Console(width=120, highlight=False)
CPU = torch.device("cpu")
ARCHITECTURE = "smp_unet_efficientnet_lite0"
SEED = 42
PLAIN = "shared recipe"
AVERAGE = "moving average"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Some ways of training.

    Attributes:
        labelled: Train tiles of each training; 0 for all.
        ways: Name to what the recipe has of its own.
        pairs: Which are compared: the one with the knob, and the one without.
    """

    labelled: int
    ways: Mapping[str, Mapping[str, Any]]
    pairs: tuple[tuple[str, str], ...]


AVERAGED = {"ema_decay": 0.99}
COMPARISONS: Mapping[str, Comparison] = {
    "unlabelled": Comparison(
        labelled=5,
        ways={
            PLAIN: {},
            AVERAGE: AVERAGED,
            "mean teacher": {**AVERAGED, "consistency_weight": 1.0},
        },
        pairs=(("mean teacher", AVERAGE), ("mean teacher", PLAIN), (AVERAGE, PLAIN)),
    ),
    "stages": Comparison(
        labelled=0,
        ways={
            PLAIN: {},
            "deep supervision": {"deep_supervision": 0.5},
        },
        pairs=(("deep supervision", PLAIN),),
    ),
}


def without_labels(tile: Tile) -> Tile:
    """Return a tile of which the labels are not known."""
    return replace(tile, mask=np.zeros_like(tile.mask))


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training.

    Attributes:
        patches: The dataset.
        labelled: Train tiles that keep their labels; 0 for all.
        draws: How many folds there are.
        number: Which of them is left out, from 0.
        way: Name of the way.
        recipe: Without what the way has of its own.
        changes: That.
    """

    patches: Path
    labelled: int
    draws: int
    number: int
    way: str
    recipe: Recipe
    changes: Mapping[str, Any]

    def data(self) -> TuningData:
        """Read the tiles of this training."""
        pooled, folds = divided(TuningData.read(self.patches), self.draws, SEED)
        data = folds[self.number].of(pooled)
        if not self.labelled:
            return data
        drawn = draw_tiles(data.train, (self.labelled,), self.number + 1, SEED, data.task)
        few = drawn[self.number][self.labelled]
        rest = tuple(without_labels(tile) for tile in data.train if tile.name not in few)
        return replace(data.only(few), unlabelled=rest)

    def run(self) -> tuple[float, float, str]:
        """Train for all epochs.

        Returns:
            Mean IoU of whole val tiles with the last weights, the CPU's seconds, and what the log says last.
        """
        torch.set_num_threads(1)
        started = time.process_time()
        weights = resolve(get_architecture(self.recipe.architecture).needs, "available")
        recipe = self.recipe.replace(seed=SEED + self.number, patience=self.recipe.max_epochs, **self.changes)
        trainer = Trainer(recipe, self.data(), CPU, weights, workers=1)
        for _ in range(recipe.max_epochs):
            trainer.train_epoch()
        trainer._keep()  # whatever val says, so that it has no part in the score
        iou = trainer.finish()[0].iou
        said = (trainer.memory_news() or [""])[-1]
        return iou, time.process_time() - started, said


def paired(differences: list[float]) -> str:
    """Write a mean difference with its 95 % interval by Student's t over draws, and in how many it is above 0."""
    mean, above = fmean(differences), sum(one > 0 for one in differences)
    count = len(differences)
    half = stats.t.ppf(0.975, count - 1) * stdev(differences) / count**0.5 if count > 1 else float("nan")
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f}), better in {above} of {count}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(COMPARISONS))
    parser.add_argument("--patches", type=Path, required=True, help="a dataset of at least five scenes")
    parser.add_argument("--draws", type=int, default=5, help="trainings of each way, of as many folds")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--processes", type=int, default=2, help="trainings side by side, of one thread each")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="a recipe field, in all ways")
    parser.add_argument("--ways", help="only these, with commas")
    arguments = parser.parse_args()
    chosen = COMPARISONS[arguments.what]
    ways = {name: one for name, one in chosen.ways.items() if not arguments.ways or name in arguments.ways.split(",")}
    base = shared_recipe(ARCHITECTURE, get_profile(arguments.profile)).replace(max_epochs=arguments.epochs)
    for one in arguments.set:
        field, _, text = one.partition("=")
        base = base.replace(**{field: type(getattr(base, field))(text)})
    jobs = [
        Job(
            patches=arguments.patches,
            labelled=chosen.labelled,
            draws=arguments.draws,
            number=number,
            way=name,
            recipe=base,
            changes=dict(changes),
        )
        for number in range(arguments.draws)
        for name, changes in ways.items()
    ]
    scores: dict[str, list[float]] = {name: [] for name in ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        for job, (iou, seconds, said) in zip(jobs, pool.map(Job.run, jobs), strict=True):
            scores[job.way].append(iou)
            times[job.way].append(seconds)
            CONSOLE.print(f"draw {job.number + 1}, {job.way}: IoU {iou:.3f}, {seconds:.0f} s of CPU {said}")
    report = Report(name=f"knobs-{arguments.what}")
    baseline = PLAIN if PLAIN in ways else next(iter(ways))
    title = f"IoU of whole tiles, {arguments.draws} draws"
    report.add(Section(title=title, unit="IoU", values=scores, baseline=baseline, more_is_better=True))
    report.add(Section(title="a training", unit="s of CPU", values=times, baseline=baseline))
    for one, other in chosen.pairs:
        if one in ways and other in ways:
            found = [a - b for a, b in zip(scores[one], scores[other], strict=True)]
            report.note(f"{one} less {other}", paired(found))
    report.write()


if __name__ == "__main__":
    main()
