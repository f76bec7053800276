"""The one callback through which Ray Tune feeds the observers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray import tune

from sweep.observers.observer import Observer
from sweep.ray_tune.searcher import attempt_of, outcome_of
from sweep.records.trials import ERROR_FILE, TrialPlan
from trainables.report import EpochReport, TrialReport


class ObserverCallback(tune.Callback):  # type: ignore[misc]
    """Turns what Tune says into what observers hear, and drops the epochs that they have heard of."""

    def __init__(self, observers: Sequence[Observer], plan_of: Callable[[str], TrialPlan]) -> None:
        self._observers = observers
        self._plan_of = plan_of
        self._last: dict[str, EpochReport] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; a terminal cannot be copied, and a URI may hold a password

    def setup(self, stop: Any = None, num_samples: Any = None, total_num_samples: Any = None, **info: Any) -> None:
        """The run begins."""
        for observer in self._observers:
            observer.open()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune's loop has come round."""
        for observer in self._observers:
            observer.tick()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial got its resources."""
        plan = self._plan(trial)
        for observer in self._observers:
            observer.begin(plan)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial reported an epoch, for the first time or again; a failure or a lost storage comes with its end."""
        if (report := TrialReport.from_dict(result).epoch) is None:
            return
        plan = self._plan(trial)
        known = self._last.get(plan.attempt)
        if known and report.epoch <= known.epoch:
            return
        self._last[plan.attempt] = report
        for observer in self._observers:
            (observer.replay if result["replayed"] else observer.epoch)(plan, report)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended by itself, paused, or was stopped by the scheduler."""
        plan, last = self._plan(trial), trial.last_result or {}
        report = TrialReport.from_dict(last)
        for observer in self._observers:
            if report.failure:
                observer.failed(plan, report.failure)
            else:
                observer.end(plan, outcome_of(last), self._last.get(plan.attempt), report.final)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial crashed for good."""
        plan = self._plan(trial)
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace") if trial.error_file else "crashed"
        for observer in self._observers:
            observer.failed(plan, f"crashed; {plan.attempt}/{ERROR_FILE} says why", text)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """The run is over."""
        self.close()

    def close(self) -> None:
        """Let observers end what they have begun; Tune does not say so where a run ends with an error."""
        for observer in self._observers:
            observer.close()

    def _plan(self, trial: Any) -> TrialPlan:
        return self._plan_of(attempt_of(trial))
