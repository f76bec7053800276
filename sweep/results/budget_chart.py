"""How IoU grows with the number of tiles, drawn: on the page, and as a file beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from sweep.charts.svg import HEIGHT, WIDTH, Axis, Mark, Series, chart
from sweep.results.rows import LeaderboardRow, ScoredTrial
from sweep.results.scaling import Scaling
from sweep.results.statistics import Interval
from trainables.wording import counted


def model_numbers(rows: Sequence[LeaderboardRow]) -> dict[str, int]:
    """Return architecture to the number of its colour and shape, in the order of the leaderboard's rows."""
    return {name: number for number, name in enumerate(dict.fromkeys(row.architecture for row in rows))}


def budget_chart(
    rows: Sequence[LeaderboardRow],
    trainings: Sequence[ScoredTrial],
    fits: Sequence[Scaling],
    split: str,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    numbers: Mapping[str, int] | None = None,
) -> Markup:
    """Draw a line per architecture through the means with its 95 % band, a point per draw, and forecasts dashed.

    Args:
        rows: The leaderboard's: a contender for each architecture and budget.
        trainings: A row per draw.
        fits: Forecasts; those that were withheld are not drawn.
        split: ``val`` or ``test``; something was scored on it.
        size: Width and height in units, which are pixels at full size.
        numbers: Architecture to the number of its colour and shape; None numbers them by ``rows``.
    """
    shown = sorted(((row, iou) for row in rows if (iou := row.on(split).iou)), key=lambda pair: pair[0].tiles)
    dots = [(row, one) for row in trainings if (one := row.iou_on(split)) is not None]
    curves = {fit.title: _beyond(fit) for fit in fits if fit.curve}
    budgets = sorted({row.tiles for row, _ in (*shown, *dots)})
    last = round(max([budgets[-1], *(max(curve) for curve in curves.values())]))
    means = [*(iou for _, iou in shown), *(one for curve in curves.values() for one in curve.values())]
    ends = [end for one in means for end in _ends(one)]
    seen = [*(one.mean for one in means), *ends, *(iou for _, iou in dots)]
    x = Axis(
        label="labelled train tiles",
        low=budgets[0] / 1.15,
        high=last * 1.15,
        log=True,
        ticks=[(float(budget), str(budget)) for budget in dict.fromkeys([*budgets, last])],
    )
    y = Axis.around(f"{split} IoU", seen)
    series = []
    for name, number in (numbers or model_numbers(rows)).items():
        line = [pair for pair in shown if pair[0].architecture == name]
        own = [pair for pair in dots if pair[0].architecture == name]
        if line:
            first = line[0][0]
            series += [_means(line, number), *_forecast(curves.get(first.title), first, number)]
        if own:
            series.append(_draws(own, split, number))
    label = f"{split} IoU by number of labelled tiles; the table has the numbers."
    return chart(label=label, x=x, y=y, series=series, width=size[0], height=size[1])


def _beyond(fit: Scaling) -> dict[float, Interval]:
    return {tiles: one for tiles, one in fit.curve.items() if tiles >= fit.tiles[-1]}


def _means(line: Sequence[tuple[LeaderboardRow, Interval]], number: int) -> Series:
    band = [(row.tiles, *_ends(iou)) for row, iou in line]
    known = len(line) > 1 and all(iou.ends() for _, iou in line)
    return Series(
        label=line[0][0].title,
        number=number,
        marks=[Mark(x=row.tiles, y=iou.mean) for row, iou in line],
        marked=False,
        band=band if known else [],
        architecture=line[0][0].architecture,
    )


def _forecast(curve: Mapping[float, Interval] | None, row: LeaderboardRow, number: int) -> list[Series]:
    if not curve:
        return []
    return [
        Series(
            label=row.title,
            number=number,
            marks=[Mark(x=tiles, y=one.mean) for tiles, one in curve.items()],
            marked=False,
            band=[(tiles, *_ends(one)) for tiles, one in curve.items()],
            dashed=True,
            architecture=row.architecture,
        )
    ]


def _draws(dots: Sequence[tuple[ScoredTrial, float]], split: str, number: int) -> Series:
    return Series(
        label=dots[0][0].title,
        number=number,
        joined=False,
        marks=[
            Mark(x=row.tiles, y=iou, tip=f"{row.title}, {counted(row.tiles, 'tile')}: {split} IoU {iou:.3f}")
            for row, iou in dots
        ],
        architecture=dots[0][0].architecture,
    )


def _ends(interval: Interval) -> tuple[float, float]:
    """Return an interval's ends, in [0, 1] as every IoU is; the mean where they are not known."""
    low, high = (interval.mean if end is None else end for end in (interval.low, interval.high))
    return max(low, 0.0), min(high, 1.0)
