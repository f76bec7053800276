"""Puts the decisions of the trials' groups into practice: Tune itself compares nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from sweep.planning.policy import Decision


class PolicyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Ends a Tune trial that is stopped or pauses; one that pauses comes back later as another Tune trial."""

    def __init__(self, decide: Callable[[str, Mapping[str, Any]], Decision]) -> None:
        super().__init__()
        self._decide = decide
        self._pausing: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; a resume does not need it

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Ask what becomes of a trial."""
        decision = self._decide(trial.trial_id, result)
        if decision is Decision.PAUSE:
            self._pausing.add(trial.trial_id)
        return str(TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Mark the last result of a trial that pauses, before anybody else hears of its end."""
        if trial.trial_id in self._pausing:
            self._pausing.remove(trial.trial_id)
            trial.last_result["paused"] = True
