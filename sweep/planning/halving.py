"""Successive halving: trials are compared at rungs by their best val IoU so far.

Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (both variants).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.planning.policy import TO_THE_END, Curves, Decision, Policy, RungState, best_until
from trainables.errors import ExperimentError
from trainables.wording import counted


@dataclass(frozen=True, kw_only=True)
class Halving(Policy):
    """What both variants share: the rungs.

    Attributes:
        max_epochs: Epochs of a full training, at least 1.
        grace_epochs: Epochs before a trial can be stopped or paused, from 1 to ``max_epochs``.
        reduction_factor: One in this many trials passes each rung, at least 2.
    """

    max_epochs: int
    grace_epochs: int
    reduction_factor: int

    def __post_init__(self) -> None:
        faults = []
        if self.grace_epochs < 1:
            faults.append(f"--grace-period {self.grace_epochs}: must be at least 1 epoch")
        if self.grace_epochs > self.max_epochs:
            faults.append(
                f"--grace-period {self.grace_epochs}: is beyond the maximum of "
                f"{counted(self.max_epochs, 'epoch')}; lower it, or raise --max-epochs"
            )
        if self.reduction_factor < 2:
            faults.append(f"--reduction-factor {self.reduction_factor}: must be at least 2")
        if faults:
            raise ExperimentError(faults)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which trials are compared, ascending; none at the very end."""
        found = []
        epoch = self.grace_epochs
        while epoch < self.max_epochs:
            found.append(epoch)
            epoch *= self.reduction_factor
        return tuple(found)

    def first_end(self, max_epochs: int) -> int:
        """Return the epochs up to the first rung."""
        return min(self.grace_epochs, max_epochs)

    def expected_epochs(self, trials: int, max_epochs: int) -> int:
        """Estimate a study's epochs: 1 in ``reduction_factor`` trials passes each rung.

        One trial, the shared recipe, always runs to its end.
        """
        total, alive, before = 0, trials - 1, 0
        for rung in (*self.rungs, self.max_epochs):
            total += alive * (rung - before)
            alive, before = math.ceil(alive / self.reduction_factor), rung
        return total + self.max_epochs

    def describe(self) -> str:
        """Name the rungs."""
        rungs = ", ".join(map(str, self.rungs)) or "none"
        how = "pausing at" if self.pauses else "ASHA with"
        return f"{how} rungs at epochs {rungs}; 1 in {self.reduction_factor} continues"


@dataclass(frozen=True, kw_only=True)
class AshaStop(Halving):
    """A trial is stopped that is not among the best 1 in ``reduction_factor`` of those at the rung before it.

    The first ones have nobody to be compared with and run to their end, unless ``warm_from`` gives them rivals.
    """

    name = "stop"
    warms = True

    def decide(self, trial: str, epoch: int, curves: Curves) -> Decision:
        """Stop it at a rung where it is worse than the quantile of those that reached it before."""
        if epoch not in self.rungs:
            return Decision.CONTINUE
        best = {name: best_until(curve, epoch) for name, curve in curves.items() if epoch in curve}
        own, rivals = best.pop(trial), list(best.values())
        if not rivals:
            return Decision.CONTINUE
        import numpy as np  # here, so that --help answers without it

        cutoff = float(np.percentile(rivals, (1 - 1 / self.reduction_factor) * 100))
        return Decision.STOP if own < cutoff else Decision.CONTINUE


@dataclass(frozen=True, kw_only=True)
class AshaPause(Halving):
    """Trials pause at every rung, and the best of them are promoted to the next one."""

    name = "pause"
    pauses = True

    def decide(self, trial: str, epoch: int, curves: Curves) -> Decision:
        """Let it pause at a rung."""
        return Decision.PAUSE if epoch in self.rungs else Decision.CONTINUE

    def next_pause(self, epoch: int) -> int:
        """Return the first rung beyond an epoch."""
        return next((rung for rung in self.rungs if rung > epoch), TO_THE_END)

    def promote(self, trials: Sequence[RungState], *, all_started: bool) -> int | None:
        """Choose from the highest rung first, the best trial of it first.

        Once all have started, the best of each rung is promoted however few there are.
        """
        for rung in reversed(self.rungs):
            reached = [one for one in trials if rung in one.curve and one.number]
            places = len(reached) // self.reduction_factor
            settled = all_started and not any(not one.ended and not one.paused for one in trials)
            if settled and reached:
                places = max(places, 1)
            best = sorted(reached, key=lambda one: (-best_until(one.curve, rung), one.number))[:places]
            for one in best:
                if one.paused and one.until == rung:
                    return one.number
        return None
