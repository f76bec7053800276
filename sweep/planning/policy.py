"""What becomes of a search's trial after each of its epochs: it continues, pauses or is stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, ClassVar

TO_THE_END = 1_000_000
"""The epoch at which a trial pauses that never does."""
Curve = Mapping[int, float]
"""Epoch, from 1, to val IoU after it."""
Curves = Mapping[str, Curve]
"""Trial to its curve so far."""


class Decision(Enum):
    """What becomes of a trial after an epoch."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class RungState:
    """Where a trial of a search stands.

    Attributes:
        number: Its number in the study; 0, the shared recipe, runs to its end and takes nobody's place.
        curve: Epoch to val IoU.
        until: The epoch at which it pauses; beyond its last one for a trial that never does.
        ended: It finished, failed or was stopped.
    """

    number: int
    curve: Curve
    until: int
    ended: bool

    @property
    def paused(self) -> bool:
        """Whether it waits at its rung."""
        return not self.ended and self.until in self.curve


@dataclass(frozen=True, kw_only=True)
class Policy(ABC):
    """Decides which trials of one study are worth their next epochs.

    It remembers nothing: what it decides follows from the curves alone, so a resumed search decides the same. It is not
    asked about the shared recipe, which runs to its end, nor twice about an epoch of a trial.

    Attributes:
        name: What ``--halving`` calls it.
        warms: Whether ``warm_from`` may be set.
        pauses: Whether trials ever pause.
        ends_early: Whether a trial may get fewer epochs than it asks for.
        warm_from: Experiment whose curves are compared with from the first trial on; empty for none.
    """

    name: ClassVar[str]
    warms: ClassVar[bool] = False
    pauses: ClassVar[bool] = False
    ends_early: ClassVar[bool] = True

    warm_from: str = ""

    @abstractmethod
    def decide(self, trial: str, epoch: int, curves: Curves) -> Decision:
        """Decide what becomes of a trial.

        Args:
            trial: Which one.
            epoch: Its newest epoch, before its last one.
            curves: Of all trials of its study that have reported an epoch, its own up to this one included.
        """

    def next_pause(self, epoch: int) -> int:
        """Return the first epoch after this one at which a trial pauses; ``TO_THE_END`` for none."""
        return TO_THE_END

    def promote(self, trials: Sequence[RungState], *, all_started: bool) -> int | None:
        """Choose the paused trial of a study that continues next; with ``all_started`` no further one is started.

        Returns:
            The trial's number, or None when nobody has earned it yet.
        """
        return None

    def first_end(self, max_epochs: int) -> int:
        """Return the least number of epochs of a trial that can run ``max_epochs``."""
        return max_epochs

    def expected_epochs(self, trials: int, max_epochs: int) -> int:
        """Estimate the epochs of a study of some trials, each of ``max_epochs`` at most."""
        return trials * max_epochs

    @abstractmethod
    def describe(self) -> str:
        """Say in a few words how it decides, for the plan."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"policy": self.name, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class NoHalving(Policy):
    """Every trial runs to its end."""

    name = "off"
    ends_early = False

    def decide(self, trial: str, epoch: int, curves: Curves) -> Decision:
        """Let it continue."""
        return Decision.CONTINUE

    def describe(self) -> str:
        """Say so."""
        return "no trial is stopped early"


def best_until(curve: Curve, epoch: int) -> float:
    """Return the best val IoU up to an epoch, that one included: that of the weights that would be used."""
    return max(score for reached, score in curve.items() if reached <= epoch)
