"""A file with charts in it, which needs no page: any program that shows SVG shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from sweep.charts.svg import marker

MARGIN, TITLE, HEADING, KEYS = 16, 38, 22, 22
"""Units around everything, and for the lines with the title, a chart's heading and keys."""
LETTER = 7.2
"""Units that a letter of a key takes at most, on average."""


def style_sheet() -> str:
    """Return the style of charts for a page, in light and dark."""
    return _asset("colours.css") + _asset("charts.css")


def picture(
    title: str,
    charts: Sequence[tuple[str, Markup]],
    legend: Sequence[tuple[int, str]],
    *,
    size: tuple[int, int],
    columns: int = 1,
) -> bytes:
    """Return an SVG file.

    Args:
        title: Written at the top.
        charts: A heading, which may be empty, and a chart, all of one size.
        legend: A series' number and what it is.
        size: A chart's width and height, in pixels.
        columns: How many charts stand side by side.
    """
    width, height = size
    heading = HEADING if any(name for name, _ in charts) else 0
    full = MARGIN * (columns + 1) + width * columns
    parts = [_text("title", MARGIN, MARGIN + 14, title)]
    top = MARGIN + TITLE
    left = MARGIN
    for number, name in legend:
        wide = round(30 + LETTER * len(name))
        if left > MARGIN and left + wide > full:
            left, top = MARGIN, top + KEYS
        parts.append(_placed(left, top - 11, marker(number)) + _text("label", left + 20, top, name))
        left += wide
    top += KEYS if legend else 0
    for number, (name, chart) in enumerate(charts):
        x = MARGIN + number % columns * (width + MARGIN)
        y = top + number // columns * (heading + height + MARGIN)
        parts += [_text("heading", x, y + 10, name), _placed(x, y + heading, chart)]
    rows = -(-len(charts) // columns)
    return (
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" '
            'font-family="system-ui, sans-serif"><title>{2}</title><style>{3}</style>'
            '<rect width="{0}" height="{1}" fill="#fff"/>{4}</svg>\n'
        )
        .format(full, top + rows * (heading + height + MARGIN), title, Markup(_light()), Markup("").join(parts))
        .encode()
    )


def _placed(x: int, y: int, drawing: Markup) -> Markup:
    return Markup('<g transform="translate({},{})">{}</g>').format(x, y, drawing)


def _text(kind: str, x: int, y: int, text: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, x, y, text) if text else Markup("")


def _light() -> str:
    """Return the style with the colours of the light page in the place of variables, which few programs know."""
    light = dict(re.findall(r"--([\w-]+): (#\w+);", _asset("colours.css").partition("}")[0]))
    own = ".title { font-size: 16px; font-weight: 600; } .heading { font-size: 13px; font-weight: 600; }\n"
    own += "text { fill: var(--ink); } text.label { font-size: 12px; }\n"
    return re.sub(r"var\(--([\w-]+)\)", lambda found: light[found[1]], own + _asset("charts.css"))


def _asset(name: str) -> str:
    return files("sweep.charts").joinpath(name).read_text(encoding="utf-8")
