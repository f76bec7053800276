"""Is labelling more worth it? IoU by number of tiles as measured, and what curves through it say of twice as many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import sqrt

from sweep.results.contenders import Contender, SplitScores
from sweep.results.curve_families import NAMES, BudgetMeans, forecast
from sweep.results.layout import Layout, Scores
from sweep.results.statistics import Interval, mean_interval
from trainables.wording import counted

MIN_BUDGETS = 4
"""A curve has three parameters: with fewer budgets nothing is left over that could contradict it."""
MIN_FIT = 0.01
"""Chance of deviations as large as the best curve's, below which no curve is said to fit."""
WORTH = 0.01
"""IoU that is called a gain."""
ASSUMED = "if this curve continues like the usual ones"
"""What a forecast rests on: a curve that stops rising at the largest budget has not been seen to."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How an architecture's val IoU grows with the number of train tiles.

    Attributes:
        title: The architecture's.
        tiles: The budgets, rising.
        measured: Mean val IoU at each, with its 95 % interval over draws and tiles.
        curve: Tiles to the forecast's IoU with its band, from the smallest budget to twice the largest; empty where
            there is no forecast.
        last_step: What the last step between budgets gained, as measured.
        gain: What twice the largest budget would add, by extrapolation; None where that is withheld.
        withheld: Why, and what to do; empty where it is not.
    """

    title: str
    tiles: tuple[int, ...]
    measured: tuple[Interval, ...]
    curve: Mapping[float, Interval]
    last_step: Interval | None
    gain: Interval | None
    withheld: str = ""

    @property
    def is_worth_it(self) -> bool:
        """Whether the forecast's whole interval is a gain."""
        return self.gain is not None and self.gain.low is not None and self.gain.low >= WORTH

    @property
    def worth(self) -> str | None:
        """Whether labelling more is worth it, and on what assumption; None where that cannot be said."""
        if self.gain is None or self.gain.low is None or self.gain.high is None:
            return None
        if self.is_worth_it:
            return f"labelling more is worth it, {ASSUMED}"
        if self.gain.high < WORTH:
            return f"labelling more is hardly worth it, {ASSUMED}"
        return "whether labelling more is worth it is not certain"

    @property
    def sentence(self) -> str:
        """Whether labelling more is worth it, on what assumption, in a sentence or two."""
        most = self.tiles[-1]
        step = ""
        if self.last_step is not None:
            step = f" From {self.tiles[-2]} to {most} tiles, val IoU changed by {self.last_step.text('+.3f')}."
        if self.gain is None or self.worth is None:
            beyond = f"more than {counted(most, 'tile')} may or may not help"
            return f"{self.title}: {beyond}. No forecast is made: {self.withheld}.{step}"
        return (
            f"{self.title}: {self.worth}. Extrapolated, {2 * most} tiles instead of {most} would add "
            f"{self.gain.text('+.3f')} val IoU ({NAMES}, each weighted by its fit).{step}"
        )


def scalings(contenders: Sequence[Contender]) -> list[Scaling]:
    """Fit every architecture that was trained on several budgets.

    Args:
        contenders: Of a Phase 3: a contender for each architecture and budget.
    """
    found: dict[str, dict[int, SplitScores]] = {}
    for contender in contenders:
        if contender.val is not None:
            found.setdefault(contender.row.title, {})[contender.row.tiles] = contender.val
    return [
        fit(title, {tiles: val.iou for tiles, val in budgets.items()}, next(iter(budgets.values())).layout)
        for title, budgets in found.items()
    ]


def fit(title: str, budgets: Mapping[int, Scores], layout: Layout | None = None) -> Scaling:
    """Forecast twice the largest budget where the budgets allow it.

    Args:
        title: The architecture's.
        budgets: Tiles to (draws, val tiles) of IoU, each in [0, 1]; the val tiles are the same at all budgets.
        layout: Of the val tiles; None where each stands alone.
    """
    tiles = tuple(sorted(budgets))
    scores = [budgets[one] for one in tiles]
    layout = layout or Layout.apart(scores[0].shape[1])
    means = BudgetMeans.of(tiles, scores, layout)
    known = partial(
        Scaling,
        title=title,
        tiles=tiles,
        measured=tuple(mean_interval(one, layout=layout) for one in scores),
        last_step=means.step(-2, -1) if len(tiles) > 1 else None,
    )
    if reason := _unfit(tiles, means):
        return known(curve={}, gain=None, withheld=reason)
    found = forecast(means)
    if found is None or found.fit < MIN_FIT:
        return known(curve={}, gain=None, withheld=f"none of the usual curves ({NAMES}) fits the means")
    return known(curve=found.curve, gain=found.gain)


def _unfit(tiles: Sequence[int], means: BudgetMeans) -> str:
    """Say why a forecast makes no sense before any fit; empty where it may."""
    if len(tiles) < MIN_BUDGETS:
        there = f"it needs {MIN_BUDGETS} budgets, there {'is' if len(tiles) == 1 else 'are'} {len(tiles)}"
        return f"{there}; {_more_budgets(tiles)}"
    if means.scenes < 2:
        return "one val tile, or one scene, says nothing about others"
    if means.draws < 2:
        return "one draw per budget says nothing about others; use --draws 3"
    rise = means.step(0, -1)
    if not (rise.low is not None and rise.low > 0.0):
        return f"val IoU did not rise for certain from {tiles[0]} to {tiles[-1]} tiles, {rise.text('+.3f')}"
    return ""


def _more_budgets(tiles: Sequence[int]) -> str:
    """Propose budgets, with the given ones among them, that a forecast can be made from."""
    found = sorted({*tiles, max(1, tiles[0] // 4)}) if len(tiles) == 1 else list(tiles)
    while len(found) < MIN_BUDGETS:
        between = {round(sqrt(low * high)) for low, high in pairwise(found)}
        if between <= set(found):
            return "give more --tiles"
        found = sorted({*found, *between})
    return f"give --tiles {','.join(map(str, found))}"
