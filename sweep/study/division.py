"""How a study's time is divided among its phases.

Phase 1 compares all architectures by the profile's recipe, so its size is given. Phase 3 has the profile's draws.
Phase 2 gets the rest: as many trials of each architecture as fit, since a search is the phase that more time makes
better. Where that would be fewer than a search needs, Phase 3 gets fewer draws, down to the two without which it cannot
say how far chance goes. What then does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

LEAST_TRIALS = 4
"""Of each architecture: a search of fewer is little more than one random recipe beside the shared one."""
MOST_TRIALS = 100
"""Of each architecture: beyond it a search of some ten hyperparameters hardly finds anything."""
LEAST_DRAWS = 2
RESERVE = 0.1
"""Share of the time that is not planned: estimates are no better."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the time decides.

    Attributes:
        trials: Of each architecture in Phase 2, equal for all.
        draws: Of each number of tiles in Phase 3.
    """

    trials: int
    draws: int

    @property
    def least(self) -> Sizes:
        """The smallest sizes that answer the questions, no larger than these."""
        return Sizes(trials=min(LEAST_TRIALS, self.trials), draws=min(LEAST_DRAWS, self.draws))


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What the steps that are left take, in seconds.

    Attributes:
        fixed: Those whose size is given.
        search: Phase 2, by its trials of each architecture.
        curve: Phase 3, by its draws.
    """

    fixed: float
    search: Callable[[int], float]
    curve: Callable[[int], float]

    def of(self, sizes: Sizes) -> float:
        """Return the seconds of everything."""
        return self.fixed + self.search(sizes.trials) + self.curve(sizes.draws)

    def needed(self, sizes: Sizes) -> float:
        """Return the time that has to be given for it, with the reserve."""
        return self.of(sizes) / (1 - RESERVE)


def divide(seconds: float | None, costs: Costs, usual: Sizes) -> Sizes | None:
    """Choose the sizes that fit.

    Args:
        seconds: That are left; None for no limit.
        costs: What is left to do.
        usual: The profile's sizes.

    Returns:
        The sizes, or None where not even the least ones fit.
    """
    if seconds is None:
        return usual
    least = usual.least
    for draws in range(usual.draws, least.draws - 1, -1):
        if costs.needed(Sizes(trials=least.trials, draws=draws)) <= seconds:
            return _most_trials(seconds, costs, Sizes(trials=least.trials, draws=draws), max(MOST_TRIALS, usual.trials))
    return None


def _most_trials(seconds: float, costs: Costs, fits: Sizes, most: int) -> Sizes:
    """Return the largest sizes of so many draws that fit, by bisection."""
    low, high = fits.trials, most
    while low < high:
        middle = (low + high + 1) // 2
        if costs.needed(replace(fits, trials=middle)) <= seconds:
            low = middle
        else:
            high = middle - 1
    return replace(fits, trials=low)
