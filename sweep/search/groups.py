"""Groups: what hands out trials, and hears what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sweep.planning.policy import Decision
from sweep.records.trials import TrialPlan, TrialRecords

Outcome = Literal["finished", "stopped", "paused", "failed"]


class TrialGroup(ABC):
    """A supply of trials. It knows from the experiment's record what has been done, so a resume is a new start.

    Attributes:
        launches: How often it has handed out a trial; the group with the fewest is served first.
    """

    launches: int = 0

    @abstractmethod
    def next(self) -> TrialPlan | None:
        """Hand out the next trial; None when there is none now."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether every trial has ended and none will come."""

    @abstractmethod
    def on_epoch(self, attempt: str, epoch: int, val_iou: float) -> Decision:
        """Hear of an epoch that is not the trial's last one, and decide what becomes of the trial."""

    @abstractmethod
    def on_end(self, attempt: str, outcome: Outcome, report: Mapping[str, Any]) -> None:
        """Hear that a trial has ended or paused; the report is empty when it crashed before the first one."""


class PlannedTrials(TrialGroup):
    """Trials that are known beforehand; each runs to its end.

    Args:
        plans: In the order in which they start.
        records: What has been done; trials that finished are left out, failed ones are tried again.
    """

    def __init__(self, plans: Sequence[TrialPlan], records: TrialRecords) -> None:
        records.add(*plans)
        self._waiting = [plan for plan in plans if records.state(plan.attempt) != "finished"]
        self._running = 0

    def next(self) -> TrialPlan | None:
        """Hand out the next trial."""
        if not self._waiting:
            return None
        self.launches += 1
        self._running += 1
        return self._waiting.pop(0)

    @property
    def done(self) -> bool:
        """Whether every trial has ended."""
        return not self._waiting and not self._running

    def on_epoch(self, attempt: str, epoch: int, val_iou: float) -> Decision:
        """Let the trial continue: nobody is compared."""
        return Decision.CONTINUE

    def on_end(self, attempt: str, outcome: Outcome, report: Mapping[str, Any]) -> None:
        """Count the trial as ended."""
        self._running -= 1
