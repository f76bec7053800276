"""Tells programs what happens to the trials while a sweep runs."""

from __future__ import annotations

from typing import Any

from sweep.cli.output import Events
from sweep.observers.observer import Observer
from sweep.records.trials import TrialPlan
from sweep.search.groups import Outcome
from trainables.report import EVENT, EpochReport, FinalReport, shown_in

EPOCH_EVENT = tuple(one.name for one in shown_in(EVENT))
"""What an ``epoch`` event takes from a report."""


class EventStream(Observer):
    """Emits ``trial_started``, ``epoch``, ``trial_ended`` and ``trial_failed``."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def begin(self, plan: TrialPlan) -> None:
        """Say that a trial starts."""
        self._emit("trial_started", plan, max_epochs=plan.epochs)

    def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
        """Say what an epoch brought."""
        self._emit("epoch", plan, **{name: getattr(report, name) for name in EPOCH_EVENT})

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """Say how a trial ended."""
        scores = {name: getattr(last, name, None) for name in ("epoch", "best_epoch", "best_val_iou")}
        finals = {"val_iou": final and final.final_val_iou, "val_f1": final and final.final_val_f1}
        self._emit("trial_ended", plan, outcome=outcome, **scores, **finals)

    def failed(self, plan: TrialPlan, reason: str, traceback: str = "") -> None:
        """Say why a trial failed."""
        self._emit("trial_failed", plan, reason=reason)

    def _emit(self, event: str, plan: TrialPlan, **fields: Any) -> None:
        self._events.emit(event, attempt=plan.attempt, group=plan.group, **fields)
