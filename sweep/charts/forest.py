"""Means with their intervals on one axis, a group of lines per model: the picture of who is ahead, and how surely."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sweep.charts.svg import SERIES, Axis, Look, symbol

WIDTH, LEFT, RIGHT = 360, 52, 48
"""Units, which are pixels on a phone: a wider place only makes it larger."""
LETTERS = 46
"""Letters of a name that fit on a line."""
LINE, NAME, GAP, FOOT = 17, 15, 9, 34


@dataclass(frozen=True, kw_only=True)
class MeanLine:
    """A mean with its interval.

    Attributes:
        name: What was measured: ``val``, ``test``.
        mean: In the axis's units.
        low: Lower end; None where it is not known.
        high: Upper end.
        look: How its point is drawn.
    """

    name: str
    mean: float
    low: float | None = None
    high: float | None = None
    look: Look = "filled"

    @property
    def text(self) -> str:
        """Mean and interval in words."""
        ends = "" if self.low is None or self.high is None else f" ({self.low:.3f} to {self.high:.3f})"
        return f"{self.name} {self.mean:.3f}{ends}"


@dataclass(frozen=True, kw_only=True)
class ForestGroup:
    """What is measured of one model.

    Attributes:
        name: The model's.
        number: Chooses colour and shape.
        lines: At least one.
        architecture: What the page's filter hides it by; empty for never.
    """

    name: str
    number: int
    lines: Sequence[MeanLine]
    architecture: str = ""


def forest(*, label: str, axis: str, groups: Sequence[ForestGroup]) -> Markup:
    """Draw groups one under the other.

    Args:
        label: What a screen reader says before the numbers.
        axis: What the axis measures.
        groups: At least one, in the order in which they are drawn.
    """
    lines = [line for group in groups for line in group.lines]
    seen = [one for line in lines for one in (line.mean, line.low, line.high) if one is not None]
    x = Axis.around(axis, seen)
    names = [textwrap.wrap(group.name, LETTERS) or [""] for group in groups]
    floor = sum(len(name) * NAME + len(group.lines) * LINE + GAP for name, group in zip(names, groups, strict=True)) + 4
    height = floor + FOOT
    parts = [_axis(x, floor, height)]
    top = 4
    for name, group in zip(names, groups, strict=True):
        parts.append(_group(group, name, x, top))
        top += len(name) * NAME + len(group.lines) * LINE + GAP
    said = "; ".join(f"{group.name}: {', '.join(line.text for line in group.lines)}" for group in groups)
    return Markup(
        '<svg class="chart forest" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{3}</svg>'
    ).format(WIDTH, height, f"{label} {said}.", Markup("").join(parts))


def _at(axis: Axis, value: float) -> float:
    return round(LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT), 1)


def _axis(x: Axis, floor: int, height: int) -> Markup:
    ticks = [
        Markup(
            '<path class="grid" d="M{0},4V{1}"/><text class="tick" x="{0}" y="{2}" text-anchor="middle">{3}</text>'
        ).format(_at(x, value), floor, floor + 13, text)
        for value, text in x.marks
    ]
    return Markup("{}<text class='label' x='{}' y='{}' text-anchor='middle'>{}</text>").format(
        Markup("").join(ticks), (LEFT + WIDTH - RIGHT) / 2, height - 6, x.label
    )


def _group(group: ForestGroup, name: Sequence[str], x: Axis, top: int) -> Markup:
    parts = [
        Markup('<text class="name halo" x="0" y="{}">{}</text>').format(top + 11 + number * NAME, part)
        for number, part in enumerate(name)
    ]
    for number, line in enumerate(group.lines):
        middle = top + len(name) * NAME + number * LINE + LINE / 2
        parts.append(Markup('<text class="tick halo" x="0" y="{}">{}</text>').format(middle + 4, line.name))
        if line.low is not None and line.high is not None:
            low, high = _at(x, line.low), _at(x, line.high)
            parts.append(
                Markup('<path class="line" d="M{0},{2}H{1}M{0},{3}v8M{1},{3}v8"/>').format(
                    low, high, middle, middle - 4
                )
            )
        parts.append(
            Markup(
                '<g transform="translate({},{})"><title>{}</title>{}</g>'
                '<text class="value" x="{}" y="{}" text-anchor="end">{:.3f}</text>'
            ).format(
                _at(x, line.mean),
                middle,
                f"{group.name}: {line.text}",
                symbol(group.number, line.look),
                WIDTH,
                middle + 4,
                line.mean,
            )
        )
    named = Markup(' data-architecture="{}"').format(group.architecture) if group.architecture else ""
    return Markup('<g class="s{}"{}>{}</g>').format(group.number % SERIES, named, Markup("").join(parts))
