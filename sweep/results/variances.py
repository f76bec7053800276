"""What means and differences between means vary by: the tiles, and the trainings.

Every function takes any number of leading axes, such as simulations; ``...`` stands for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from sweep.results.layout import Floats, Layout

ROUNDING = 1e-12
"""A variance that is not more is none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VariancePart:
    """A part of a variance.

    Attributes:
        variance: (...)
        freedom: Its degrees of freedom, (...), above 0.
    """

    variance: Floats
    freedom: Floats | float

    def reach(self, level: float) -> Floats:
        """Return the square of half the width of Student's interval."""
        return np.asarray(stats.t.ppf((1.0 + level) / 2.0, self.freedom) ** 2 * self.variance)


def satterthwaite(parts: Sequence[VariancePart]) -> VariancePart:
    """Add parts (Satterthwaite, 1946, "An approximate distribution of estimates of variance components")."""
    total = np.asarray(sum(part.variance for part in parts))
    shares = [part.variance / np.maximum(total, 1e-300) for part in parts]
    below = sum(share**2 / part.freedom for share, part in zip(shares, parts, strict=True))
    return VariancePart(variance=total, freedom=np.asarray(1.0 / np.maximum(below, ROUNDING)))


def of_mean(scores: Floats, layout: Layout) -> list[VariancePart]:
    """Return what a mean over tiles and trainings varies by.

    With folds the variance between them has both in it: each has tiles and a training of its own. Balanced folds are
    more alike than chance would make them, so the variance between scenes counts where it is larger.

    Args:
        scores: (..., trainings, tiles).
        layout: Of the tiles; several scenes and, if any, several folds.
    """
    by_tile = scores.mean(axis=-2)
    units = [
        VariancePart(variance=(unit.deviations(by_tile) ** 2).sum(axis=-1), freedom=unit.freedom)
        for unit in layout.units
    ]
    if layout.folds is not None:
        scenes, folds = units
        larger = folds.variance >= scenes.variance
        return [
            VariancePart(
                variance=np.maximum(scenes.variance, folds.variance),
                freedom=np.where(larger, folds.freedom, scenes.freedom),
            )
        ]
    trainings = scores.shape[-2]
    if trainings == 1:
        return units
    luck = np.maximum(_between_trainings(scores) - _noise(scores), 0.0) / trainings
    return [*units, VariancePart(variance=luck, freedom=trainings - 1.0)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Variation:
    """What the differences between the means of contenders vary by.

    Attributes:
        units: A covariance of the means, (..., contenders, contenders), and its degrees of freedom, (...), by scenes
            and, where there are any, by folds. What all have in common, such as hard tiles, is not in it.
        luck: (..., contenders) variance of a contender's mean by its trainings; 0 with folds, whose variance has it.
        luck_freedom: (..., contenders) its degrees of freedom.
    """

    units: tuple[tuple[Floats, Floats], ...]
    luck: Floats
    luck_freedom: Floats

    @classmethod
    def of(cls, contenders: Sequence[Floats], layout: Layout) -> Variation:
        """Measure it.

        Args:
            contenders: (..., trainings, tiles) each, two at least; the tiles are the same.
            layout: Of the tiles; several scenes and, if any, several folds.
        """
        by_tile = np.stack([scores.mean(axis=-2) for scores in contenders], axis=-2)
        units = tuple(_covariance(unit.deviations(by_tile), unit.freedom) for unit in layout.units)
        if layout.folds is not None:
            nothing = np.zeros(by_tile.shape[:-1])
            return cls(units=units, luck=nothing, luck_freedom=nothing + 1.0)
        trainings = np.array([scores.shape[-2] for scores in contenders])
        own = np.stack([_between_trainings(scores) for scores in contenders], axis=-1)
        several = [scores for scores in contenders if scores.shape[-2] > 1]
        noise = np.mean([_noise(scores) for scores in several], axis=0) if several else np.zeros(own.shape[:-1])
        variances, freedom = moderate(own, np.where(own > ROUNDING, trainings - 1.0, 0.0))
        luck = np.maximum(variances - noise[..., None], 0.0) / trainings
        return cls(units=units, luck=luck, luck_freedom=freedom)

    def half_widths(self, best: Floats | int, level: float) -> Floats:
        """Return half the widths of the intervals of all differences to one contender.

        Squares of Student's half widths are added, which is never too narrow (Banerjee, 1961, "On confidence interval
        for two-means problem based on separate estimates of variances and tabulated values of t-table"). By scenes or
        by folds, whichever is wider.

        Args:
            best: (...) which one.
            level: Of each interval.

        Returns:
            (..., contenders).
        """
        place = np.asarray(best)[..., None]
        reaches = []
        for covariance, freedom in self.units:
            own = np.diagonal(covariance, axis1=-2, axis2=-1)
            its = np.take_along_axis(own, place, axis=-1)
            row = np.take_along_axis(covariance, place[..., None], axis=-2)[..., 0, :]
            reaches.append(
                VariancePart(variance=np.maximum(own + its - 2 * row, 0.0), freedom=freedom[..., None]).reach(level)
            )
        luck = self.luck + np.take_along_axis(self.luck, place, axis=-1)
        freedom = np.minimum(self.luck_freedom, np.take_along_axis(self.luck_freedom, place, axis=-1))
        return np.asarray(np.sqrt(np.max(reaches, axis=0) + VariancePart(variance=luck, freedom=freedom).reach(level)))

    def together(self) -> tuple[Floats, Floats]:
        """Return one covariance of the means, (..., contenders, contenders), and its degrees of freedom, (...)."""
        size = self.luck.shape[-1]
        centring = np.eye(size) - 1.0 / size
        traces = np.stack([np.trace(covariance, axis1=-2, axis2=-1) for covariance, _ in self.units])
        widest = traces.argmax(axis=0)
        covariance = np.choose(widest[..., None, None], [one for one, _ in self.units])
        freedom = np.choose(widest, [one for _, one in self.units])
        luck = centring * self.luck[..., None, :] @ centring
        parts = [
            VariancePart(variance=traces.max(axis=0), freedom=freedom),
            VariancePart(variance=np.trace(luck, axis1=-2, axis2=-1), freedom=self.luck_freedom.min(axis=-1)),
        ]
        return covariance + luck, np.asarray(satterthwaite(parts).freedom)


def moderate(own: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """Pull the variances of contenders towards their mean, the more the more alike they are.

    Few trainings know their variance badly, and many contenders know it together. How far they may differ in truth is
    estimated from how far they differ (Smyth, 2004, "Linear models and empirical Bayes methods for assessing
    differential expression", section 6.2). Below three, all count as alike.

    Args:
        own: (..., contenders) variances.
        freedom: (..., contenders) their degrees of freedom; 0 where a contender knows nothing of its own.

    Returns:
        Variances and degrees of freedom, (..., contenders) each.
    """
    known = freedom > 0.0
    total = np.maximum(freedom.sum(axis=-1, keepdims=True), 1.0)
    pooled = (own * freedom).sum(axis=-1, keepdims=True) / total
    prior = _prior_freedom(own, freedom, known)[..., None]
    share = np.where(
        np.isinf(prior), 1.0, prior / np.maximum(np.where(np.isinf(prior), 0.0, prior) + freedom, ROUNDING)
    )
    variances = np.where(known, share * pooled + (1.0 - share) * own, pooled)
    return variances, np.maximum(np.minimum(prior + freedom, total), 1.0)


def _prior_freedom(own: Floats, freedom: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return how many degrees of freedom the mean of all is worth for one, (...); infinite where all are alike."""
    halves = np.where(known, freedom, 2.0) / 2.0
    logs = np.log(np.where(known, own, 1.0) + 1e-300) - special.digamma(halves) + np.log(halves)
    number = known.sum(axis=-1)
    mean = (logs * known).sum(axis=-1, keepdims=True) / np.maximum(number, 1)[..., None]
    spread = (known * (logs - mean) ** 2).sum(axis=-1) / np.maximum(number - 1, 1)
    beyond = spread - (known * special.polygamma(1, halves)).sum(axis=-1) / np.maximum(number, 1)
    differ = (beyond > 0.0) & (number > 2)
    return np.where(differ, 2.0 * _inverse_trigamma(np.where(differ, beyond, 1.0)), np.inf)


def _inverse_trigamma(values: Floats) -> Floats:
    """Solve trigamma(x) = value for values above 0 by Newton's method (Smyth, 2004, appendix)."""
    found = 0.5 + 1.0 / values
    for _ in range(10):
        now = special.polygamma(1, found)
        found = found + now * (1.0 - now / values) / special.polygamma(2, found)
    return np.asarray(found)


def _covariance(deviations: Floats, freedom: float) -> tuple[Floats, Floats]:
    """Return the covariance of contenders' means by (..., contenders, groups) of deviations, moderated; its freedom."""
    size = deviations.shape[-2]
    centred = deviations - deviations.mean(axis=-2, keepdims=True)
    covariance = centred @ np.swapaxes(centred, -1, -2)
    own = (centred**2).sum(axis=-1)
    prior = _prior_freedom(own, np.full(own.shape, freedom), own > ROUNDING)
    share = np.where(np.isinf(prior), 1.0, prior / (np.where(np.isinf(prior), 0.0, prior) + freedom))[..., None, None]
    alike = (own.sum(axis=-1) / (size - 1))[..., None, None] * (np.eye(size) - 1.0 / size)
    return share * alike + (1.0 - share) * covariance, np.minimum(prior + freedom, (size - 1.0) * freedom)


def _between_trainings(scores: Floats) -> Floats:
    """Return the variance of trainings' means, (...); 0 for one."""
    if scores.shape[-2] == 1:
        return np.zeros(scores.shape[:-2])
    return np.asarray(scores.mean(axis=-1).var(axis=-1, ddof=1))


def _noise(scores: Floats) -> Floats:
    """Return the part of that variance which comes from single scores: what neither tile nor training explains."""
    trainings, tiles = scores.shape[-2:]
    rest = scores - scores.mean(axis=-1, keepdims=True) - scores.mean(axis=-2, keepdims=True)
    rest = rest + scores.mean(axis=(-1, -2), keepdims=True)
    return np.asarray((rest**2).sum(axis=(-1, -2)) / max(1, (trainings - 1) * (tiles - 1)) / tiles)
