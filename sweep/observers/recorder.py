"""Keeps the experiment's record of its trials up to date while Tune runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import tune

from sweep.ray_tune.searcher import attempt_of, outcome_of
from sweep.records.experiment import Experiment
from sweep.records.trials import ERROR_FILE, TrialRecords


class Recorder(tune.Callback):  # type: ignore[misc]
    """Writes what becomes of every trial.

    Args:
        experiment: Whose trials.
        records: Its record.
    """

    def __init__(self, experiment: Experiment, records: TrialRecords) -> None:
        self._experiment = experiment
        self._records = records

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune's loop has come round."""
        self._records.write_if_due()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial got its resources."""
        self._records.set_state(attempt_of(trial), "running")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended by itself, paused, or was stopped by the scheduler."""
        last = trial.last_result or {}
        outcome = outcome_of(last)
        if outcome == "stopped":
            self._records.give_up(attempt_of(trial))
        else:
            self._records.set_state(attempt_of(trial), outcome, last.get("failure", ""))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial crashed for good."""
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace") if trial.error_file else "crashed"
        self._experiment.write(f"{attempt_of(trial)}/{ERROR_FILE}", text.encode())
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        self._records.set_state(attempt_of(trial), "failed", lines[-1] if lines else "crashed")
