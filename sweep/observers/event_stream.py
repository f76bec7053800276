"""Tells programs what happens to the trials while a sweep runs."""

from __future__ import annotations

from typing import Any

from ray import tune

from sweep.cli.output import Events
from sweep.ray_tune.searcher import attempt_of, outcome_of
from sweep.records.trials import ERROR_FILE
from trainables.report import EVENT, shown_in

TOLD = tuple(one.name for one in shown_in(EVENT))
"""What an ``epoch`` event takes from a report."""


class EventStream(tune.Callback):  # type: ignore[misc]
    """Emits ``trial_started``, ``epoch``, ``trial_ended`` and ``trial_failed``.

    Args:
        events: Where to.
    """

    def __init__(self, events: Events) -> None:
        self._events = events

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial got its resources."""
        self._emit("trial_started", trial, max_epochs=trial.config["trial"]["recipe"]["max_epochs"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial reported an epoch; one that it trained before it was broken off is not told again."""
        if "epoch" in result and not result["replayed"]:
            self._emit("epoch", trial, **{name: result.get(name) for name in TOLD})

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended by itself, paused, or was stopped by the scheduler."""
        last = trial.last_result or {}
        if failure := last.get("failure"):
            self._emit("trial_failed", trial, reason=failure)
            return
        scores = {name: last.get(name) for name in ("epoch", "best_epoch", "best_val_iou")}
        finals = {"val_iou": last.get("final_val_iou"), "val_f1": last.get("final_val_f1")}
        self._emit("trial_ended", trial, outcome=outcome_of(last), **scores, **finals)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial crashed for good."""
        self._emit("trial_failed", trial, reason=f"crashed; {attempt_of(trial)}/{ERROR_FILE} says why")

    def _emit(self, event: str, trial: Any, **fields: Any) -> None:
        settings = trial.config["trial"]
        self._events.emit(event, attempt=settings["attempt"], group=settings["group"], **fields)
