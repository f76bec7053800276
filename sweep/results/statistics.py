"""How sure a mean over tiles is, who is better than whom, and the probability of being best.

Scores are matrices of trainings by tiles: a training for each seed or draw, all scored on the same tiles. Tiles and
trainings are crossed and both are drawn at random, so a mean's variance has a part of the tiles and a part of the
trainings. Each is estimated from means along the other, which counts the noise of single scores twice and so errs on
the safe side. Student's t of the sum takes Satterthwaite's degrees of freedom (1946, "An approximate distribution of
estimates of variance components"; Searle, Casella and McCulloch, 1992, "Variance components"). scipy and statsmodels
have it for two samples (Welch's test), not for crossed parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000
LEAST_LEAD = 0.0005
"""IoU below which a lead would be written 0.000, and is none."""
Scores = NDArray[np.float64]
"""(trainings, tiles), each in [0, 1]."""
Part = tuple[float, float]
"""A part of a variance, and its degrees of freedom."""

COVERAGE: Mapping[int, tuple[float, float]] = MappingProxyType(
    {3: (0.88, 0.94), 6: (0.79, 0.94), 12: (0.93, 0.94), 24: (0.93, 0.94)}
)
"""Tiles to how often the 95 % interval of one training's mean held the truth in the simulations of
``python -m benchmarks.coverage``: where one tile in five is of a hard kind that few tiles may not show, and where none
is."""


class Inconclusive(StrEnum):
    """Why nobody can be called better than anybody, whatever the scores are."""

    ONE_TILE = "one tile"
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


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One contender among others.

    Attributes:
        difference: Its mean less the winner's, paired by tile, with an interval that holds for all pairs of contenders
            at once (Bonferroni), since the same scores chose the winner; None for the winner.
        tied: Whether it cannot be told from the winner; of the winner, whether there is such another one.
        probability_best: How probable it is that its mean over all tiles and trainings is the highest one, in [0, 1];
            None where it has no rival or that cannot be known.
    """

    difference: Interval | None
    tied: bool
    probability_best: float | None


@dataclass(frozen=True)
class Resampling:
    """The same resampled tiles for everything that is computed from them.

    Tiles and trainings are resampled independently of each other (Owen, 2007, "The pigeonhole bootstrap"), n - 1 out of
    n of each, which makes the variance of a mean unbiased (Rao and Wu, 1988). The percentiles that are read off are
    those that give a normal sample the width of Student's t (Hesterberg, 2015, "What teachers should know about the
    bootstrap").

    Attributes:
        tiles: How many there are, at least 1.
        seed: Of the resampling.
        resamples: How many.
    """

    tiles: int
    seed: int = 0
    resamples: int = RESAMPLES
    weights: Scores = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = _weights(np.random.default_rng(self.seed), self.tiles, self.resamples)
        object.__setattr__(self, "weights", weights)

    def means(self, scores: Scores, stream: int = 0) -> Scores:
        """Return the resampled means of scores.

        Args:
            scores: (trainings, tiles).
            stream: Which random trainings: those of two contenders have nothing to do with each other.

        Returns:
            (resamples,).
        """
        trainings = _weights(np.random.default_rng([self.seed, 1, stream]), scores.shape[0], self.resamples)
        return np.asarray(np.einsum("br,rt,bt->b", trainings, scores, self.weights, optimize=True))

    def percentiles(self, means: Scores, level: float = LEVEL) -> tuple[float, float]:
        """Return the ends of an interval of resampled means."""
        tail = stats.norm.cdf(stats.t.ppf((1.0 - level) / 2.0, max(1, self.tiles - 1)))
        low, high = np.quantile(means, [tail, 1.0 - tail])
        return float(low), float(high)


def _weights(rng: np.random.Generator, number: int, resamples: int) -> Scores:
    """Draw number - 1 out of a number of things, with replacement; (resamples, number) shares that sum to 1."""
    drawn = max(1, number - 1)
    counts: Scores = rng.multinomial(drawn, np.full(number, 1.0 / number), size=resamples) / drawn
    return counts


def mean_interval(scores: Scores, bounds: tuple[float, float] = (0.0, 1.0)) -> Interval:
    """Return the mean of scores and its 95 % interval by Student's t.

    With one training the interval tells of other tiles, not of other seeds.

    Args:
        scores: (trainings, tiles).
        bounds: What a mean can be at least and at most; the interval ends there.

    Raises:
        ValueError: There are no scores, or some are no numbers.
    """
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {scores.shape}: expected finite numbers, (trainings, tiles)")
    mean = float(scores.mean())
    trainings, tiles = scores.shape
    if tiles == 1:
        return Interval(mean=mean)
    parts = [_part(scores.mean(axis=0))]
    if trainings > 1:
        parts.append(_part(scores.mean(axis=1)))
    half = _half_width(parts, LEVEL)
    return Interval(mean=mean, low=max(bounds[0], mean - half), high=min(bounds[1], mean + half))


def inconclusive(contenders: Sequence[Scores]) -> Inconclusive | None:
    """Say why nobody can be called better than anybody; None where that is possible.

    How much another seed changes is never zero. With one training each it is unknown, so it is unknown whether a
    difference is the models' or the seeds'. A contender that was trained several times measures it for all, unless all
    of its trainings have the same score, as those have that predict a single class everywhere.

    Args:
        contenders: (trainings, tiles) each, on the same tiles.
    """
    if any(scores.shape[1] < 2 for scores in contenders):
        return Inconclusive.ONE_TILE
    if any(len(scores) < 2 for scores in contenders) and not any(_between_trainings(scores) for scores in contenders):
        return Inconclusive.ONE_TRAINING
    return None


def compare(
    contenders: Sequence[Scores], *, best: int | None = None, decidable: bool = True, draws: int = RESAMPLES
) -> list[Comparison]:
    """Compare contenders on the same tiles with the winner.

    A contender's variance between trainings is its own where that is larger than the one pooled over all contenders,
    and the pooled one otherwise: two or three trainings that happen to agree prove no steadiness.

    Args:
        contenders: (trainings, tiles) each; the trainings may differ in number, the tiles may not.
        best: Which one is the winner; None for the highest mean.
        decidable: False where nobody may be called better than anybody for a reason that the scores do not show.
        draws: How many the probabilities of being best are shares of.

    Returns:
        In the same order. Where ``inconclusive`` gives a reason, all are tied, and no interval or probability is known.
    """
    if not contenders:
        return []
    means = np.array([scores.mean() for scores in contenders])
    best = int(means.argmax()) if best is None else best
    if len(contenders) == 1:
        return [Comparison(difference=None, tied=False, probability_best=None)]
    if not decidable or inconclusive(contenders):
        return [
            Comparison(
                difference=None if number == best else Interval(mean=float(mean - means[best])),
                tied=True,
                probability_best=None,
            )
            for number, mean in enumerate(means)
        ]
    spreads = _Spreads(contenders)
    pairs = len(contenders) * (len(contenders) - 1) // 2
    level = 1.0 - (1.0 - LEVEL) / pairs
    differences = [spreads.difference(number, best, level) for number in range(len(contenders))]
    behind = [one.high is not None and one.high < 0.0 and one.mean <= -LEAST_LEAD for one in differences]
    alone = sum(behind) == len(contenders) - 1
    return [
        Comparison(
            difference=None if number == best else differences[number],
            tied=not alone if number == best else not behind[number],
            probability_best=float(probability),
        )
        for number, probability in enumerate(spreads.probabilities_best(draws))
    ]


class _Spreads:
    """What the means of contenders vary by, between tiles and between trainings."""

    def __init__(self, contenders: Sequence[Scores]) -> None:
        self.tiles = contenders[0].shape[1]
        self.by_tile = np.stack([scores.mean(axis=0) for scores in contenders])  # (contenders, tiles)
        trainings = np.array([scores.shape[0] for scores in contenders])
        own = np.array([_between_trainings(scores) for scores in contenders])
        freedom = np.where(own > 0.0, trainings - 1.0, 0.0)
        self.pooled_freedom = max(1.0, float(freedom.sum()))
        pooled = float((own * freedom).sum()) / self.pooled_freedom
        self.is_own = own > pooled
        self.of_trainings = np.maximum(own, pooled) / trainings  # variance of a contender's mean, (contenders,)
        self.freedom = np.where(self.is_own, trainings - 1.0, self.pooled_freedom)

    def difference(self, number: int, other: int, level: float) -> Interval:
        """Return a contender's mean less another one's, paired by tile."""
        by_tile = self.by_tile[number] - self.by_tile[other]
        parts = [_part(by_tile)]
        pair = [number, other]
        parts += [(float(self.of_trainings[one]), float(self.freedom[one])) for one in pair if self.is_own[one]]
        if shared := float(sum(self.of_trainings[one] for one in pair if not self.is_own[one])):
            parts.append((shared, self.pooled_freedom))
        mean, half = float(by_tile.mean()), _half_width(parts, level)
        return Interval(mean=mean, low=mean - half, high=mean + half)

    def probabilities_best(self, draws: int) -> Scores:
        """Draw all means again by the same parts, each by its own Student's t, and count who is first.

        Returns:
            (contenders,) shares that sum to 1.
        """
        rng = np.random.default_rng(0)
        centred = self.by_tile - self.by_tile.mean(axis=1, keepdims=True)
        tiles, freedom = self.tiles, self.tiles - 1
        directions = rng.normal(size=(draws, tiles)) / np.sqrt(tiles * freedom * _shrink(rng, freedom, (draws, 1)))
        means = self.by_tile.mean(axis=1) + directions @ centred.T
        luck = rng.normal(size=means.shape) * np.sqrt(self.of_trainings)
        luck /= np.sqrt(np.where(self.is_own, 1.0, _shrink(rng, self.pooled_freedom, (draws, 1))))
        owners = self.is_own.nonzero()[0]
        luck[:, owners] /= np.sqrt(_shrink(rng, self.freedom[owners], (draws, owners.size)))
        means += luck
        top = means == means.max(axis=1, keepdims=True)
        return np.asarray((top / top.sum(axis=1, keepdims=True)).mean(axis=0))


def _between_trainings(scores: Scores) -> float:
    """Return the variance of a contender's trainings, of their means; 0 for one, and where all have the same mean."""
    variance = float(scores.mean(axis=1).var(ddof=1)) if len(scores) > 1 else 0.0
    return variance if variance > 1e-12 else 0.0  # less is rounding


def _shrink(rng: np.random.Generator, freedom: float | Scores, shape: tuple[int, int]) -> Scores:
    """Draw chi-squared over its degrees of freedom: a normal number over its root is Student's t."""
    return np.asarray(rng.chisquare(freedom, size=shape) / freedom)


def _part(means: Scores) -> Part:
    """Return the part that things drawn at random have in the variance of the mean of their means."""
    return float(means.var(ddof=1)) / means.size, float(means.size - 1)


def _half_width(parts: Iterable[Part], level: float) -> float:
    """Return half the width of an interval from the parts of a variance, with Satterthwaite's degrees of freedom."""
    known = [(variance, freedom) for variance, freedom in parts if variance > 0.0]
    if not known:
        return 0.0
    total = sum(variance for variance, _ in known)
    freedom = 1.0 / sum((variance / total) ** 2 / freedom for variance, freedom in known)
    return float(stats.t.ppf((1.0 + level) / 2.0, freedom) * total**0.5)


def coverage(tiles: int) -> tuple[float, float]:
    """Return the shares of cases, from and to, that a 95 % interval was measured to hold for at most as many tiles."""
    return COVERAGE[max((number for number in COVERAGE if number <= tiles), default=min(COVERAGE))]
