"""Phase 3: how IoU grows with labelled tiles."""

from __future__ import annotations

from sweep.report.blocks import Block, Chart, Charts, Key, Row, Section, Table
from sweep.report.data import ReportData
from sweep.report.numbers import column_cell
from sweep.results.budget_chart import budget_chart
from sweep.results.budget_curve import budget_table
from sweep.results.curve_families import NAMES

SIZE = (480, 300)
"""Units of the chart, which are pixels at full size."""


def budget_section(source: ReportData) -> Section | None:
    """Return the curve and its table; None outside Phase 3 or before the first score."""
    if source.phase != "phase3":
        return None
    trainings = [row for contender in source.board.contenders for row in contender.trainings]
    splits = [
        split for split in ("val", "test") if any(row.iou_on(split) is not None for row in (*trainings, *source.rows))
    ]
    if not splits:
        return None
    fits, numbers = source.board.scalings, source.model_numbers
    charts = [
        Chart(
            title=f"{split} IoU by labelled tiles",
            svg=budget_chart(source.rows, trainings, fits if split == "val" else [], split, SIZE, numbers),
        )
        for split in splits
    ]
    titles = {row.architecture: row.title for row in source.rows}
    legend = [Key(number=numbers[name], label=title, architecture=name) for name, title in titles.items()]
    notes = ["One point per draw of the tiles; lines connect the means, bands are their 95 % intervals."]
    if any(fit.curve for fit in fits):
        notes.append(f"Dashed: the mean of fitted curves ({NAMES}) with its 95 % band, to twice the most tiles.")
    blocks: list[Block] = [Charts(charts=charts, legend=legend, notes=notes)]
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
