"""MLflow: one run per attempt."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from sweep.observers.tracking import Tracker, numbers, parameters
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan
from sweep.search.groups import Outcome
from trainables.errors import ExperimentError
from trainables.report import EpochReport, FinalReport
from trainables.secrets import hide_secret

SWEEP_TAG, ATTEMPT_TAG, OUTCOME_TAG = "tilesweep.experiment", "tilesweep.attempt", "tilesweep.outcome"
STATUS = {"finished": "FINISHED", "stopped": "FINISHED", "paused": "SCHEDULED"}
"""How a trial ended to MLflow's word; what ASHA stops has done its part."""


class MlflowRuns(Tracker):
    """Writes a run per attempt into the MLflow experiment of the sweep's name; a run of an earlier start continues."""

    def __init__(self, value: str, experiment: Experiment) -> None:
        self._client = MlflowClient(tracking_uri=value)
        self._name = experiment.name
        self._sweep = str(experiment.description.get("id", experiment.name))
        self._runs: dict[str, str] = {}
        self._last: dict[str, int] = {}
        self._open: set[str] = set()

    @classmethod
    def require(cls, value: str) -> None:
        """See ``Tracker``."""
        # Else MLflow tries for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        for name in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            MlflowClient(tracking_uri=value).search_experiments(max_results=1)
        except Exception as error:  # MLflow's, SQLAlchemy's, those of HTTP
            raise ExperimentError(
                f"--mlflow {hide_secret(value)}: does not answer ({type(error).__name__}); give a "
                f"tracking URI such as sqlite:///mlflow.db or http://HOST:5000"
            ) from error

    def begin(self, plan: TrialPlan) -> None:
        """Begin a run, or continue that of an earlier start."""
        if plan.attempt not in self._runs:
            self._find_or_create(plan)
        self._client.update_run(self._runs[plan.attempt], status="RUNNING")
        self._open.add(plan.attempt)

    def _find_or_create(self, plan: TrialPlan) -> None:
        found = self._client.get_experiment_by_name(self._name)
        number = found.experiment_id if found else self._client.create_experiment(self._name)
        same = f"tags.`{SWEEP_TAG}` = '{self._sweep}' and tags.`{ATTEMPT_TAG}` = '{plan.attempt}'"
        if runs := self._client.search_runs([number], filter_string=same, max_results=1):
            self._runs[plan.attempt] = runs[0].info.run_id
            self._last[plan.attempt] = int(runs[0].data.metrics.get("epoch", 0))
            return
        tags = {SWEEP_TAG: self._sweep, ATTEMPT_TAG: plan.attempt, "architecture": plan.recipe.architecture}
        run = self._client.create_run(number, tags=tags, run_name=plan.attempt)
        chosen = [Param(name, str(value)) for name, value in parameters(plan).items()]
        self._client.log_batch(run.info.run_id, params=chosen)
        self._runs[plan.attempt], self._last[plan.attempt] = run.info.run_id, 0

    def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
        """Log an epoch that MLflow does not have yet."""
        if report.epoch > self._last[plan.attempt]:
            self._log(plan, numbers(report), report.epoch)
            self._last[plan.attempt] = report.epoch

    replay = epoch

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """Log the final scores and say how the trial ended."""
        if final and last:
            self._log(plan, numbers(final), last.epoch)
        self._close(plan, outcome, STATUS[outcome])

    def failed(self, plan: TrialPlan, reason: str, traceback: str = "") -> None:
        """Say why the trial failed."""
        self._close(plan, reason, "FAILED")

    def close(self) -> None:
        """Say of trials that an interrupt broke off that they no longer run."""
        for attempt in self._open:
            self._client.set_terminated(self._runs[attempt], status="KILLED")
        self._open.clear()

    def _log(self, plan: TrialPlan, values: Mapping[str, float], epoch: int) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, epoch) for name, value in values.items()]
        self._client.log_batch(self._runs[plan.attempt], metrics=metrics)

    def _close(self, plan: TrialPlan, outcome: str, status: str) -> None:
        self._client.set_tag(self._runs[plan.attempt], OUTCOME_TAG, outcome)
        self._client.set_terminated(self._runs[plan.attempt], status=status)
        self._open.discard(plan.attempt)
