"""A whole sweep of short trials, and one of longer trials: tilesweep against what a user would write instead.

Run with ``python -m benchmarks.sweep``; about half an hour on two CPU cores, ``--quick`` about five minutes.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import median

from rich.console import Console
from scipy.stats import mannwhitneyu

from benchmarks.processes import run_module
from benchmarks.report import Report, Section, in_turn, seconds
from benchmarks.sweep_ways import Job
from benchmarks.tiles import synthetic_tiles
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from trainables.recipe import Recipe

OURS, TUNE, OPTUNA, LOOP = "tilesweep", "plain Ray Tune", "plain Optuna", "a process per trial"
ARCHITECTURES = ("unet", "smp_unet_resnet34")
LEARNING_RATES = (3e-3, 1e-3, 3e-4)
TILES = (24, 6, 1)  # the study's train and val; test is not read

Scores = dict[str, list[list[float]]]
"""Way to the val IoU of all trials, a list a repeat."""


def recipes(*, epochs: int, draws: int, seed: int, rates: Sequence[float] = LEARNING_RATES) -> tuple[Recipe, ...]:
    """Return both architectures with every learning rate and two presets, at smoke size; patience ends none early."""
    profile = get_profile("smoke")
    return tuple(
        shared_recipe(architecture, profile, seed=seed).replace(
            learning_rate=rate,
            augmentation=augmentation,
            max_epochs=epochs,
            patience=epochs,
            draws_per_epoch=draws,
        )
        for architecture, rate, augmentation in product(ARCHITECTURES, rates, ("LIGHT", "MEDIUM"))
    )


def ways(
    names: Sequence[str], patches: Path, jobs: Callable[[int], tuple[Recipe, ...]], scores: Scores
) -> Mapping[str, Callable[[], float]]:
    """Return the ways to measure; each call trains all recipes again and returns its seconds.

    Args:
        names: Which ways.
        patches: The dataset.
        jobs: Repeat, from 0, to its recipes.
        scores: Gets the val IoU of every trial.
    """

    def measure(name: str) -> float:
        found = scores.setdefault(name, [])
        chosen = jobs(len(found))
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            file, log = Path(folder) / "job.pickle", Path(folder) / "log.txt"
            job = Job(patches=patches, scratch=Path(folder) / "scratch", recipes=chosen)
            job.scratch.mkdir()
            file.write_bytes(pickle.dumps(job))

            def loop() -> None:
                for number in range(len(chosen)):
                    run_module("benchmarks.sweep_ways", "trial", file, number, log=log)

            word = {OURS: "tilesweep", TUNE: "tune", OPTUNA: "optuna"}.get(name)
            took = seconds(lambda: run_module("benchmarks.sweep_ways", word, file, log=log) if word else loop())
            found.append(json.loads(job.scores.read_text()))
        Console().print(f"{name}: {took:.1f} s", highlight=False)
        return took

    return {name: lambda name=name: measure(name) for name in names}  # type: ignore[misc]


def compare_times(report: Report, title: str, values: Mapping[str, Sequence[float]], *, baseline: str) -> None:
    """Show what a whole process took, and how many times faster than each other way tilesweep was."""
    report.add(Section(title=title, unit="s", values=values, baseline=baseline))
    for name, taken in values.items():
        if name != OURS:
            report.note(f"{title}: tilesweep, times faster than {name}", round(median(taken) / median(values[OURS]), 2))


def compare_scores(report: Report, title: str, scores: Scores) -> None:
    """Say whether all ways find the same val IoU: medians, ranges, and a rank test against tilesweep."""
    flat = {name: [iou for repeat in found for iou in repeat] for name, found in scores.items()}
    scored = f"{title}: val IoU of whole tiles, all trials"
    report.add(Section(title=scored, unit="IoU", values=flat, baseline=OURS, more_is_better=True))
    for name in flat:
        if name != OURS:
            test = mannwhitneyu(flat[OURS], flat[name])
            report.note(
                f"{title}: val IoU, tilesweep against {name}",
                f"medians differ by {median(flat[OURS]) - median(flat[name]):+.3f}, "
                f"Mann-Whitney p = {test.pvalue:.2f} ({len(flat[OURS])} trials each)",
            )


def main() -> None:
    """Measure and write the figures on the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="times that each way is measured")
    parser.add_argument("--quick", action="store_true", help="once each, and fewer epochs in the long trials")
    parser.add_argument("--epochs", type=int, default=3, help="of the short trials")
    parser.add_argument("--long-epochs", type=int, default=60, help="of the long trials")
    parser.add_argument("--size", type=int, default=256, help="side of a tile in pixels")
    options = parser.parse_args()
    repeats = 1 if options.quick else options.repeats
    long_epochs = min(options.long_epochs, 15) if options.quick else options.long_epochs
    report = Report(name="sweep")
    with synthetic_tiles(TILES, options.size) as patches:

        def short(repeat: int) -> tuple[Recipe, ...]:
            return recipes(epochs=options.epochs, draws=8, seed=42 + repeat)

        scores: Scores = {}
        title = f"whole sweep, 12 trials of {options.epochs} epochs"
        values = in_turn(ways((OURS, TUNE, OPTUNA, LOOP), patches, short, scores), repeats)
        compare_times(report, title, values, baseline=TUNE)
        compare_scores(report, title, scores)

        def long(repeat: int) -> tuple[Recipe, ...]:
            return recipes(epochs=long_epochs, draws=32, seed=42 + repeat, rates=(1e-3,))

        scores = {}
        title = f"long trials, 4 of {long_epochs} epochs"
        values = in_turn(ways((OURS, OPTUNA), patches, long, scores), repeats)
        compare_times(report, title, values, baseline=OPTUNA)
        compare_scores(report, title, scores)
    report.write()


if __name__ == "__main__":
    main()
