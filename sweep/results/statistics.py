"""How sure a mean over tiles is: bootstrap intervals, paired differences, the probability of being best.

Scores are matrices of trainings by tiles: a training for each seed or draw, all scored on the same tiles. Tiles and
trainings are resampled independently of each other (Owen, 2007, "The pigeonhole bootstrap"), n - 1 out of n of each,
which makes the variance of a mean unbiased (Rao and Wu, 1988). The percentiles that are read off are those that give a
normal sample the width of Student's t (Hesterberg, 2015, "What teachers should know about the bootstrap").
``scipy.stats.bootstrap`` resamples one axis only; with one training and many tiles a test finds the same interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000
Scores = NDArray[np.float64]
"""(trainings, tiles), each in [0, 1]."""

COVERAGE: Mapping[int, tuple[float, float]] = MappingProxyType(
    {3: (0.62, 0.75), 6: (0.76, 0.93), 12: (0.94, 0.94), 24: (0.94, 0.95)}
)
"""Tiles to how often the 95 % interval of one training's mean held the truth in the simulations of
``python -m benchmarks.coverage``: where one tile in five is of a hard kind that few tiles may not show, and where none
is."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        mean: Over trainings and tiles.
        low: Lower end; None where a single tile tells nothing of others.
        high: Upper end.
    """

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One contender among others.

    Attributes:
        difference: Its mean less the winner's, paired by tile, with an interval that holds for all contenders at
            once (Bonferroni); None for the winner.
        tied: Whether it cannot be told from the winner; of the winner, whether there is such another one.
        probability_best: How often its mean is the highest one when tiles and trainings are drawn anew, in [0, 1];
            None where it has no rival.
    """

    difference: Interval | None
    tied: bool
    probability_best: float | None


@dataclass(frozen=True)
class Resampling:
    """The same resampled tiles for everything that is compared on them.

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


@lru_cache(maxsize=4)
def _shared(tiles: int) -> Resampling:
    """Return the resampling of so many tiles, which is the same one each time."""
    return Resampling(tiles)


def _weights(rng: np.random.Generator, number: int, resamples: int) -> Scores:
    """Draw number - 1 out of a number of things, with replacement; (resamples, number) shares that sum to 1."""
    drawn = max(1, number - 1)
    counts: Scores = rng.multinomial(drawn, np.full(number, 1.0 / number), size=resamples) / drawn
    return counts


def mean_interval(scores: Scores, resampling: Resampling | None = None) -> Interval:
    """Return the mean of scores and its 95 % interval.

    With one training the interval tells of other tiles, not of other seeds.

    Args:
        scores: (trainings, tiles), each in [0, 1].
        resampling: Of these tiles; None makes one.

    Raises:
        ValueError: There are no scores, or some are no numbers.
    """
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {scores.shape}: expected finite numbers, (trainings, tiles)")
    mean = float(scores.mean())
    if scores.shape[1] == 1:
        return Interval(mean=mean)
    resampling = resampling or _shared(scores.shape[1])
    low, high = resampling.percentiles(resampling.means(scores))
    return Interval(mean=mean, low=low, high=high)


def compare(contenders: Sequence[Scores]) -> list[Comparison]:
    """Compare contenders on the same tiles with the one that has the highest mean.

    Args:
        contenders: (trainings, tiles) each; the trainings may differ in number, the tiles may not.

    Returns:
        In the same order. With a single tile nobody can be told from the winner.
    """
    if not contenders:
        return []
    tiles = contenders[0].shape[1]
    resampling = _shared(tiles)
    means = np.stack([resampling.means(scores, stream) for stream, scores in enumerate(contenders)])
    top = means == means.max(axis=0)
    probabilities = (top / top.sum(axis=0)).mean(axis=1)
    best = int(np.argmax([scores.mean() for scores in contenders]))
    level = 1.0 - (1.0 - LEVEL) / max(1, len(contenders) - 1)
    differences = []
    for number, scores in enumerate(contenders):
        difference = Interval(mean=float(scores.mean() - contenders[best].mean()))
        if tiles > 1:
            low, high = resampling.percentiles(means[number] - means[best], level)
            difference = Interval(mean=difference.mean, low=low, high=high)
        differences.append(difference)
    tied = [number for number, one in enumerate(differences) if number != best and not one.excludes_zero]
    return [
        Comparison(
            difference=None if number == best else difference,
            tied=number in tied or (number == best and bool(tied)),
            probability_best=float(probabilities[number]) if len(contenders) > 1 else None,
        )
        for number, difference in enumerate(differences)
    ]


def coverage(tiles: int) -> tuple[float, float]:
    """Return the shares of cases, from and to, that a 95 % interval was measured to hold for at most as many tiles."""
    return COVERAGE[max((number for number in COVERAGE if number <= tiles), default=min(COVERAGE))]
