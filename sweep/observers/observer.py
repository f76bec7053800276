"""What follows the trials of a sweep: the record, the terminal, events and trackers are all observers."""

from __future__ import annotations

from sweep.records.trials import TrialPlan
from sweep.search.groups import Outcome
from trainables.report import EpochReport, FinalReport


class Observer:
    """Hears what happens to trials, in the driver. A subclass overrides what it cares about.

    A trial that pauses, or whose process died, begins again; no epoch of it comes twice.
    """

    def open(self) -> None:
        """The run begins."""

    def begin(self, plan: TrialPlan) -> None:
        """A trial got its resources."""

    def replay(self, plan: TrialPlan, report: EpochReport) -> None:
        """A trial has an epoch from before this run; each comes once, in order, before the first new one."""

    def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
        """A trial trained an epoch."""

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """A trial finished, paused, or was stopped.

        Args:
            plan: The trial.
            outcome: How it ended; never ``failed``.
            last: Its last epoch; None before the first one.
            final: Its final scores, where it finished.
        """

    def failed(self, plan: TrialPlan, reason: str, traceback: str = "") -> None:
        """A trial failed for good; the traceback is what its process left, if it crashed."""

    def tick(self) -> None:
        """Some time has passed, less than a second as a rule."""

    def close(self) -> None:
        """The run is over, whatever became of its trials; may come again."""
