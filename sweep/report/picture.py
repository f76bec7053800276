"""The picture of the first screen: the scores that the answer rests on, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

from sweep.charts.forest import ForestGroup, MeanLine, forest
from sweep.charts.svg import SERIES, Look
from sweep.report.blocks import Chart, Charts, Key
from sweep.report.data import ReportData
from sweep.results.budget_chart import budget_chart
from sweep.results.curve_families import NAMES
from sweep.results.gains import TuningGain
from sweep.results.rows import LeaderboardRow
from sweep.results.statistics import Interval

SIZE = (440, 300)
"""Units of the budget curve, which are pixels at full size."""
LOOKS: Mapping[str, Look] = {"val": "filled", "shared": "hollow", "tuned": "filled", "test": "ringed"}
"""What was measured -> how its point is drawn, the same in every phase."""
MEANINGS = {
    "val": "val tiles, which choose",
    "shared": "val tiles, shared recipe",
    "tuned": "val tiles, its best recipe",
    "test": "test tiles, read once",
}
"""The same in words, for the legend."""


def first_picture(source: ReportData) -> Charts | None:
    """Return contenders with their intervals; of Phase 2 both recipes, of Phase 3 the curve. None without a score."""
    if source.board.scalings:
        return _curve(source)
    standing = source.board.standings[0] if source.board.standings else None
    rows = [row for row in (standing.rows if standing else ()) if row.val.iou]
    if not rows:
        return None
    gains = {one.summary.study.template.recipe.architecture: one for one in source.gains}
    groups = [_group(source, row, gains.get(row.architecture)) for row in rows[:SERIES]]
    drawn = {line.name for group in groups for line in group.lines}
    legend = [Key(label=words, look=LOOKS[name]) for name, words in MEANINGS.items() if name in drawn]
    notes = ["Points are means over whole tiles, lines their 95 % intervals."]
    if len(rows) > len(groups):
        notes.append(f"The first {len(groups)} of {len(rows):,}.")
    svg = forest(label="IoU of each model with its 95 % interval.", axis="IoU of whole tiles", groups=groups)
    return Charts(charts=[Chart(title="", svg=svg)], legend=legend if len(legend) > 1 else (), notes=notes)


def _group(source: ReportData, row: LeaderboardRow, gain: TuningGain | None) -> ForestGroup:
    assert row.val.iou
    lines = [_measured("val", row.val.iou)]
    if gain is not None and gain.gain is not None:
        lines = [_measured("shared", gain.shared), _measured("tuned", gain.best)]
    if row.test.iou:
        lines.append(_measured("test", row.test.iou))
    return ForestGroup(
        name=source.label(row), number=source.numbers[row.contender], lines=lines, architecture=row.architecture
    )


def _measured(name: str, iou: Interval) -> MeanLine:
    return MeanLine(name=name, mean=iou.mean, low=iou.low, high=iou.high, look=LOOKS[name])


def _curve(source: ReportData) -> Charts:
    numbers = source.model_numbers
    trainings = [row for contender in source.board.contenders for row in contender.trainings]
    svg = budget_chart(source.rows, trainings, source.board.scalings, "val", SIZE, numbers)
    titles = {row.architecture: row.title for row in source.rows}
    legend = [Key(number=numbers[name], label=title, architecture=name) for name, title in titles.items()]
    notes = ["Val IoU of whole tiles; one point per draw, lines connect the means, bands are 95 % intervals."]
    if any(fit.curve for fit in source.board.scalings):
        notes.append(f"Dashed: the mean of fitted curves ({NAMES}) with its 95 % band, to twice the most tiles.")
    return Charts(charts=[Chart(title="", svg=svg)], legend=legend, notes=notes)
