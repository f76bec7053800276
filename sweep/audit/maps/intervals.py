"""Shares and ratios from a stratified sample, with 95 % intervals that hold for rare classes and few points, too.

A share of the map is the weighted sum of the strata's shares, and user's and producer's accuracy are ratios of two such
sums (Olofsson et al. 2014, Remote Sensing of Environment 148; Stehman 2014, International Journal of Remote Sensing
35). Their usual intervals, the estimate and 1.96 standard errors, are far too narrow where a stratum shows no error or
nothing else: ``python -m benchmarks.map_audit`` measures it. So the strata's own intervals are combined instead, by the
method of variance estimates recovery: Zou and Donner 2008, Statistics in Medicine 27, for sums; Donner and Zou 2012,
Statistical Methods in Medical Research 21, for ratios. A stratum's own interval is half-way between Jeffreys' and
Clopper and Pearson's (see Brown, Cai and DasGupta 2001, Statistical Science 16): the first covers the truth too rarely,
the second more often than is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
BETWEEN = 0.25
"""Added to the counts of Clopper and Pearson's beta distributions; 0.5 would be Jeffreys'."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An estimate and its 95 % interval, each in [0, 1].

    Attributes:
        value: The estimate; None where the sample shows nothing of what it is a share of.
        low: Lower end; 0 where nothing is known.
        high: Upper end; 1 where nothing is known.
    """

    value: float | None
    low: float
    high: float

    def text(self) -> str:
        """Write it in percent: ``91.2 % (87.0 to 94.3)``; ``-`` where nothing is known."""
        if self.value is None:
            return "-"
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


def share_limits(share: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % limits of shares of strata.

    Args:
        share: (...) of the points, in [0, 1].
        points: (...) how many there are, at least 0; need not be whole numbers.
    """
    from scipy.stats import beta

    found, tail = share * points, (1 - LEVEL) / 2
    with np.errstate(invalid="ignore"):
        low = beta.ppf(tail, found + BETWEEN, points - found + 1 - BETWEEN)
        high = beta.ppf(1 - tail, found + 1 - BETWEEN, points - found + BETWEEN)
    return np.where(found <= 0, 0.0, low), np.where(found >= points, 1.0, high)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What was counted in the sample of each stratum, to estimate which share of the cases are hits.

    Attributes:
        weights: (..., strata) share of the map's area.
        points: (..., strata) sampled points, at least 1.
        hits: (..., strata) of them, at most ``cases``.
        cases: (..., strata) of them; all points, for a share of the map.
        can_hit: (..., strata) where a hit is possible: a map's class is shown rightly in its own stratum alone.
        can_miss: (..., strata) where a case that is no hit is possible.
        pixels: (..., strata) pixels of the strata, from which points are drawn without replacement.
    """

    weights: Floats
    points: Floats
    hits: Floats
    cases: Floats
    can_hit: Any = True
    can_miss: Any = True
    pixels: Any = np.inf

    def limits(self) -> Floats:
        """Return (..., 3) the ratio of hits to cases, and its limits; NaN, 0 and 1 without a case."""
        points = np.asarray(self.points, float)
        hit, missed = self.hits / points, (self.cases - self.hits) / points
        effective = effective_points(points, np.asarray(self.pixels, float))
        hits, misses = ((share, *share_limits(share, effective)) for share in (hit, missed))
        numerator = (self.weights * hit).sum(-1)
        denominator = numerator + (self.weights * missed).sum(-1)
        low = self._lower(hits, misses, numerator, denominator, self.can_hit, self.can_miss)
        high = 1 - self._lower(misses, hits, denominator - numerator, denominator, self.can_miss, self.can_hit)
        there = denominator > 0
        value = np.divide(numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=there)
        return np.stack([value, np.where(there, low, 0.0), np.where(there, high, 1.0)], axis=-1)

    def _lower(self, hits: Any, misses: Any, above: Any, below: Any, can_hit: Any, can_miss: Any) -> Any:
        """Return the lower limit c of a ratio: where the lower limit of (1 - c) hits - c misses is 0.

        Hits and misses of a stratum are parts of one sample, so their shares are correlated. The equation is quadratic.
        """
        (hit, hit_low, _), (missed, _, missed_high) = hits, misses
        rest = (1 - hit) * (1 - missed)
        correlation = -np.sqrt(np.divide(hit * missed, rest, out=np.ones_like(rest), where=rest > 1e-12)).clip(0, 1)
        down = self.weights * can_hit * (hit - hit_low)
        up = self.weights * can_miss * (missed_high - missed)
        downs, ups, both = (down**2).sum(-1), (up**2).sum(-1), (correlation * down * up).sum(-1)
        square = below**2 - downs - ups - 2 * both
        linear = -2 * above * below + 2 * downs + 2 * both
        constant = np.maximum(above**2 - downs, 0.0)
        root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0.0)) - linear
        return np.divide(2 * constant, root, out=np.zeros(np.shape(root)), where=root > 0).clip(0, 1)

    def estimate(self) -> Estimate:
        """Return the estimate of a single ratio; strata without a point are left out."""
        there = np.asarray(self.points) > 0
        kept = {
            one.name: np.broadcast_to(np.asarray(getattr(self, one.name)), there.shape)[there] for one in fields(self)
        }
        value, low, high = Counted(**kept).limits().tolist()
        return Estimate(value=None if np.isnan(value) else value, low=low, high=high)


def effective_points(points: Floats, pixels: Floats) -> Floats:
    """Return how many points drawn with replacement tell as much as these (Cochran 1977, Sampling Techniques, 2.6)."""
    with np.errstate(invalid="ignore"):
        found = points * (pixels - 1) / np.maximum(pixels - points, 1e-9)
    return np.where(np.isinf(pixels), points, np.maximum(found, points))
