"""Draws the page on which the points of a sample are labelled: one HTML file, with nothing outside of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from sweep.audit.maps.filling import CSV_FILE, UNSURE, Filled
from sweep.audit.maps.sample import MapSample
from sweep.audit.maps.sheet.chips import PointView
from sweep.charts.page import page_script, page_style, page_templates, policy

MOST_POINTS = 2_000
"""Points on one page; more are labelled in a GIS."""
_HERE = "sweep.audit.maps.sheet"


def draw_page(sample: MapSample, filled: Filled, views: Sequence[PointView | None], folder: Path, image: str) -> str:
    """Return the page.

    Args:
        sample: What it is of.
        filled: The labels so far.
        views: Of the first points; fewer than there are points leave the others out.
        folder: Where the sheets are.
        image: What the pictures are of; empty for none.
    """
    script = page_script(_asset("script.js"))
    names = list(sample.names.values())
    labels = {number: UNSURE if value is None else sample.names[value] for number, value in filled.labels.items()}
    shown = sample.points[:MOST_POINTS]
    return (
        page_templates(_HERE)
        .get_template("sheet.html")
        .render(
            title=" and ".join(Path(path).name for path in sample.paths),
            names=names,
            unsure=UNSURE,
            points=[
                (point, labels.get(point.number, ""), views[place] if place < len(views) else None)
                for place, point in enumerate(shown)
            ],
            total=len(sample.points),
            csv=CSV_FILE,
            folder=str(folder),
            image=image,
            key=f"tilesweep-{sample.digest}-{sample.seed}-{_state(labels)}",  # other labels, another page
            style=Markup(page_style() + _asset("style.css")),
            script=Markup(script),
            policy=policy(script),
        )
    )


def _state(labels: Mapping[int, str]) -> str:
    return f"{len(labels)}-{zlib.crc32(repr(sorted(labels.items())).encode()):08x}"


def _asset(name: str) -> str:
    return files(_HERE).joinpath(name).read_text(encoding="utf-8")
