"""An experiment of any number of trials that nobody trained, written by the project's own writers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from search_spaces.phase1 import shared_recipe
from search_spaces.phase2 import space
from search_spaces.profiles import get_profile
from sweep.cli.options import SweepOptions
from sweep.planning.halving import Halving
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.records.experiment import Experiment
from sweep.records.trials import TRIALS_FILE, State, TrialPlan, TrialRecords
from sweep.session.session import Phase, _description
from trainables.data.tiles import TuningData
from trainables.models.weights import Weights
from trainables.recipe import AUGMENTATIONS
from trainables.storage import Storage

ARCHITECTURES = ("unet", "smp_unet_resnet34", "smp_deeplabv3plus_resnet34", "sam_vit_b_conv", "sam_vit_b_unet")
NAME = "e"
FINISHED_EPOCHS, STOPPED_EPOCHS = 45, 6
"""Epochs of the one trial in three that finishes, and of those that halving stops at the first rung."""
VAL_TILES = tuple(f"val{number}" for number in range(6))


def plan_of(trials: int, architectures: tuple[str, ...] = ("unet",), *, pausing: bool = False) -> SweepPlan:
    """Plan a search of Phase 2 at the paper's profile, a study an architecture, of so many trials in all."""
    profile = get_profile("paper")
    studies = tuple(
        StudyPlan(
            template=TrialPlan(
                attempt=name,
                group=name,
                contest=name,
                recipe=shared_recipe(name, profile),
                weights=Weights(kind="random"),
            ),
            space=space(name),
            trials=trials // len(architectures),
        )
        for name in architectures
    )
    return SweepPlan(
        studies=studies, halving=Halving(max_epochs=60, grace_epochs=6, reduction_factor=3, pausing=pausing)
    )


def experiment_at(folder: Path) -> Experiment:
    """Return an empty experiment."""
    (folder / NAME).mkdir(exist_ok=True)
    return Experiment(Storage.open(str(folder)), NAME)


def report_of(epoch: int, number: int, *, last: bool = False) -> dict[str, Any]:
    """Return an epoch's report as a trial saves it; its scores follow from epoch and trial."""
    iou = 0.4 + 0.3 * (number * 37 % 101) / 101 * epoch / FINISHED_EPOCHS
    tiles = {tile: iou + 0.01 * place for place, tile in enumerate(VAL_TILES)}
    counts = [[900_000, 20_000], [30_000, 98_576]]
    final = {tile: {"iou": value, "f1": 2 * value / (1 + value), "confusion": counts} for tile, value in tiles.items()}
    finals = {"final_val_iou": iou, "final_val_f1": 2 * iou / (1 + iou), "final_seconds": 9.5, "final_tiles": final}
    return {
        "epoch": epoch,
        "learning_rate": 0.00123456789,
        "train_loss": 0.4123456789,
        "val_loss": 0.5123456789,
        "val_iou": iou,
        "val_f1": 2 * iou / (1 + iou),
        "val_pixel_accuracy": 0.9512345678,
        "val_frequency_weighted_iou": 0.9112345678,
        "class_iou": {"background": 0.95, "building": iou},
        "tile_iou": tiles,
        "worst_tile": VAL_TILES[0],
        "encoder_frozen": epoch <= 20,
        "step_seconds": 0.8123456789,
        "images_per_second": 4.9123456789,
        "data_share": 0.0123456789,
        "seconds": 92.123456789,
        "peak_memory_bytes": 9_876_543_210,
        "memory_measures": "",
        "best_epoch": epoch,
        "best_val_iou": iou,
        "gpu_joules": 6123.4,
        "done": last,
        "finished": last,
        **({**finals, "trainable_parameters": 24_436_369} if last else {}),
    }


def save_reports(folder: Storage, plan: TrialPlan, data: TuningData, number: int, *, finished: bool) -> None:
    """Write what a trial leaves, weights and predictions apart, with the trial's own code."""
    from trainables.segmentation import SegmentationTrainable

    epochs = FINISHED_EPOCHS if finished else STOPPED_EPOCHS
    trial = object.__new__(SegmentationTrainable)  # no Ray is there to make one
    trial._all_data = data
    runs = {"until": 60, "device": "cpu", "compiled": False, "trace": False, "folder": folder.address}
    trial._start({"trial": {**plan.to_dict(), **runs}})
    trial._reports = [report_of(epoch, number, last=finished and epoch == epochs) for epoch in range(1, epochs + 1)]
    block = "  epoch {}/60  train loss 0.412  val IoU 0.655 (best 0.655)\n  memory 9.2 of 16 GB, 4.9 images a second"
    for epoch in range(1, epochs + 1):
        trial._say(block.format(epoch))
    folder.create()
    folder.write("recipe.json", plan.recipe.to_json().encode())
    trial._save()
    if not finished:
        trial._states.clear()


def make_experiment(folder: Path, trials: int, *, planned: bool = False) -> dict[str, float]:
    """Write an ended experiment of so many trials into a folder, with the dataset that it names.

    Args:
        folder: Holds ``patches``, whose tiles it says it was trained on.
        trials: How many.
        planned: Every trial is a contender of its own, as in a Phase 1 of so many attempts; else five searches.

    Returns:
        Files and bytes a trial.
    """
    data = TuningData.read(folder / "patches")
    experiment = experiment_at(folder)
    plan = plan_of(trials, ARCHITECTURES)
    each = [study.trial(n, _values(study, n)) for n in range(trials // 5) for study in plan.studies]
    if planned:
        each = [replace(one, contest=one.attempt, group=one.attempt) for one in each]
        plan = SweepPlan(trials=tuple(each))
    options = SweepOptions(profile="paper", patches=folder / "patches", storage=str(folder), name=NAME)
    phase = Phase(name="phase1" if planned else "phase2", architectures=ARCHITECTURES, build=lambda *_: plan)
    description = _description(phase, options, get_profile("paper"), plan, data)
    experiment.describe({**description, "ended": True})
    records = TrialRecords(experiment)
    records.add(*each)
    lines = []
    for number, one in enumerate(each):
        finished = planned or number % 3 == 0
        save_reports(experiment.folder(one.attempt), one, data, number, finished=finished)
        state: State = "finished" if finished else "stopped"
        lines.append(json.dumps({**one.to_dict(), "state": state, "reason": ""}))
    experiment.write(TRIALS_FILE, "".join(f"{line}\n" for line in lines).encode())
    files = [file for file in (folder / NAME).rglob("*") if file.is_file()]
    return {"files a trial": len(files) / trials, "bytes a trial": sum(file.stat().st_size for file in files) / trials}


def _values(study: StudyPlan, number: int) -> dict[str, Any]:
    low, high = study.space["learning_rate"].low, study.space["learning_rate"].high  # type: ignore[attr-defined]
    part = number % 89 / 89
    rate, dropout, weight = low * (high / low) ** part, 0.6 * (number % 53) / 53, 0.1 + 0.8 * (number % 31) / 31
    return {
        "learning_rate": rate,
        "decoder_dropout": dropout,
        "bce_weight": weight,
        "augmentation": AUGMENTATIONS[number % 4],
    }
