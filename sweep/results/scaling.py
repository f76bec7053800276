"""Is labelling more worth it? A power law through IoU by number of tiles, and what it says of twice as many.

The error of a learning curve falls as a power of the number of examples towards a floor (Hestness et al., 2017, "Deep
learning scaling is predictable, empirically"; Figueroa et al., 2012, "Predicting sample size required for
classification performance"): IoU(n) = ceiling - loss * n ** -rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sweep.results.entries import Entry, label_of
from sweep.results.statistics import Interval, Resampling, Scores

RATES = np.geomspace(0.05, 4.0, 80)
"""Exponents that are tried; for each of them the other two parameters follow by least squares."""
MIN_BUDGETS = 3
MIN_R2 = 0.9
"""Share of the variance of the budgets' means that the fit has to explain."""
MAX_WIDTH = 0.1
"""Widest interval of a forecast that is shown, in IoU."""
WORTH = 0.01
"""IoU that is called a gain."""
RESAMPLES = 2_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How an architecture's val IoU grows with the number of train tiles.

    Attributes:
        title: The architecture's, with the weights that it started from.
        tiles: The budgets, rising.
        measured: Mean val IoU at each, with its 95 % interval over draws and tiles.
        curve: Tiles to the fitted IoU with its band, from the smallest budget to twice the largest; empty where
            there is no fit.
        last_step: What the last step between budgets gained, as measured.
        gain: What twice the largest budget would add, by extrapolation; None where that is withheld.
        withheld: Why; empty where it is not.
    """

    title: str
    tiles: tuple[int, ...]
    measured: tuple[Interval, ...]
    curve: Mapping[float, Interval]
    last_step: Interval | None
    gain: Interval | None
    withheld: str = ""

    @property
    def worth(self) -> str | None:
        """Whether labelling more is worth it, in a few words; None where that cannot be said."""
        if self.gain is None or self.gain.low is None or self.gain.high is None:
            return None
        if self.gain.low >= WORTH:
            return "labelling more is worth it"
        if self.gain.high < WORTH:
            return "labelling more is hardly worth it"
        return "whether labelling more is worth it cannot be told"

    @property
    def sentence(self) -> str:
        """Whether labelling more is worth it, in a sentence or two."""
        most = self.tiles[-1]
        step = ""
        if self.last_step is not None:
            step = f" From {self.tiles[-2]} to {most} tiles it gained {_signed(self.last_step)}, as measured."
        if self.gain is None or self.worth is None:
            return f"{self.title}: what more than {most} tiles would bring cannot be said: {self.withheld}.{step}"
        return (
            f"{self.title}: {self.worth}; {2 * most} tiles instead of {most} would add {_signed(self.gain)} IoU by "
            f"extrapolation.{step}"
        )


def scalings(entries: Sequence[Entry]) -> list[Scaling]:
    """Fit every architecture that was trained on several budgets.

    Args:
        entries: Of a Phase 3: a contender for each architecture and budget.
    """
    found: dict[str, dict[int, Scores]] = {}
    for entry in entries:
        if entry.val is not None:
            found.setdefault(label_of(entry.row), {})[entry.row["tiles"]] = entry.val.iou
    return [fit(title, budgets) for title, budgets in found.items()]


def fit(title: str, budgets: Mapping[int, Scores]) -> Scaling:
    """Fit the power law, and forecast twice the largest budget where the fit allows it.

    Args:
        title: The architecture's.
        budgets: Tiles to (draws, val tiles) of IoU, each in [0, 1]; the val tiles are the same at all budgets. Draws
            are resampled together over budgets where there are as many at each: a draw's smaller budgets are among its
            larger ones.
    """
    tiles = tuple(sorted(budgets))
    resampling = Resampling(budgets[tiles[0]].shape[1], resamples=RESAMPLES)
    nested = len({scores.shape[0] for scores in budgets.values()}) == 1
    resampled = np.stack(
        [resampling.means(budgets[one], 0 if nested else number) for number, one in enumerate(tiles)], axis=1
    )
    means = np.array([float(budgets[one].mean()) for one in tiles])

    def interval(mean: float, values: Floats) -> Interval:
        low, high = resampling.percentiles(values)
        return Interval(mean=mean, low=low, high=high)

    measured = tuple(interval(means[number], resampled[:, number]) for number in range(len(tiles)))
    step = interval(means[-1] - means[-2], resampled[:, -1] - resampled[:, -2]) if len(tiles) > 1 else None
    known = partial(Scaling, title=title, tiles=tiles, measured=measured, last_step=step)
    rise = interval(means[-1] - means[0], resampled[:, -1] - resampled[:, 0])
    if reason := _unfit(tiles, resampling.tiles, min(scores.shape[0] for scores in budgets.values()), rise):
        return known(curve={}, gain=None, withheld=reason)
    points = np.unique(np.append(np.geomspace(tiles[0], 2 * tiles[-1], 40), tiles).round(3))
    fitted, r2 = power_law(tiles, means[None], points)
    band, _ = power_law(tiles, resampled, points)
    curve = {float(point): interval(fitted[0, number], band[:, number]) for number, point in enumerate(points)}
    at = int(np.flatnonzero(points == tiles[-1])[0])
    gain = interval(fitted[0, -1] - fitted[0, at], band[:, -1] - band[:, at])
    reason = ""
    if r2[0] < MIN_R2:
        reason = f"no power law fits the means (R2 {r2[0]:.2f})"
    elif gain.high is not None and gain.low is not None and gain.high - gain.low > MAX_WIDTH:
        reason = f"the forecast's interval is {gain.high - gain.low:.2f} IoU wide; more --draws narrow it"
    return known(curve=curve, gain=None if reason else gain, withheld=reason)


def _unfit(tiles: Sequence[int], val_tiles: int, draws: int, rise: Interval) -> str:
    """Say why a forecast makes no sense before any fit; empty where it may."""
    if len(tiles) < MIN_BUDGETS:
        return f"a power law needs {MIN_BUDGETS} budgets, there are {len(tiles)}"
    if val_tiles < 2:
        return "one val tile says nothing of others"
    if draws < 2:
        return "one draw of each budget says nothing of others; --draws 3 does"
    if not (rise.low is not None and rise.low > 0.0):
        return f"that it rises from {tiles[0]} to {tiles[-1]} tiles is not certain, {_signed(rise)}"
    return ""


def power_law(tiles: Sequence[int], means: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Fit ceiling - loss * n ** -rate by least squares, with a ceiling of at most 1 and a loss of at least 0.

    Args:
        tiles: (budgets,) n.
        means: (fits, budgets) IoU in [0, 1].
        points: (points,) n at which the curves are wanted.

    Returns:
        (fits, points) fitted IoU, and (fits,) R2.
    """
    powers = np.asarray(tiles, dtype=np.float64)[None] ** -RATES[:, None]  # (rates, budgets)
    centred = powers - powers.mean(axis=1, keepdims=True)
    about = means - means.mean(axis=1, keepdims=True)
    loss = -np.einsum("fb,rb->fr", about, centred) / (centred**2).sum(axis=1)
    loss = np.maximum(loss, 0.0)
    ceiling = means.mean(axis=1)[:, None] + loss * powers.mean(axis=1)
    over = ceiling > 1.0  # then the ceiling is 1, and the loss the best one below it
    capped = np.einsum("fb,rb->fr", 1.0 - means, powers) / (powers**2).sum(axis=1)
    loss, ceiling = np.where(over, capped, loss), np.where(over, 1.0, ceiling)
    residuals = means[:, None, :] - (ceiling[..., None] - loss[..., None] * powers)
    errors = (residuals**2).sum(axis=2)
    best = errors.argmin(axis=1)
    rows = np.arange(len(means))
    total = (about**2).sum(axis=1)
    r2 = 1.0 - errors[rows, best] / np.where(total > 0.0, total, np.inf)
    curves = ceiling[rows, best][:, None] - loss[rows, best][:, None] * points[None] ** -RATES[best][:, None]
    return curves, np.where(total > 0.0, r2, 0.0)


def _signed(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.mean:+.3f}"
    return f"{interval.mean:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"
