"""MLflow: Ray's callback, but with one run an attempt."""

from __future__ import annotations

import time
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from ray.air.integrations.mlflow import MLflowLoggerCallback

from sweep.observers.tracking import harmless, measured, parameters
from sweep.ray_tune.searcher import attempt_of, outcome_of
from sweep.records.experiment import Experiment

SWEEP_TAG, ATTEMPT_TAG, OUTCOME_TAG = "tilesweep.experiment", "tilesweep.attempt", "tilesweep.outcome"
STATUS = {"finished": "FINISHED", "stopped": "FINISHED", "paused": "SCHEDULED", "failed": "FAILED"}
"""How a trial ended to MLflow's word; what ASHA stops has done its part."""


class MlflowRuns(MLflowLoggerCallback):  # type: ignore[misc]
    """Tells MLflow of every trial.

    Ray's own callback makes a run for each of Tune's trials. A trial of ours that pauses, or that a resumed sweep
    takes up, is a new one to Tune, and first reports again what it did before; it shall go on in its run. Ray's also
    logs the whole config, the names of all tiles included, and asks the server thrice a metric.

    Args:
        uri: The tracking URI.
        experiment: Becomes MLflow's experiment of that name.
    """

    def __init__(self, uri: str, experiment: Experiment) -> None:
        super().__init__(tracking_uri=uri, experiment_name=experiment.name)
        self._sweep = str(experiment.description.get("id", experiment.name))
        self._runs: dict[str, str] = {}
        self._told: dict[str, int] = {}
        self._open: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; the URI may hold a password

    @harmless
    def setup(self, *arguments: Any, **named: Any) -> None:
        """Find or make MLflow's experiment."""
        super().setup(*arguments, **named)
        self._client = MlflowClient(tracking_uri=self.tracking_uri)

    @harmless
    def log_trial_start(self, trial: Any) -> None:
        """Begin a run, or go on with the one of an earlier start."""
        attempt = attempt_of(trial)
        if attempt not in self._runs:
            self._find_or_create(attempt, trial.config["trial"])
        self._client.update_run(self._runs[attempt], status="RUNNING")
        self._open.add(attempt)

    def _find_or_create(self, attempt: str, settings: dict[str, Any]) -> None:
        experiment_id = self.mlflow_util.experiment_id
        same = f"tags.`{SWEEP_TAG}` = '{self._sweep}' and tags.`{ATTEMPT_TAG}` = '{attempt}'"
        if found := self._client.search_runs([experiment_id], filter_string=same, max_results=1):
            self._runs[attempt] = found[0].info.run_id
            self._told[attempt] = int(found[0].data.metrics.get("epoch", 0))
            return
        tags = {SWEEP_TAG: self._sweep, ATTEMPT_TAG: attempt, "architecture": settings["recipe"]["architecture"]}
        run = self._client.create_run(experiment_id, tags=tags, run_name=attempt)
        chosen = [Param(name, str(value)) for name, value in parameters(settings).items()]
        self._client.log_batch(run.info.run_id, params=chosen)
        self._runs[attempt], self._told[attempt] = run.info.run_id, 0

    @harmless
    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        """Log an epoch that MLflow does not know yet."""
        attempt, numbers = attempt_of(trial), measured(result)
        if not numbers or numbers["epoch"] <= self._told[attempt]:
            return
        now, epoch = int(time.time() * 1000), int(numbers["epoch"])
        metrics = [Metric(name, value, now, epoch) for name, value in numbers.items()]
        self._client.log_batch(self._runs[attempt], metrics=metrics)
        self._told[attempt] = epoch

    @harmless
    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """Say how the trial ended."""
        attempt, last = attempt_of(trial), trial.last_result or {}
        outcome = "failed" if failed else outcome_of(last)
        run = self._runs[attempt]
        self._client.set_tag(run, OUTCOME_TAG, last.get("failure") or outcome)
        self._client.set_terminated(run, status=STATUS[outcome])
        self._open.discard(attempt)

    @harmless
    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Say of trials that an interrupt broke off that they no longer run."""
        for attempt in self._open:
            self._client.set_terminated(self._runs[attempt], status="KILLED")
