"""A finished experiment of one small model, written by hand in a moment, and commands run in this process."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from sweep.cli.console import Command
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialRecords
from tests.reports import begin_experiment, data_of, plan_of
from trainables.checkpoints import read_best
from trainables.data.tiles import TuningData

ATTEMPT = "unet"


def finished_experiment(
    storage: Path, patches: Path, best_file: Path, name: str = "mine", run: str = "1" * 32
) -> Experiment:
    """Write an experiment whose one trial has finished.

    Args:
        storage: The folder of experiments.
        patches: The dataset.
        best_file: Weights that were trained on it.
        name: The experiment's name.
        run: Its id.
    """
    data = TuningData.read(patches)
    folder = storage / name / ATTEMPT
    folder.mkdir(parents=True)
    weights = Path(shutil.copy(best_file, folder / "best.safetensors"))
    best = read_best(weights)
    plan = plan_of(ATTEMPT, recipe=best.recipe, weights=best.weights)
    experiment = begin_experiment(
        storage, plan, name=name, data=data_of(patches, synthetic=True), id=run, ended=True, options={}, code={}
    )
    TrialRecords(experiment).set_state(ATTEMPT, "finished")
    tile = {"iou": 0.5, "f1": 0.6, "confusion": [[1, 1], [1, 1]]}
    report = {
        "epoch": 1,
        "val_iou": 0.5,
        "best_val_iou": 0.5,
        "best_epoch": 1,
        "seconds": 1.0,
        "done": True,
        "finished": True,
        "final_val_iou": 0.5,
        "final_val_f1": 0.6,
        "final_tiles": {one.name: tile for one in data.val},
        "best_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    experiment.write(f"{ATTEMPT}/reports.jsonl", f"{json.dumps(report)}\n".encode())
    return experiment


def run_here(command: Command, *arguments: object) -> int:
    """Run a command in this process; returns its exit code."""
    with pytest.raises(SystemExit) as ended:
        command.run([str(one) for one in arguments])
    return int(ended.value.code or 0)
