"""bf16 beside fp32 on a CPU: how long training steps take, and what a training comes to over several seeds.

Run with ``python -m benchmarks.precision``; half an hour on two idle CPU cores that compute bf16.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import torch
from rich.console import Console

from benchmarks.knobs import paired
from benchmarks.loops import random_weights
from benchmarks.report import Report, Section
from benchmarks.tiles import synthetic_tiles
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.measure_steps import measure_steps
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.models.registry import get_architecture
from trainables.models.resolving import resolve
from trainables.precision import computes_bf16
from trainables.training import Trainer

PRECISIONS = ("fp32", "bf16")
PROFILE = get_profile("demo")
CONSOLE = Console(highlight=False)


def steps(report: Report, data: TuningData, names: list[str], repeats: int, threads: int) -> None:
    """Measure each architecture's step as a sweep does."""
    for name in names:
        trial = TrialPlan(attempt=name, contest=name, recipe=shared_recipe(name, PROFILE), weights=random_weights(name))
        found = [measure_steps(trial, data, threads) for _ in range(repeats)]
        report.add(
            Section(
                title=f"{name}: a step of the demo, {threads} threads",
                unit="s",
                values={"fp32": [one.fp32 for one in found], "bf16": [one.bf16 for one in found]},
                baseline="fp32",
            )
        )


def trainings(report: Report, data: TuningData, names: list[str], seeds: int, crop: int) -> None:
    """Train the demo's recipe on crops of a size with several seeds in both precisions; score whole val tiles."""
    for name in names:
        ious: dict[str, list[float]] = {one: [] for one in PRECISIONS}
        taken: dict[str, list[float]] = {one: [] for one in PRECISIONS}
        for seed in range(42, 42 + seeds):
            for precision in PRECISIONS:
                recipe = shared_recipe(name, PROFILE, seed=seed).replace(precision=precision, crop_size=crop)
                weights = resolve(get_architecture(name).needs, "available")
                started = time.process_time()
                trainer = Trainer(recipe, data, torch.device("cpu"), weights)
                while not trainer.finished:
                    trainer.train_epoch()
                ious[precision].append(trainer.finish()[0].iou)
                taken[precision].append(time.process_time() - started)
                CONSOLE.print(f"{name}, seed {seed}, {precision}: val IoU {ious[precision][-1]:.4f}")
        title = f"{name}: val IoU of whole tiles after the demo's training, {crop} x {crop}, {seeds} seeds"
        report.add(Section(title=title, unit="IoU", values=ious, baseline="fp32", more_is_better=True))
        report.add(Section(title=f"{name}: that training", unit="s of CPU", values=taken, baseline="fp32"))
        gaps = [half - whole for half, whole in zip(ious["bf16"], ious["fp32"], strict=True)]
        report.note(f"{name}: bf16 less fp32 by seed", paired(gaps))
        spreads = {one: torch.tensor(values).std().item() for one, values in ious.items()}
        report.note(f"{name}: standard deviation over seeds", spreads)


def main() -> None:
    """Measure and write the figures on the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--architectures", default="unet,smp_unet_resnet34,smp_unet_efficientnet_lite0", help="A,B,...")
    parser.add_argument("--train", default="smp_unet_efficientnet_lite0", help="architectures to train; empty: none")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each, in each precision")
    parser.add_argument("--crop", type=int, default=256, help="pixels per side of the trainings' views")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of a step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patches", type=Path, help="a dataset; default: drawn tiles")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(given.threads)
    if not computes_bf16():
        parser.exit(2, "error: this CPU has no instructions for bf16\n")
    measured, trained = ([one for one in names.split(",") if one] for names in (given.architectures, given.train))
    with synthetic_tiles((24, 6, 1), 1024) as drawn:
        data = TuningData.read(given.patches or drawn)
        if measured:
            report = Report(name="precision")
            steps(report, data, measured, given.repeats, given.threads)
            report.write()
        if trained:
            report = Report(name="precision-seeds")
            trainings(report, data, trained, given.seeds, given.crop)
            report.write()


if __name__ == "__main__":
    main()
