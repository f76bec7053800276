"""Successive halving where trials pause at rungs and the best of them go on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from trainables.errors import ExperimentError


@dataclass(frozen=True, kw_only=True)
class Halving:
    """How poor trials are told from good ones before they have run to their end: by the best val IoU so far.

    Attributes:
        max_epochs: Epochs of a full training, at least 1.
        grace_epochs: Epochs before a trial can be stopped or paused, from 1 to ``max_epochs``.
        reduction_factor: One in this many trials goes on from each rung, at least 2.
        pausing: Trials pause at every rung and the best are promoted. Otherwise a trial goes on unless it is worse
            than those that reached the rung before it, so the first ones always run to their end.
        warm_from: Experiment whose curves the rungs start with; empty for none. Not together with ``pausing``.

    Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (both variants).
    """

    max_epochs: int
    grace_epochs: int
    reduction_factor: int
    pausing: bool
    warm_from: str = ""

    def __post_init__(self) -> None:
        faults = []
        if self.grace_epochs < 1:
            faults.append(f"--grace-period {self.grace_epochs}: must be at least 1 epoch")
        if self.grace_epochs > self.max_epochs:
            faults.append(
                f"--grace-period {self.grace_epochs}: is beyond the maximum of {self.max_epochs} epochs; lower it, or "
                f"raise --max-epochs"
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

    def next_stop(self, epoch: int) -> int:
        """Return the first rung beyond an epoch, or the maximum."""
        return next((rung for rung in self.rungs if rung > epoch), self.max_epochs)

    def expected_epochs(self, trials: int) -> int:
        """Estimate the epochs that a study of some trials runs: 1 in ``reduction_factor`` passes each rung.

        One trial, the shared recipe, always runs to its end.
        """
        total, alive, before = 0, trials - 1, 0
        for rung in (*self.rungs, self.max_epochs):
            total += alive * (rung - before)
            alive, before = math.ceil(alive / self.reduction_factor), rung
        return total + self.max_epochs


@dataclass(frozen=True, kw_only=True)
class RungState:
    """A trial of a paused search.

    Attributes:
        number: Its number in the study; 0, the shared recipe, runs to its end and takes nobody's place.
        curve: Epoch to val IoU.
        until: The epoch at which it pauses, or the maximum.
        ended: It finished, failed or was given up.
    """

    number: int
    curve: Mapping[int, float]
    until: int
    ended: bool

    @property
    def paused(self) -> bool:
        """Whether it waits at its rung."""
        return not self.ended and self.until in self.curve


def best_so_far(curve: Mapping[int, float]) -> dict[int, float]:
    """Return the best val IoU up to each epoch: that of the weights that would be used."""
    epochs = sorted(curve)
    return dict(zip(epochs, accumulate((curve[epoch] for epoch in epochs), max), strict=True))


def choose_promotion(halving: Halving, standings: Sequence[RungState], *, all_started: bool) -> int | None:
    """Choose the paused trial that goes on next: the highest rung first, the best trial of it first.

    Args:
        halving: Rungs and reduction factor.
        standings: All trials of one study.
        all_started: No further trial will be started, so the best of each rung goes on however few there are.

    Returns:
        The trial's number, or None when nobody has earned it yet.
    """
    for rung in reversed(halving.rungs):
        reached = [standing for standing in standings if rung in standing.curve and standing.number]
        places = len(reached) // halving.reduction_factor
        settled = all_started and not any(not one.ended and not one.paused for one in standings)
        if settled and reached:
            places = max(places, 1)
        best = sorted(reached, key=lambda one: (-best_so_far(one.curve)[rung], one.number))[:places]
        for standing in best:
            if standing.paused and standing.until == rung:
                return standing.number
    return None
