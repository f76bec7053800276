"""Weights & Biases: one run per attempt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import wandb

from sweep.observers.tracking import Tracker, numbers, parameters
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan
from sweep.search.groups import Outcome
from trainables.errors import ExperimentError
from trainables.report import EpochReport, FinalReport

INIT_SECONDS = 30
"""How long a run may take to begin; W&B's own limit is 90 s."""


class WandbRuns(Tracker):
    """Writes a run per attempt into a project, grouped by experiment; a run of an earlier start continues.

    The experiment's folder gets W&B's files where it is local, the current folder where not.
    """

    def __init__(self, value: str, experiment: Experiment) -> None:
        self._project = value
        self._group = experiment.name
        self._sweep = str(experiment.description.get("id", experiment.name))
        self._place = experiment.path() if experiment.storage.is_local else str(Path.cwd())
        self._runs: dict[str, Any] = {}

    @classmethod
    def require(cls, value: str) -> None:
        """See ``Tracker``."""
        if os.environ.get("WANDB_MODE") in ("offline", "disabled") or os.environ.get("WANDB_API_KEY"):
            return
        if not wandb.login(prompt=False):
            raise ExperimentError("--wandb: no API key; run wandb login, set WANDB_API_KEY, or set WANDB_MODE=offline")

    def begin(self, plan: TrialPlan) -> None:
        """Begin a run, or continue that of an earlier start."""
        if plan.attempt in self._runs:  # its process died
            return
        self._runs[plan.attempt] = wandb.init(
            project=self._project,
            group=self._group,
            id=f"{self._sweep[:12]}-{plan.attempt}",
            name=plan.attempt,
            resume="allow",
            reinit="create_new",  # several runs side by side
            config=parameters(plan),
            dir=self._place,
            settings=wandb.Settings(console="off", silent=True, init_timeout=INIT_SECONDS),
        )

    def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
        """Log an epoch; W&B leaves out steps that it has."""
        run = self._runs[plan.attempt]
        if report.epoch >= run.step:
            run.log(numbers(report), step=report.epoch)

    replay = epoch

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """Log the final scores and end the run."""
        run = self._runs.pop(plan.attempt)
        if final and last:
            run.log(numbers(final), step=last.epoch)
        run.finish()

    def failed(self, plan: TrialPlan, reason: str, traceback: str = "") -> None:
        """End the run as a failed one."""
        self._runs.pop(plan.attempt).finish(exit_code=1)

    def close(self) -> None:
        """End the runs of trials that an interrupt broke off."""
        while self._runs:
            self._runs.popitem()[1].finish()
