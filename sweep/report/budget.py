"""Phase 3: how IoU grows with labelled tiles."""

from __future__ import annotations

from sweep.report.blocks import Block, Chart, Charts, Key, Row, Section, Table
from sweep.report.data import ReportData
from sweep.report.numbers import column_cell
from sweep.results.budget_chart import budget_chart
from sweep.results.budget_curve import budget_table

SIZE = (480, 300)
"""Units of the chart, which are pixels at full size."""


def budget_section(source: ReportData) -> Section | None:
    """Return tables, and the curves that the first screen has not; None outside Phase 3 or before the first score."""
    if source.phase != "phase3":
        return None
    trainings = [row for contender in source.board.contenders for row in contender.trainings]
    splits = [
        split for split in ("val", "test") if any(row.iou_on(split) is not None for row in (*trainings, *source.rows))
    ]
    if not splits:
        return None
    numbers = source.model_numbers
    charts = [
        Chart(
            title=f"{split} IoU by labelled tiles",
            svg=budget_chart(source.rows, trainings, [], split, SIZE, numbers),
        )
        for split in splits
        if split == "test" or not source.board.scalings
    ]
    titles = {row.architecture: row.title for row in source.rows}
    legend = [Key(number=numbers[name], label=title, architecture=name) for name, title in titles.items()]
    notes = ["One point per draw of the tiles; lines connect the means, bands are their 95 % intervals."]
    blocks: list[Block] = [Charts(charts=charts, legend=legend, notes=notes)] if charts else []
    blocks += [_table(source, split) for split in splits]
    return Section(slug="budget", title="What more tiles are worth", blocks=blocks)


def _table(source: ReportData, split: str) -> Table:
    title, columns, lines = budget_table(source.rows, split)
    return Table(
        caption=title,
        columns=[column.heading for column in columns],
        rows=[
            Row(
                cells=[column_cell(column, line) for column in columns],
                architecture=line.architecture,
                number=source.model_numbers[line.architecture],
            )
            for line in lines
        ],
        numeric=frozenset(column.heading for column in columns if column.right),
    )
