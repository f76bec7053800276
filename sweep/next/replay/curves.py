"""What a replay says: each strategy's gain over chance, and how many random tiles the chosen ones are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.next.replay.running import Replay
from sweep.next.strategies.random_choice import RANDOM
from sweep.next.strategies.registry import DEFAULT
from sweep.results.statistics import LEVEL, Interval

CHANCE = RANDOM.name


@dataclass(frozen=True, kw_only=True)
class StrategyCurve:
    """A strategy in a replay.

    Attributes:
        name: Its name.
        ious: Mean IoU at each budget.
        gains: At each budget the mean difference to chance, paired by draw, with its 95 % interval; empty for chance.
        gain: The same of the mean over all budgets but the first, which all share; with an interval that holds for
            all strategies at once (Bonferroni). None for chance.
        worth: At each budget how many random tiles give the same mean IoU; None where no number that was replayed does.
    """

    name: str
    ious: tuple[float, ...]
    gains: tuple[Interval, ...] = ()
    gain: Interval | None = None
    worth: tuple[float | None, ...] = ()

    @property
    def is_better(self) -> bool:
        """Whether it is better than chance for certain, as far as draws go."""
        return self.gain is not None and self.gain.low is not None and self.gain.low > 0


def curves_of(replay: Replay) -> list[StrategyCurve]:
    """Return the curve of each strategy, chance first."""
    chance = replay.means(CHANCE)
    others = [name for name in replay.ious if name != CHANCE]
    found = [StrategyCurve(name=CHANCE, ious=_rounded(chance.mean(axis=0)))]
    for name in others:
        own = replay.means(name)
        difference = own - chance
        found.append(
            StrategyCurve(
                name=name,
                ious=_rounded(own.mean(axis=0)),
                gains=tuple(paired_interval(column) for column in difference.T),
                gain=paired_interval(difference[:, 1:].mean(axis=1), comparisons=len(others)),
                worth=tuple(
                    worth_in_random(float(mean), replay.budgets, chance.mean(axis=0).tolist())
                    for mean in own.mean(axis=0)
                ),
            )
        )
    return found


def _rounded(means: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(one) for one in means)


def paired_interval(differences: NDArray[np.float64], comparisons: int = 1) -> Interval:
    """Return the mean of differences and its interval by Student's t; without ends for a single one.

    Args:
        differences: (R,), one per draw.
        comparisons: How many such intervals hold at once.
    """
    from scipy.stats import t

    mean, count = float(differences.mean()), len(differences)
    if count < 2:
        return Interval(mean=mean)
    level = 1 - (1 - LEVEL) / comparisons
    half = float(t.ppf((1 + level) / 2, count - 1) * differences.std(ddof=1) / np.sqrt(count))
    return Interval(mean=mean, low=mean - half, high=mean + half)


def worth_in_random(iou: float, budgets: Sequence[int], chance: Sequence[float]) -> float | None:
    """Return how many random tiles give an IoU, between those that were replayed by straight lines.

    The curve of chance is made rising first: what more tiles gave less is what fewer gave.

    Returns:
        None where even the most random tiles give less; the fewest where these give more.
    """
    rising = np.maximum.accumulate(chance)
    if iou > rising[-1]:
        return None
    if iou <= rising[0]:
        return float(budgets[0])
    above = int(np.argmax(rising >= iou))
    low, high = rising[above - 1], rising[above]
    share = (iou - low) / (high - low)
    return float(budgets[above - 1] + share * (budgets[above] - budgets[above - 1]))


def reaches_double(replay: Replay, name: str) -> tuple[int, int, int] | None:
    """Return in how many draws the largest budget of half a replayed one reaches that many random tiles' mean IoU.

    Returns:
        The budget, its double and the number of draws; None where no budget is twice another.
    """
    pairs = [
        (place, replay.budgets.index(2 * one)) for place, one in enumerate(replay.budgets) if 2 * one in replay.budgets
    ]
    if not pairs:
        return None
    half, whole = pairs[-1]
    count = int((replay.means(name)[:, half] >= replay.means(CHANCE)[:, whole]).sum())
    return replay.budgets[half], replay.budgets[whole], count


def best_strategy(curves: Sequence[StrategyCurve]) -> str:
    """Return the strategy that the command takes by default: chance, unless one is better for certain.

    Of several the usual default, where it is among them, else the one that gains most.
    """
    better = [curve for curve in curves if curve.is_better]
    if not better:
        return CHANCE
    names = [curve.name for curve in better]
    return DEFAULT.name if DEFAULT.name in names else max(better, key=lambda one: one.gain.mean if one.gain else 0).name
