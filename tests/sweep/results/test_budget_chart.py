"""The curve by number of tiles, as it is drawn."""

from __future__ import annotations

import re

from sweep.results.budget_chart import budget_chart
from sweep.results.statistics import Interval
from tests.rows import row_of


def test_the_chart_shows_intervals_whole() -> None:
    ends = {5: (0.05, 0.35), 12: (0.1, 0.5), 24: (0.25, 0.6)}
    rows = [
        row_of(f"u-{n}", Interval(mean=(low + high) / 2, low=low, high=high), tiles=n)
        for n, (low, high) in ends.items()
    ]
    drawn = str(budget_chart(rows, [], [], "val"))
    (band,) = re.findall(r'class="band" d="M([^"z]*)z"', drawn)
    heights = [float(place.split(",")[1]) for place in band.split("L")]
    found = dict(zip([0.35, 0.5, 0.6, 0.25, 0.1, 0.05], heights, strict=True))
    scale = (found[0.05] - found[0.6]) / (0.6 - 0.05)
    assert all(abs(found[0.05] - height - (iou - 0.05) * scale) < 0.2 for iou, height in found.items())
