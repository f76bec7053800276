"""Charts as SVG: no library, no request; colours come from a style sheet, shapes distinguish series, too."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 40
SERIES = 8
"""Colours and shapes that there are; a ninth series begins with the first."""
Look = Literal["filled", "hollow", "ringed"]
MANY_POINTS = 12
"""Beyond these a line is marked at some of its points only."""

_SHAPES = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",  # circle
    "M-3.5,-3.5h7v7h-7z",  # square
    "M0,-4.6l4.4,8h-8.8z",  # triangle
    "M0,-5l5,5l-5,5l-5,-5z",  # diamond
    "M0,4.6l4.4,-8h-8.8z",  # triangle that stands on its tip
    "M-1.5,-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",  # plus
    "M-4.5,-2.5l2,-2l2.5,2.5l2.5,-2.5l2,2l-2.5,2.5l2.5,2.5l-2,2l-2.5,-2.5l-2.5,2.5l-2,-2l2.5,-2.5z",  # cross
    "M-4.6,0l2.3,-4h4.6l2.3,4l-2.3,4h-4.6z",  # hexagon
)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point of a chart.

    Attributes:
        x: In the chart's units.
        y: In the chart's units; not finite leaves a gap.
        tip: What hovering says.
        hollow: Drawn as an outline.
    """

    x: float
    y: float
    tip: str = ""
    hollow: bool = False


@dataclass(frozen=True, kw_only=True)
class Series:
    """What belongs together in a chart.

    Attributes:
        label: Its name.
        number: Chooses colour and shape.
        marks: Its points.
        joined: Whether a line runs through them.
        marked: Whether they are drawn.
        band: (x, low, high) triples that are filled.
        dashed: Whether its line is.
        architecture: What the page's filter hides it by; empty for never.
    """

    label: str
    number: int
    marks: Sequence[Mark] = ()
    joined: bool = True
    marked: bool = True
    band: Sequence[tuple[float, float, float]] = ()
    dashed: bool = False
    architecture: str = ""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis.

    Attributes:
        label: What it measures.
        low: Its lower end.
        high: Its upper end.
        log: Whether equal ratios are equally far apart; ``low`` is positive then.
        ticks: Where values are written, and what; empty chooses round ones.
    """

    label: str
    low: float
    high: float
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()
    marks: list[tuple[float, str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        marks = list(self.ticks) or self._round_values()
        object.__setattr__(self, "marks", marks)

    @classmethod
    def around(cls, label: str, values: Sequence[float], *, log: bool = False, margin: float = 0.06) -> Axis:
        """Return an axis that shows all of some values; not finite ones do not count."""
        finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)] or [1.0]
        low, high = min(finite), max(finite)
        if log:
            factor = (high / low) ** margin if high > low else 1.5
            return cls(label=label, low=low / factor, high=high * factor, log=True)
        space = (high - low) * margin or abs(high) * 0.1 or 0.5
        return cls(label=label, low=low - space if low < 0 or low - space > 0 else 0.0, high=high + space)

    def place(self, value: float) -> float:
        """Return where a value is between the ends: 0 to 1 for those inside."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def _round_values(self) -> list[tuple[float, str]]:
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1,), (1, 3), (1, 2, 5)):
                found = [step * 10.0**one for one in decades for step in steps]
                inside = [value for value in found if self.low <= value <= self.high]
                if len(inside) > 2:
                    break
            return [(value, f"{value:g}") for value in inside]
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        digits = next(number for number in range(20) if math.isclose(round(step, number), step, rel_tol=1e-6))
        last = math.floor(self.high / step + 1e-9)
        return [(number * step, f"{number * step:.{digits}f}") for number in range(first, last + 1)]


def shape(number: int) -> str:
    """Return a series' shape around the origin, as the data of an SVG path."""
    return _SHAPES[number % SERIES]


def symbol(number: int, look: Look = "filled") -> Markup:
    """Return a series' shape around the origin, drawn so that three measurements of one model can be distinguished."""
    if look == "filled":
        return Markup('<path class="mark" d="{}"/>').format(shape(number))
    outline = Markup('<path class="hollow" d="{}"/>').format(shape(number))
    inside = Markup('<path class="mark core" d="{}" transform="scale(.5)"/>').format(shape(number))
    return outline + inside if look == "ringed" else outline


def marker(number: int, look: Look = "filled", *, coloured: bool = True) -> Markup:
    """Return a series' shape as a picture of 14 pixels, for legends; without its colour where all models share it."""
    return Markup('<svg class="key{}" width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">{}</svg>').format(
        f" s{number % SERIES}" if coloured else "", symbol(number, look)
    )


def chart(
    *,
    label: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    width: int = WIDTH,
    height: int = HEIGHT,
    left: int = LEFT,
) -> Markup:
    """Draw lines, points and bands.

    Args:
        label: What a screen reader says.
        x: Horizontal axis.
        y: Vertical axis.
        series: What is drawn, the last one on top.
        width: Units, which are pixels at full size.
        height: Likewise.
        left: Units for what is written at the vertical axis.
    """
    across, down = width - left - RIGHT, height - TOP - BOTTOM

    def at_x(value: float) -> float:
        return round(left + x.place(value) * across, 1)

    def at_y(value: float) -> float:
        return round(TOP + (1 - y.place(value)) * down, 1)

    parts = [_frame(x, y, at_x, at_y, width, height, left)]
    parts += [_series(one, at_x, at_y) for one in series]
    return Markup(
        '<svg class="chart" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{3}</svg>'
    ).format(width, height, label, Markup("").join(parts))


def _frame(
    x: Axis, y: Axis, at_x: Callable[[float], float], at_y: Callable[[float], float], width: int, height: int, left: int
) -> Markup:
    floor = height - BOTTOM
    parts = [
        Markup(
            '<path class="grid" d="M{0},{1}H{2}"/><text class="tick" x="{3}" y="{4}" text-anchor="end">{5}</text>'
        ).format(left, at_y(value), width - RIGHT, left - 6, at_y(value) + 4, text)
        for value, text in y.marks
    ]
    parts += [
        Markup(
            '<path class="grid" d="M{0},{1}v4"/><text class="tick" x="{0}" y="{2}" text-anchor="middle">{3}</text>'
        ).format(at_x(value), floor, floor + 16, text)
        for value, text in x.marks
    ]
    parts.append(
        Markup(
            '<path class="axis" d="M{0},{1}V{2}H{3}"/>'
            '<text class="label" x="{4}" y="{5}" text-anchor="middle">{6}</text>'
            '<text class="label" transform="translate(11,{7}) rotate(-90)" text-anchor="middle">{8}</text>'
        ).format(
            left, TOP, floor, width - RIGHT, (left + width - RIGHT) / 2, height - 6, x.label, (TOP + floor) / 2, y.label
        )
    )
    return Markup("").join(parts)


def _series(series: Series, at_x: Callable[[float], float], at_y: Callable[[float], float]) -> Markup:
    parts: list[Markup] = []
    if series.band:
        there = [f"{at_x(x)},{at_y(high)}" for x, _, high in series.band]
        back = [f"{at_x(x)},{at_y(low)}" for x, low, _ in reversed(series.band)]
        parts.append(Markup('<path class="band" d="M{}z"/>').format("L".join(there + back)))
    if series.joined:
        dashes = Markup(' stroke-dasharray="5 4"') if series.dashed else ""
        parts += [
            Markup('<path class="line" d="M{}"{}/>').format(
                "L".join(f"{at_x(one.x)},{at_y(one.y)}" for one in run), dashes
            )
            for run in _runs(series.marks)
            if len(run) > 1
        ]
    if series.marked:
        drawn = shape(series.number)
        step = 1 if not series.joined or len(series.marks) <= MANY_POINTS else math.ceil(len(series.marks) / 8)
        for number, mark in enumerate(series.marks):
            if not math.isfinite(mark.y):
                continue
            kind = "hollow" if mark.hollow else "mark" if number % step == 0 else "mark faint"
            parts.append(
                Markup('<path class="{}" d="{}" transform="translate({},{})"><title>{}</title></path>').format(
                    kind, drawn, at_x(mark.x), at_y(mark.y), mark.tip or series.label
                )
            )
    named = Markup(' data-architecture="{}"').format(series.architecture) if series.architecture else ""
    return Markup('<g class="s{}"{}>{}</g>').format(series.number % SERIES, named, Markup("").join(parts))


def _runs(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Split at what is not finite."""
    runs: list[list[Mark]] = [[]]
    for mark in marks:
        if math.isfinite(mark.y):
            runs[-1].append(mark)
        elif runs[-1]:
            runs.append([])
    return runs


def interval(*, low: float | None, middle: float, high: float | None, axis: Axis, number: int) -> Markup:
    """Draw a mean with its interval, 160 units wide; the numbers stand beside it in text."""

    def at(value: float) -> float:
        return round(8 + axis.place(value) * 144, 1)

    line = (
        Markup('<path class="line" d="M{0},10H{1}M{0},5V15M{1},5V15"/>').format(at(low), at(high))
        if low is not None and high is not None
        else Markup("")
    )
    return Markup(
        '<svg class="interval s{}" viewBox="0 0 160 20" aria-hidden="true">{}'
        '<path class="mark" d="{}" transform="translate({},10)"/></svg>'
    ).format(number % SERIES, line, shape(number), at(middle))


def parallel(*, label: str, axes: Sequence[Axis], lines: Sequence[tuple[Sequence[float], int, str, bool]]) -> Markup:
    """Draw parallel coordinates.

    Args:
        label: What a screen reader says.
        axes: At least two.
        lines: A value an axis, a series number, what hovering says, and whether it is emphasized.
    """
    gap, height = 130, 280
    width = gap * (len(axes) - 1) + 120
    top, floor = 40, height - 20

    def at(number: int, value: float) -> str:
        return f"{60 + number * gap},{round(floor - axes[number].place(value) * (floor - top), 1)}"

    parts = [
        Markup('<path class="{}" d="M{}"><title>{}</title></path>').format(
            f"thread s{series % SERIES}{' strong' if strong else ''}",
            "L".join(at(number, value) for number, value in enumerate(values)),
            tip,
        )
        for values, series, tip, strong in sorted(lines, key=lambda one: one[3])
    ]
    for number, axis in enumerate(axes):
        x = 60 + number * gap
        parts.append(
            Markup(
                '<path class="axis" d="M{0},{1}V{2}"/>'
                '<text class="label" x="{0}" y="16" text-anchor="middle">{3}</text>'
            ).format(x, top, floor, axis.label)
        )
        parts += [
            Markup('<text class="tick halo" x="{}" y="{}">{}</text>').format(
                x + 5, round(floor - axis.place(value) * (floor - top) + 4, 1), text
            )
            for value, text in axis.marks
        ]
    return Markup(
        '<svg class="chart wide" viewBox="0 0 {0} {1}" style="width:{0}px" role="img" aria-label="{2}">{3}</svg>'
    ).format(width, height, label, Markup("").join(parts))
