"""Experiments as files, as a driver and its trials leave them; nothing is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.plan import SweepPlan
from sweep.records.experiment import Experiment
from sweep.records.provenance import provenance
from sweep.records.store import SCORES_SCHEMA, TEST_SCORES_FILE
from sweep.records.studies import PHASES, StudyFolder, StudyRecord
from sweep.records.trials import State, TrialPlan, TrialRecords
from sweep.results.leaderboard import Leaderboard
from sweep.sealed.ledger import Ledger, Reading
from trainables.models.weights import Weights
from trainables.storage import Storage

CONFUSION = [[50, 10], [10, 30]]


def trial_plan(architecture: str) -> TrialPlan:
    """Return one planned training of Phase 1."""
    recipe = shared_recipe(architecture, get_profile("smoke")).replace(max_epochs=2)
    common = {"contest": architecture, "contender": architecture}
    return TrialPlan(attempt=architecture, recipe=recipe, weights=Weights(kind="none"), **common)


def write_experiment(
    storage: Path,
    name: str = "phase1-demo",
    *,
    phase: str = "phase1",
    ended: bool = True,
    val: dict[str, tuple[float, ...]] | None = None,
    states: dict[str, State] | None = None,
    **changes: Any,
) -> Experiment:
    """Write an experiment.

    Args:
        storage: The folder that holds experiments.
        name: Its name.
        phase: What it says it is.
        ended: Whether it has ended.
        val: Architecture -> IoU of each val tile; two architectures by default.
        states: Architecture -> state, where it is not ``finished``.
        changes: Other fields of its description.
    """
    val = val or {"unet": (0.30, 0.34, 0.32), "smp_unet_resnet34": (0.70, 0.74, 0.72)}
    opened = Storage.open(str(storage))
    opened.create()
    experiment = Experiment(opened, name)
    plans = [trial_plan(architecture) for architecture in val]
    tiles = [f"v{number}" for number in range(len(next(iter(val.values()))))]
    data = {"name": "d", "synthetic": False, "fingerprint": "f", "path": str(storage / "patches"), "train": ["a", "b"]}
    experiment.describe(
        {
            "id": name,
            "phase": phase,
            "profile": "smoke",
            "ended": ended,
            "data": {**data, "val": tiles, "sheet": {}},
            "plan": SweepPlan(trials=tuple(plans)).to_dict(),
            "options": {"max_concurrent": None, "gpus_per_trial": None, "device": "auto", "seed": 42},
            "optuna_storage": None,
            "code": {},
            "provenance": {**provenance(), "command": f"python -m sweep.{phase} --profile smoke --name {name}"},
            **changes,
        }
    )
    records = TrialRecords(experiment)
    records.add(*plans)
    for plan in plans:
        state = (states or {}).get(plan.attempt, "finished")
        records.set_state(plan.attempt, state, "")
        ious = val[plan.attempt]
        reports = [_report(epoch, sum(ious) / len(ious)) for epoch in (1, 2)]
        if state == "finished":
            scores = {
                tile: {"iou": iou, "f1": iou, "confusion": CONFUSION} for tile, iou in zip(tiles, ious, strict=True)
            }
            mean = sum(ious) / len(ious)
            final = {"done": True, "finished": True, "final_val_iou": mean, "final_val_f1": mean}
            reports[-1] |= {**final, "final_tiles": scores, "trainable_parameters": 1000}
        lines = "".join(f"{json.dumps(report)}\n" for report in reports)
        experiment.write(f"{plan.attempt}/reports.jsonl", lines.encode())
    return experiment


def _report(epoch: int, iou: float) -> dict[str, Any]:
    common = {"train_loss": 0.5, "val_loss": 0.5, "learning_rate": 1e-3, "seconds": 10.0, "done": False}
    scores = {"val_iou": iou, "val_f1": iou, "best_val_iou": iou, "best_epoch": epoch, "step_seconds": 1.0}
    return {**common, **scores, "finished": False, "epoch": epoch, "images_per_second": 4.0, "encoder_frozen": False}


def a_reading(attempt: str = "unet", **changes: object) -> Reading:
    """Return a line of a ledger."""
    values: dict[str, object] = {
        "experiment": "e",
        "attempt": attempt,
        "checkpoint_sha256": "c" * 64,
        "data_fingerprint": "f",
        "test_fingerprint": "t" * 64,
        "time": "2026-01-01T00:00:00+00:00",
        "iou": 0.5,
        "f1": 0.6,
        "tiles": {"a": 0.5},
    }
    return Reading(**{**values, **changes})  # type: ignore[arg-type]


def score_all(experiment: Experiment, iou: float = 0.5) -> None:
    """Write what ``sweep.score`` writes of every trial: a reading in the ledger, then the scores."""
    import pyarrow as pa

    rows = []
    for attempt in [plan["attempt"] for plan in experiment.description["plan"]["trials"]]:
        tiles, run = {"t1": iou, "t2": iou}, experiment.description["id"]
        reading = a_reading(experiment=experiment.name, attempt=attempt, iou=iou, f1=iou, tiles=tiles, run=run)
        Ledger(experiment.storage).append([reading])
        rows += [
            {"attempt": attempt, "tile": tile, "iou": iou, "f1": iou, "confusion": CONFUSION} for tile in reading.tiles
        ]
    experiment.write_table(TEST_SCORES_FILE, pa.Table.from_pylist(rows, schema=SCORES_SCHEMA))


def write_study(storage: Path, name: str = "mine") -> StudyFolder:
    """Write a study whose phases have ended and read test; its report has not been made."""
    opened = Storage.open(str(storage))
    opened.create()
    study = StudyFolder(opened, name)
    study.save(StudyRecord(options={}, fingerprint="f"))
    for number, phase in enumerate(PHASES):
        val = {"unet": (0.3, 0.34, 0.32), "smp_unet_resnet34": (0.7, 0.74, 0.72 + number / 100)}
        experiment = write_experiment(storage, f"{name}-{phase}", phase=phase, val=val)
        score_all(experiment)
        Leaderboard(experiment).write()
    return study
