"""An experiment as a driver writes it, for tests that read one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.records.experiment import Experiment
from sweep.records.lease import Holder
from sweep.records.trials import State, TrialPlan, TrialRecords
from tests.reports import plan_of
from trainables.storage import Storage

NAME = "phase1-demo"
RECIPE = shared_recipe("unet", get_profile("smoke")).replace(max_epochs=4, patience=4)


def report(epoch: int, **more: Any) -> dict[str, Any]:
    """Val IoU rises by a tenth an epoch; each takes 10 seconds."""
    common = {"train_loss": 0.5, "learning_rate": 1e-3, "seconds": 10.0, "done": False, "finished": False}
    return {**common, "epoch": epoch, "val_iou": epoch / 10, "best_val_iou": epoch / 10, "best_epoch": epoch, **more}


def end(epoch: int, val_iou: float) -> dict[str, Any]:
    return report(epoch, done=True, finished=True, final_val_iou=val_iou, final_val_f1=val_iou, final_tiles={})


class Made:
    """An experiment of planned trials, written as a driver writes it."""

    def __init__(self, folder: Path, trials: int, group: Callable[[str], str] = str) -> None:
        self.folder = folder / NAME
        self.storage = Storage.open(str(folder))
        self.experiment = Experiment(self.storage, NAME)
        self.plans = self.plans_of(trials, group)
        self.describe()
        self.records = TrialRecords(self.experiment)
        self.records.add(*self.plans)

    @staticmethod
    def plans_of(trials: int, group: Callable[[str], str] = str) -> list[TrialPlan]:
        names = [f"unet-{number}" for number in range(1, trials + 1)]
        return [plan_of(one, study=group(one), contest=one, recipe=RECIPE) for one in names]

    def describe(self, **changes: Any) -> None:
        self.storage.create()
        data = {"name": "d", "synthetic": False, "fingerprint": "f", "path": "p", "train": ["a"], "val": ["b"]}
        plan = {"trials": [plan.to_dict() for plan in self.plans], "studies": [], "halving": None}
        provenance = {"command": "python -m sweep.phase1 --name mine --profile demo"}
        common = {"phase": "phase1", "profile": "demo", "ended": False, "data": data, "plan": plan}
        self.experiment.describe({**common, "provenance": provenance, **changes})

    def trial(self, number: int, state: State, *reports: dict[str, Any], reason: str = "") -> None:
        name = f"unet-{number}"
        lines = "".join(f"{json.dumps(report)}\n" for report in reports)
        if lines:
            self.experiment.write(f"{name}/reports.jsonl", lines.encode())
        self.records.set_state(name, state, reason)

    def driven_by(self, **changes: Any) -> Path:
        path = self.folder.parent / f".{NAME}.driver.json"
        path.write_text(json.dumps(asdict(replace(Holder.here(), **changes))))
        return path
