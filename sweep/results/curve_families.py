"""Forecasts of a learning curve by several families of curves at once, each weighted by how well it fits.

No single family describes all learning curves (Viering and Loog, 2023, "The shape of learning curves: a review"), so a
forecast by one of them is too sure. Here every curve is ``IoU(n) = start + rise * shape(n)``, where ``shape`` goes from
0 at the smallest budget to 1 at the largest and comes from one of five families. Families are equally likely
beforehand, and so are the shapes of one; given a shape, start and rise follow by least squares. What a shape weighs is
the likelihood of the measured means under it (Bayesian model averaging: Hoeting et al., 1999; of learning curves:
Domhan et al., 2015, "Speeding up automatic hyperparameter optimization of deep neural networks by extrapolation of
learning curves").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from sweep.results.layout import Layout, Scores
from sweep.results.statistics import LEVEL, Interval
from sweep.results.variances import ROUNDING

Floats = NDArray[np.float64]
NAMES = "power law, exponential, logistic, plateau, straight line"
SAMPLES = 8_000
"""Curves that are drawn from all families by their weights."""
FEWEST = 200
"""Of these, how many have to be possible: they rise, and are at most 1 at twice the largest budget."""
RATES = np.linspace(-1.0, 3.0, 41)
"""Exponents of power laws; 0 is a straight line over the logarithm of the tiles, -1 one over the tiles."""
SCALES = np.geomspace(0.1, 3.0, 25)
"""Tiles after which an exponential's gap has shrunk to 1/e, as shares of the largest budget."""


@dataclass(frozen=True, kw_only=True)
class BudgetMeans:
    """Mean IoU at each budget, and how far from the truth the means may be.

    Attributes:
        tiles: (B,) the budgets, rising.
        means: (B,) over draws and val tiles.
        covariance: (B, B) of these means.
        freedom: Degrees of freedom of the covariance, by Satterthwaite's formula; at least 1.
        draws: Of the budget that has the fewest.
        scenes: How many are scored; val tiles, where each is one.
    """

    tiles: tuple[int, ...]
    means: Floats
    covariance: Floats
    freedom: float
    draws: int
    scenes: int

    @classmethod
    def of(cls, tiles: Sequence[int], scores: Sequence[Scores], layout: Layout) -> BudgetMeans:
        """Estimate means and covariance from (draws, val tiles) of IoU at each budget.

        Val tiles are the same at all budgets, so theirs is a full covariance, by scene: a hard scene is hard at each.
        Draws are taken as independent of each other from budget to budget. Too few to know a variance each, they share
        one that falls with the tiles, ``a + b / n``: what seeds do, and what the choice of tiles does.
        """
        draws = np.array([one.shape[0] for one in scores])
        unit = layout.units[0]
        of_scenes = unit.freedom if unit.known else 0.0
        means = np.array([float(one.mean()) for one in scores])
        size = len(tiles)
        by_tile = np.zeros((size, size))
        if unit.known:
            deviations = unit.deviations(np.stack([one.mean(axis=0) for one in scores]))
            by_tile = deviations @ deviations.T
        several = draws > 1
        by_draw = np.zeros(size)
        if several.any():
            variances = np.array([one.mean(axis=1).var(ddof=1) for one in scores if one.shape[0] > 1])
            by_draw = _smoothed(np.asarray(tiles, dtype=float), variances, several, draws[several] - 1.0) / draws
        return cls(
            tiles=tuple(tiles),
            means=means,
            covariance=by_tile + np.diag(by_draw),
            freedom=_freedom(by_tile, np.diag(by_draw), of_scenes, int((draws - 1).sum()) - 1),
            draws=int(draws.min()),
            scenes=len(unit.weights),
        )

    def step(self, first: int, last: int) -> Interval:
        """Return what the mean gains from one budget to another, with its 95 % interval.

        There is none where a single draw or a single val tile says nothing about others, nor where nothing
        changes at all, as where all trainings predict a single class everywhere.
        """
        mean = float(self.means[last] - self.means[first])
        if self.draws < 2 or self.scenes < 2:
            return Interval(mean=mean)
        chosen = self.covariance[np.ix_([first, last], [first, last])]
        variance = float(chosen[0, 0] + chosen[1, 1] - 2 * chosen[0, 1])
        if variance <= ROUNDING and abs(mean) <= ROUNDING:
            return Interval(mean=mean)
        half = float(stats.t.ppf((1 + LEVEL) / 2, self.freedom)) * variance**0.5
        return Interval(mean=mean, low=mean - half, high=mean + half)


def _smoothed(tiles: Floats, variances: Floats, known: NDArray[np.bool_], freedom: Floats) -> Floats:
    """Return (B,) variances ``a + b / n`` of single draws through those that are known, weighted by their freedom."""
    columns = np.stack([np.ones(len(tiles)), tiles[0] / tiles], axis=1)
    weights = np.sqrt(freedom)
    found, _ = optimize.nnls(columns[known] * weights[:, None], variances * weights)
    return np.asarray(columns @ found)


def _freedom(by_tile: Floats, by_draw: Floats, tiles: float, draws: int) -> float:
    """Return Satterthwaite's degrees of freedom of differences between budgets, from those of both parts."""
    centring = np.eye(len(by_tile)) - 1.0 / len(by_tile)
    parts = [float(np.trace(centring @ one @ centring)) for one in (by_tile, by_draw)]
    below = sum(part**2 / max(1, freedom) for part, freedom in zip(parts, (tiles, draws), strict=True))
    return max(1.0, sum(parts) ** 2 / below) if below > 0 else 1.0


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What the families say together.

    Attributes:
        curve: Tiles to IoU with its 95 % interval, from the smallest budget to twice the largest.
        gain: What twice the largest budget adds.
        fit: Chance of deviations as large as the best curve's, in [0, 1].
    """

    curve: Mapping[float, Interval]
    gain: Interval
    fit: float


def forecast(known: BudgetMeans) -> Forecast | None:
    """Draw curves from all families by their weights, and read intervals off them.

    Args:
        known: Of at least four budgets, with at least two draws and val tiles.

    Returns:
        None where hardly any curve rises and stays below 1.
    """
    budgets = np.asarray(known.tiles, dtype=float)
    size = len(budgets)
    points = np.unique(np.append(np.geomspace(budgets[0], 2 * budgets[-1], 40), budgets).round(3))
    families = shapes(budgets, budgets)
    prior = np.concatenate([np.full(len(one), 1.0 / len(one)) for one in families])
    at, inside = np.concatenate(families), np.concatenate(shapes(budgets, points))
    precision = np.linalg.inv(known.covariance + np.eye(size) * 1e-6**2)
    design = np.stack([np.ones_like(at), at], axis=2)  # (shapes, budgets, start and rise)
    normal = np.einsum("sbi,bc,scj->sij", design, precision, design)
    inverse = np.linalg.inv(normal)
    best = np.einsum("sij,sbj,bc,c->si", inverse, design, precision, known.means)
    residuals = known.means - np.einsum("sbi,si->sb", design, best)
    squares = np.einsum("sb,bc,sc->s", residuals, precision, residuals)
    freedom = known.freedom
    logs = -0.5 * np.log(np.linalg.det(normal)) - 0.5 * (freedom + size - 2) * np.log1p(squares / freedom)
    weights = prior * np.exp(logs - logs.max())
    random = np.random.default_rng(0)
    chosen = random.choice(len(weights), SAMPLES, p=weights / weights.sum())
    scale = (freedom + squares[chosen]) / random.chisquare(freedom + size - 2, SAMPLES)
    roots = np.linalg.cholesky(inverse)
    drawn = best[chosen] + np.sqrt(scale)[:, None] * np.einsum(
        "sij,sj->si", roots[chosen], random.normal(size=(SAMPLES, 2))
    )
    curves = drawn[:, :1] + drawn[:, 1:] * inside[chosen]
    curves = curves[(drawn[:, 1] > 0) & (curves[:, -1] <= 1.0)]
    if len(curves) < FEWEST:
        return None
    now = int(np.flatnonzero(points == budgets[-1])[0])
    spare = size - 3
    return Forecast(
        curve={float(point): _interval(curves[:, number]) for number, point in enumerate(points)},
        gain=_interval(curves[:, -1] - curves[:, now]),
        fit=float(stats.f.sf(squares.min() / spare, spare, freedom)),
    )


def _interval(values: Floats) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))


def shapes(budgets: Floats, points: Floats) -> list[Floats]:
    """Return each family's shapes.

    They are power laws, exponentials, logistic curves, straight lines over the logarithm that end in a plateau (before
    the middle of the last step between budgets: later it could not be seen), and the straight line.

    Args:
        budgets: (B,) at least three numbers of tiles, rising.
        points: (P,) numbers of tiles.

    Returns:
        (shapes, P) for each family: 0 at the smallest budget, 1 at the largest, never falling.
    """
    first, last = budgets[0], budgets[-1]
    rates = np.where(np.abs(RATES) < 1e-9, 1e-9, RATES)[:, None]
    middles, widths = np.meshgrid(np.linspace(0.0, 1.2, 13) * last, np.geomspace(0.05, 0.6, 9) * last)
    ends = np.geomspace(budgets[1], np.sqrt(budgets[-2] * last), 13)[:, None]
    families: tuple[Callable[[Floats], Floats], ...] = (
        lambda n: -np.sign(rates) * (n / last) ** -rates,
        lambda n: -np.exp(-(n - first) / (SCALES[:, None] * last)),
        lambda n: 1 / (1 + np.exp(-(n - middles.reshape(-1, 1)) / widths.reshape(-1, 1))),
        lambda n: np.log(np.minimum(n, ends)),
        lambda n: n[None],
    )

    def scaled(family: Callable[[Floats], Floats]) -> Floats:
        low, high, values = (family(np.asarray(one, dtype=np.float64)) for one in ([first], [last], points))
        return np.asarray((values - low) / (high - low))

    return [scaled(one) for one in families]
