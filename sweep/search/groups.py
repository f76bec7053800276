"""Groups: what hands out trials, and hears what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sweep.records.trials import TO_THE_END, TrialPlan, TrialRecords

Outcome = Literal["finished", "stopped", "paused", "failed"]


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A trial that is to run now.

    Attributes:
        plan: The trial.
        until: The epoch after which it pauses.
        protected: ASHA may not stop it.
    """

    plan: TrialPlan
    until: int = TO_THE_END
    protected: bool = False


class TrialGroup(ABC):
    """A supply of trials. It knows from the experiment's record what has been done, so a resume is a new start.

    Attributes:
        launches: How often it has handed out a trial; the group with the fewest is served first.
    """

    launches: int = 0

    @abstractmethod
    def next(self) -> Launch | None:
        """Hand out the next trial; None when there is none now."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether every trial has ended and none will come."""

    @abstractmethod
    def on_epoch(self, attempt: str, epoch: int, val_iou: float) -> None:
        """Hear of an epoch after which the trial goes on."""

    @abstractmethod
    def on_end(self, attempt: str, outcome: Outcome, report: Mapping[str, Any]) -> None:
        """Hear that a trial has ended or paused.

        Args:
            attempt: The trial.
            outcome: How.
            report: Its last report; empty when it crashed before the first one.
        """

    def curves(self) -> Mapping[str, Mapping[int, float]]:
        """Return what ASHA has to know from before: attempt to epoch to val IoU."""
        return {}


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

    def next(self) -> Launch | None:
        """Hand out the next trial."""
        if not self._waiting:
            return None
        self.launches += 1
        self._running += 1
        return Launch(plan=self._waiting.pop(0), protected=True)

    @property
    def done(self) -> bool:
        """Whether every trial has ended."""
        return not self._waiting and not self._running

    def on_epoch(self, attempt: str, epoch: int, val_iou: float) -> None:
        """Learn nothing: nobody is compared."""

    def on_end(self, attempt: str, outcome: Outcome, report: Mapping[str, Any]) -> None:
        """Count the trial as ended."""
        self._running -= 1
