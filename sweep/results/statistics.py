"""How sure a mean over tiles is, which contenders differ, and the probability of being best.

Tiles and trainings are both drawn at random, so a mean's variance has a part of the tiles and a part of the trainings.
Tiles of one scene are alike: what was drawn is the scene. With folds each fold has tiles and a training of its own, and
what was drawn is the fold. ``layout`` says which tiles belong together, ``variances`` has the formulas with their
sources, ``probability`` that of being best. scipy and statsmodels have Student's t for one or two samples, not for
tiles and trainings crossed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sweep.results.layout import Floats, Layout, Scores
from sweep.results.probability import DRAWS, probabilities_best
from sweep.results.variances import ROUNDING, Variation, of_mean, satterthwaite

LEVEL = 0.95
DIFFERENCE_LEVEL = 0.96
"""Of all differences at once: a hundredth is kept back for what few tiles and few folds cost."""
CAUTION = 0.25
"""How far a mean's interval goes from Satterthwaite's width, which three trainings make too narrow, to Banerjee's,
which is never too narrow: what holds the truth in 93 to 97 % of simulated cases."""
HOPEFUL = 100
"""Contenders, the highest means first, that may be the best one; the others cannot."""
LEAST_LEAD = 0.0005
"""IoU below which a lead would be written 0.000, and is none."""

COVERAGE: Mapping[int, tuple[float, float]] = MappingProxyType(
    {3: (0.88, 0.95), 6: (0.83, 0.95), 12: (0.90, 0.95), 24: (0.93, 0.95)}
)
"""Tiles to how often the 95 % interval of a mean holds the truth by ``python -m benchmarks.coverage``: where one tile
in five is of a hard kind that few tiles may not show, and where none is."""


class Inconclusive(StrEnum):
    """Why no contender can be called better than another, whatever the scores are."""

    ONE_TILE = "one tile"
    ONE_SCENE = "one scene"
    """Of several that the labelled tiles show."""
    ONE_TRAINING = "one training"
    NO_MODEL = "no model"
    """None has a higher score than one that predicts a single class everywhere."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        mean: Over trainings and tiles.
        low: Lower end; None where that cannot be known.
        high: Upper end.
    """

    mean: float
    low: float | None = None
    high: float | None = None

    def __neg__(self) -> Interval:
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Interval(mean=-self.mean, low=low, high=high)

    def ends(self, form: str = ".3f", between: str = " to ") -> str:
        """Write both ends, ``0.512 to 0.601``; empty where they cannot be known."""
        return "" if self.low is None or self.high is None else f"{self.low:{form}}{between}{self.high:{form}}"

    def text(self, form: str = ".3f") -> str:
        """Write the mean and, where they are known, its ends: ``0.563 (0.512 to 0.601)``."""
        return f"{self.mean:{form}} ({self.ends(form)})" if self.ends() else f"{self.mean:{form}}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One contender among others.

    Attributes:
        difference: Its mean less the winner's, paired by tile, with an interval that holds for all pairs of contenders
            at once (Bonferroni), since the same scores chose the winner; None for the winner.
        tied: Whether its difference to the winner may be zero; for the winner, whether another is tied with it.
        probability_best: How probable it is that its mean over all tiles and trainings is the highest one, in [0, 1];
            None where it has no rival or that cannot be known.
    """

    difference: Interval | None
    tied: bool
    probability_best: float | None


def mean_interval(scores: Scores, bounds: tuple[float, float] = (0.0, 1.0), layout: Layout | None = None) -> Interval:
    """Return the mean of scores and its 95 % interval by Student's t.

    With one training of all tiles the interval is about other tiles, not other seeds.

    Args:
        scores: (trainings, tiles).
        bounds: What a mean can be at least and at most; the interval ends there.
        layout: Which tiles belong together; None where each stands alone.

    Raises:
        ValueError: There are no scores, or some are no numbers.
    """
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {scores.shape}: expected finite numbers, (trainings, tiles)")
    layout, mean = layout or Layout.apart(scores.shape[1]), float(scores.mean())
    if not all(unit.known for unit in layout.units):
        return Interval(mean=mean)
    half = float(half_width(scores, layout))
    return Interval(mean=mean, low=max(bounds[0], mean - half), high=min(bounds[1], mean + half))


def half_width(scores: Floats, layout: Layout) -> Floats:
    """Return half the width of the 95 % intervals of means, (...), from (..., trainings, tiles)."""
    parts = of_mean(scores, layout)
    narrow, wide = satterthwaite(parts).reach(LEVEL), sum(part.reach(LEVEL) for part in parts)
    return np.sqrt((1.0 - CAUTION) * narrow + CAUTION * wide)


def inconclusive(contenders: Sequence[Scores], layout: Layout | None = None) -> Inconclusive | None:
    """Say why no contender can be called better than another; None where that is possible.

    How much another seed changes is never zero. With one training each it is unknown, so it is unknown whether a
    difference is the models' or the seeds'. A contender that was trained several times measures it for all, unless all
    of its trainings have the same score, as those have that predict a single class everywhere. Folds measure it too:
    each has a training of its own.

    Args:
        contenders: (trainings, tiles) each, on the same tiles.
        layout: Which tiles belong together; None where each stands alone.
    """
    layout = layout or Layout.apart(contenders[0].shape[1])
    if layout.tiles < 2:
        return Inconclusive.ONE_TILE
    if not all(unit.known for unit in layout.units):
        return Inconclusive.ONE_SCENE
    if layout.folds is not None or all(len(scores) > 1 for scores in contenders):
        return None
    measured = [scores.mean(axis=1).var(ddof=1) for scores in contenders if len(scores) > 1]
    return None if any(variance > ROUNDING for variance in measured) else Inconclusive.ONE_TRAINING


def compare(
    contenders: Sequence[Scores],
    *,
    layout: Layout | None = None,
    best: int | None = None,
    decidable: bool = True,
    draws: int = DRAWS,
) -> list[Comparison]:
    """Compare contenders on the same tiles with the winner.

    Args:
        contenders: (trainings, tiles) each; the trainings may differ in number, the tiles may not.
        layout: Which tiles belong together; None where each stands alone.
        best: Which one is the winner; None for the highest mean.
        decidable: False where none may be called better than another for a reason that the scores do not show.
        draws: How many the probabilities of being best are shares of.

    Returns:
        In the same order. Where ``inconclusive`` gives a reason, all are tied, and no interval or probability is known.
    """
    if not contenders:
        return []
    if len(contenders) == 1:
        return [Comparison(difference=None, tied=False, probability_best=None)]
    layout = layout or Layout.apart(contenders[0].shape[1])
    means = np.array([scores.mean() for scores in contenders])
    best = int(means.argmax()) if best is None else best
    leads = means - means[best]
    if not decidable or inconclusive(contenders, layout):
        return [
            Comparison(
                difference=None if number == best else Interval(mean=float(lead)), tied=True, probability_best=None
            )
            for number, lead in enumerate(leads)
        ]
    variation = Variation.of(contenders, layout)
    halves = variation.half_widths(best, pair_level(len(contenders)))
    behind = is_behind(leads, halves)
    alone = behind.sum() == len(contenders) - 1
    covariance, freedom = variation.together()
    leading, probabilities = np.sort((-means).argsort()[:HOPEFUL]), np.zeros(len(contenders))
    probabilities[leading] = probabilities_best(
        means[leading], covariance[np.ix_(leading, leading)], float(freedom), draws
    )
    return [
        Comparison(
            difference=None
            if number == best
            else Interval(
                mean=float(leads[number]),
                low=float(leads[number] - halves[number]),
                high=float(leads[number] + halves[number]),
            ),
            tied=not alone if number == best else not behind[number],
            probability_best=float(probabilities[number]),
        )
        for number in range(len(contenders))
    ]


def pair_level(contenders: int) -> float:
    """Return the level of the interval of one difference, so that those of all pairs hold at once (Bonferroni)."""
    return 1.0 - (1.0 - DIFFERENCE_LEVEL) / (contenders * (contenders - 1) / 2)


def is_behind(leads: Floats, halves: Floats) -> NDArray[np.bool_]:
    """Say whose difference to the winner is below zero for certain, (...)."""
    return (leads + halves < 0.0) & (leads <= -LEAST_LEAD)


def coverage(tiles: int) -> tuple[float, float]:
    """Return the shares of cases, from and to, that a 95 % interval was measured to hold for at most as many tiles."""
    return COVERAGE[max((number for number in COVERAGE if number <= tiles), default=min(COVERAGE))]
