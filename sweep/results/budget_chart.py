"""How IoU grows with the number of tiles, drawn: on the page, and as a file beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from sweep.charts.svg import HEIGHT, WIDTH, Axis, Mark, Series, chart
from sweep.records.winners import Row
from sweep.results.contenders import label_of
from sweep.results.scaling import Scaling
from sweep.results.statistics import Interval


def model_numbers(rows: Sequence[Row]) -> dict[str, int]:
    """Return architecture to the number of its colour and shape, in the order of the leaderboard's rows."""
    return {name: number for number, name in enumerate(dict.fromkeys(row["architecture"] for row in rows))}


def budget_chart(
    rows: Sequence[Row],
    trainings: Sequence[Row],
    fits: Sequence[Scaling],
    split: str,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Markup:
    """Draw a line per architecture through the means with its 95 % band, a point per draw, and forecasts dashed.

    Args:
        rows: The leaderboard's: a contender for each architecture and budget.
        trainings: A row per draw.
        fits: Forecasts; those that were withheld are not drawn.
        split: ``val`` or ``test``; something was scored on it.
        size: Width and height in units, which are pixels at full size.
    """
    score = f"{split}_iou"
    shown = sorted((row for row in rows if row[score] is not None), key=lambda row: row["tiles"])
    dots = [row for row in trainings if row[score] is not None]
    curves = {fit.title: _beyond(fit) for fit in fits if fit.curve}
    budgets = sorted({row["tiles"] for row in (*shown, *dots)})
    last = round(max([budgets[-1], *(max(curve) for curve in curves.values())]))
    seen = [row[score] for row in (*shown, *dots)]
    seen += [one.mean for curve in curves.values() for one in curve.values()]
    x = Axis(
        label="labelled train tiles",
        low=budgets[0] / 1.15,
        high=last * 1.15,
        log=True,
        ticks=[(float(budget), str(budget)) for budget in dict.fromkeys([*budgets, last])],
    )
    y = Axis.around(f"{split} IoU", seen)
    series = []
    for name, number in model_numbers(rows).items():
        line = [row for row in shown if row["architecture"] == name]
        own = [row for row in dots if row["architecture"] == name]
        if line:
            series += [_means(line, score, number, y), *_forecast(curves.get(label_of(line[0])), line[0], number, y)]
        if own:
            series.append(_draws(own, split, number))
    label = f"{split} IoU by number of labelled tiles; the table has the numbers."
    return chart(label=label, x=x, y=y, series=series, width=size[0], height=size[1])


def _beyond(fit: Scaling) -> dict[float, Interval]:
    return {tiles: one for tiles, one in fit.curve.items() if tiles >= fit.tiles[-1]}


def _means(line: Sequence[Row], score: str, number: int, y: Axis) -> Series:
    ends = [(row[f"{score}_low"], row[f"{score}_high"]) for row in line]
    known = len(line) > 1 and all(None not in pair for pair in ends)
    return Series(
        label=label_of(line[0]),
        number=number,
        marks=[Mark(x=row["tiles"], y=row[score]) for row in line],
        marked=False,
        band=[(row["tiles"], *_inside(*pair, y)) for row, pair in zip(line, ends, strict=True)] if known else [],
        architecture=line[0]["architecture"],
    )


def _forecast(curve: Mapping[float, Interval] | None, row: Row, number: int, y: Axis) -> list[Series]:
    if not curve:
        return []
    ends = {
        tiles: (one.mean if one.low is None else one.low, one.mean if one.high is None else one.high)
        for tiles, one in curve.items()
    }
    return [
        Series(
            label=label_of(row),
            number=number,
            marks=[Mark(x=tiles, y=one.mean) for tiles, one in curve.items()],
            marked=False,
            band=[(tiles, *_inside(*pair, y)) for tiles, pair in ends.items()],
            dashed=True,
            architecture=row["architecture"],
        )
    ]


def _draws(rows: Sequence[Row], split: str, number: int) -> Series:
    return Series(
        label=label_of(rows[0]),
        number=number,
        joined=False,
        marks=[
            Mark(
                x=row["tiles"],
                y=row[f"{split}_iou"],
                tip=f"{row['title']}, {row['tiles']} tiles: {split} IoU {row[f'{split}_iou']:.3f}",
            )
            for row in rows
        ],
        architecture=rows[0]["architecture"],
    )


def _inside(low: float, high: float, axis: Axis) -> tuple[float, float]:
    """Return an interval's ends, inside of the chart."""
    return max(low, axis.low), min(high, axis.high)
