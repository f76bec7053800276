"""Weights & Biases: Ray's callback, but with one run an attempt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ray.air.integrations.wandb import WandbLoggerCallback

from sweep.observers.tracking import harmless, measured, parameters
from sweep.ray_tune.searcher import attempt_of
from sweep.records.experiment import Experiment

UPLOAD_SECONDS = 120
"""How long the end of a sweep waits for uploads; Ray's half an hour would keep an interrupted one from ending."""


class WandbRuns(WandbLoggerCallback):  # type: ignore[misc]
    """Tells W&B of every trial, in a process of Ray's for each.

    Ray's own callback makes a run for each of Tune's trials. A trial of ours that pauses, or that a resumed sweep
    takes up, is a new one to Tune, and first reports again what it did before; W&B leaves out steps that it knows.

    Args:
        project: The project; must not be empty.
        experiment: Becomes the group; its folder gets the files where it is local, the current one where not.
    """

    def __init__(self, project: str, experiment: Experiment) -> None:
        super().__init__(project=project, group=experiment.name, upload_timeout=UPLOAD_SECONDS)
        self._sweep = str(experiment.description.get("id", experiment.name))
        self._place = experiment.path() if experiment.storage.is_local else str(Path.cwd())
        self._open: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs

    @harmless
    def setup(self, *arguments: Any, **named: Any) -> None:
        """Find the project and the API key."""
        super().setup(*arguments, **named)

    @harmless
    def log_trial_start(self, trial: Any) -> None:
        """Begin a run, or go on with the one of an earlier start."""
        attempt = attempt_of(trial)
        self.kwargs = {  # of wandb.init
            "id": f"{self._sweep[:12]}-{attempt}",
            "name": attempt,
            "resume": "allow",
            "config": parameters(trial.config["trial"]),
            "dir": self._place,
            "mode": os.environ.get("WANDB_MODE"),
        }
        super().log_trial_start(trial)
        self._open[attempt] = trial

    @harmless
    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        """Log an epoch."""
        if numbers := measured(result):
            # W&B's step is Tune's count of reports.
            super().log_trial_result(iteration, trial, {**numbers, "training_iteration": int(numbers["epoch"])})

    @harmless
    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """End the run."""
        self._open.pop(attempt_of(trial), None)
        super().log_trial_end(trial, failed)

    @harmless
    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """End the runs of trials that an interrupt broke off, and wait for uploads."""
        for trial in list(self._open.values()):
            self.log_trial_end(trial)
        super().on_experiment_end(trials, **info)
