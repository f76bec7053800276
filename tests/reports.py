"""Plans, reports and experiments of trials that nobody trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweep.planning.plan import SweepPlan
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan, TrialRecords
from trainables.data.tiles import TuningData
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.report import EpochReport, FinalReport
from trainables.storage import Storage


def plan_of(attempt: str = "unet", *, study: str = "", recipe: Recipe | None = None, **changes: Any) -> TrialPlan:
    """Return a trial's plan: one that a study proposed, or that was planned."""
    fields: dict[str, Any] = {
        "attempt": attempt,
        "contest": study or attempt,
        "role": "search" if study else "planned",
        "study": study,
        "recipe": recipe or Recipe(),
        "weights": Weights(kind="none"),
    }
    return TrialPlan(**{**fields, **changes})


def begin_experiment(
    storage: Path, *plans: TrialPlan, name: str = "e", data: dict[str, Any] | None = None, **changes: Any
) -> Experiment:
    """Write what an experiment says of itself and of its trials, as a driver that begins leaves it.

    Args:
        storage: The folder of experiments.
        plans: Its planned trials, which wait.
        name: Its name.
        data: Fields of its data that are not the usual ones.
        changes: Other fields of its description: it is an unfinished Phase 1.
    """
    opened = Storage.open(str(storage))
    opened.create()
    experiment = Experiment(opened, name)
    tiles = {"path": "p", "name": "x", "synthetic": False, "fingerprint": "f", "train": ["a"], "val": ["b"]}
    plan = SweepPlan(trials=plans).to_dict()
    common = {"phase": "phase1", "profile": "smoke", "ended": False, "plan": plan, "data": {**tiles, **(data or {})}}
    experiment.describe({**common, **changes})
    if plans:
        TrialRecords(experiment).add(*plans)
    return experiment


def data_of(patches: Path, **changes: Any) -> dict[str, Any]:
    """Return what an experiment says of a dataset."""
    data = TuningData.read(patches)
    tiles = {"train": [tile.name for tile in data.train], "val": [tile.name for tile in data.val]}
    return {"path": str(patches), "name": data.name, "fingerprint": data.fingerprint, **tiles, **changes}


def epoch_of(epoch: int, **changes: Any) -> EpochReport:
    """Return the report of an epoch; val IoU rises by a tenth per epoch."""
    numbers: dict[str, Any] = {
        "epoch": epoch,
        "learning_rate": 1e-3,
        "train_loss": 0.7,
        "val_loss": 0.6,
        "val_iou": epoch / 10,
        "val_f1": epoch / 10,
        "tile_iou": {"t4": epoch / 10},
        "worst_tile": "t4",
        "encoder_frozen": False,
        "step_seconds": 0.1,
        "images_per_second": 4.0,
        "seconds": 2.0,
        "peak_memory_bytes": 1,
        "best_epoch": epoch,
        "best_val_iou": epoch / 10,
    }
    return EpochReport(**{**numbers, **changes})


def final_of(iou: float) -> FinalReport:
    """Return the final scores of a trial with a single val tile."""
    tiles = {"t4": {"iou": iou, "f1": iou, "confusion": [[1, 2], [3, 4]]}}
    return FinalReport(final_val_iou=iou, final_val_f1=iou, final_seconds=1.0, final_tiles=tiles)
