"""The picture beside a dataset's description: class balance, colours, sharpness and drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from sweep.charts.picture import picture
from sweep.charts.svg import Axis, Mark, Series, chart
from sweep.patches.look.description import LARGE, Drift, SplitLook
from trainables.data.imagery import COLOURS
from trainables.task import Task

WIDTH, LEFT, LINE = 560, 180, 26
"""Units of a chart's width, of the names beside it, and of a line of points."""
LONGEST = 26
"""Letters of a name that fit beside a chart."""
MOST_BANDS = 8
"""That are drawn."""
GREY = 7
"""Series of lines that belong to no split."""


def draw_picture(
    title: str, looks: Mapping[str, SplitLook], drifts: Sequence[Drift], task: Task, bands: Sequence[str] = COLOURS
) -> bytes:
    """Draw four charts as SVG; of many bands the first ones are drawn, and the heading says so."""
    features = list(dict.fromkeys(drift.feature for drift in drifts))
    height = 90 + LINE * max(len(features), len(task.classes), len(bands[:MOST_BANDS]), 6)
    part = f"the first {MOST_BANDS} of {len(bands)} bands" if len(bands) > MOST_BANDS else "colours"
    charts = [
        ("class balance: % of labelled pixels", _balance(looks, task, height)),
        (f"{part}: mean and standard deviation of all pixels", _colours(looks, bands[:MOST_BANDS], height)),
        ("sharpness per tile: variance of the Laplacian; bar: median", _sharpness(looks, height)),
        (f"drift from train in standard deviations; dashed: large ({LARGE})", _drift(features, drifts, height)),
    ]
    legend = list(enumerate(looks))
    return picture(title, charts, legend, size=(WIDTH, height), columns=2)


def _rows(names: Sequence[str]) -> Axis:
    """Return an axis of names, the first one at the top."""
    short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    ticks = [(-float(place), name) for place, name in enumerate(short)]
    return Axis(label="", low=0.5 - max(1, len(names)), high=0.5, ticks=ticks)


def _chart(label: str, x: Axis, y: Axis, series: Sequence[Series], height: int) -> Markup:
    return chart(label=label, x=x, y=y, series=series, width=WIDTH, height=height, left=LEFT)


def _stroke(number: int, *ends: tuple[float, float], dashed: bool = False) -> Series:
    marks = [Mark(x=x, y=y) for x, y in ends]
    return Series(label="", number=number, marks=marks, marked=False, dashed=dashed)


def _points(split: str, number: int, marks: Sequence[Mark]) -> Series:
    return Series(label=split, number=number, marks=marks, joined=False)


def _balance(looks: Mapping[str, SplitLook], task: Task, height: int) -> Markup:
    series = [
        _points(
            split,
            number,
            [
                Mark(x=100 * share, y=-place - (number - 1) * 0.2, tip=f"{split}, {task.classes[place]}: {share:.1%}")
                for place, share in enumerate(look.shares.tolist())
            ],
        )
        for number, (split, look) in enumerate(looks.items())
    ]
    most = max((float(look.shares.max()) for look in looks.values()), default=1.0)
    x = Axis(label="% of labelled pixels", low=0.0, high=100 * (most * 1.05 or 1.0))
    return _chart("Class balance; the printed table has the numbers.", x, _rows(task.classes), series, height)


def _colours(looks: Mapping[str, SplitLook], bands: Sequence[str], height: int) -> Markup:
    series = []
    for number, (split, look) in enumerate(looks.items()):
        marks = []
        for place, name in enumerate(bands):
            mean, spread = float(look.means[place]), float(look.deviations[place])
            y = -place - (number - 1) * 0.2
            series.append(_stroke(number, (max(0.0, mean - spread), y), (min(255.0, mean + spread), y)))
            marks.append(Mark(x=mean, y=y, tip=f"{split}, {name}: {mean:.0f} ± {spread:.0f}"))
        series.append(_points(split, number, marks))
    x = Axis(label="value of a pixel", low=0.0, high=255.0)
    return _chart("Colours; the printed table has the numbers.", x, _rows(bands), series, height)


def _sharpness(looks: Mapping[str, SplitLook], height: int) -> Markup:
    series = []
    for number, (split, look) in enumerate(looks.items()):
        values = np.sort(look.features["sharpness"]).tolist()
        marks = [
            Mark(x=value, y=(place % 5 - 2) * 0.06 - number, tip=f"{split}: {value:.0f}")
            for place, value in enumerate(values)
        ]
        median = float(np.median(values))
        series += [_points(split, number, marks), _stroke(GREY, (median, 0.3 - number), (median, -0.3 - number))]
    highest = max((float(look.features["sharpness"].max()) for look in looks.values()), default=1.0)
    x = Axis(label="variance of the Laplacian", low=0.0, high=highest * 1.05 or 1.0)
    return _chart("Sharpness of each tile, and each split's median.", x, _rows(list(looks)), series, height)


def _drift(features: Sequence[str], drifts: Sequence[Drift], height: int) -> Markup:
    series = [
        _points(
            split,
            number,
            [
                Mark(
                    x=drift.difference,
                    y=-features.index(drift.feature) - (number - 1.5) * 0.2,
                    tip=f"{split}, {drift.feature}: {drift.difference:+.2f}",
                )
                for drift in drifts
                if drift.split == split and np.isfinite(drift.difference)
            ],
        )
        for number, split in enumerate(("val", "test"), start=1)
    ]
    furthest = max([1.0, *(abs(drift.difference) for drift in drifts if np.isfinite(drift.difference))]) * 1.05
    y = _rows(features)
    lines = [_stroke(GREY, (side, y.low), (side, y.high), dashed=side != 0.0) for side in (-LARGE, 0.0, LARGE)]
    x = Axis(label="standard deviations", low=-furthest, high=furthest)
    return _chart("Drift from train; the printed table has the numbers.", x, y, [*lines, *series], height)
