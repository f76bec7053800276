"""Learning curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import nan
from types import MappingProxyType

from sweep.charts.svg import SERIES, Axis, Mark, Series, chart
from sweep.report.blocks import Cell, Chart, Charts, Key, Row, Section, Table
from sweep.report.data import CurvePoint, ReportData
from sweep.report.numbers import number_cell, score_cell
from sweep.results.rows import LeaderboardRow
from trainables.wording import counted

EXPLODED = 5.0
"""Times the median beyond which one loss would flatten all others: the axis is logarithmic then."""
Measure = Callable[[CurvePoint], float | None]
MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "train loss": lambda point: point.train_loss,
        "val loss": lambda point: point.val_loss,
        "val IoU of crops": lambda point: point.val_iou,
    }
)


def learning_curves(source: ReportData) -> Section | None:
    """Return losses and val IoU by epoch of the best contenders; None before the first epoch."""
    rows = [row for row in source.rows if row.epochs][:SERIES]
    attempts = {row.contender: row.attempts or (row.attempt,) for row in rows}
    epochs = source.epochs({attempt for found in attempts.values() for attempt in found})
    if not epochs:
        return None
    last = max(one.epoch for found in epochs.values() for one in found)
    step = max(1, round(last / 5))
    ticks = [(float(epoch), str(epoch)) for epoch in range(step, last + 1, step)]
    x = Axis(label="epoch", low=min(0.9, last / 2), high=last * 1.02, ticks=ticks)
    charts = [
        _chart(source, label, group, epochs, attempts, x) for group in _groups(source, rows) for label in MEASURES
    ]
    notes = ["During training, crops of the val tiles are scored; the leaderboard scores whole tiles."]
    if len(source.rows) > len(rows):
        notes.append(f"The first {len(rows)} of {len(source.rows):,} lines of the leaderboard.")
    keys = {row.architecture: row for row in reversed(rows)}  # in Phase 3 a model has a line in several charts
    legend = [
        Key(
            number=source.numbers[row.contender],
            label=row.title if source.phase == "phase3" else source.label(row),
            architecture=row.architecture,
        )
        for row in rows
        if keys[row.architecture] is row
    ]
    ends = _ends(source, rows, lambda row: epochs.get(attempts[row.contender][0], []))
    return Section(
        slug="curves", title="Learning curves", blocks=[Charts(charts=charts, legend=legend, notes=notes), ends]
    )


def _groups(source: ReportData, rows: list[LeaderboardRow]) -> list[list[LeaderboardRow]]:
    """Return the rows that share charts: in Phase 3 those of one number of tiles, since a model has one colour."""
    groups: dict[int, list[LeaderboardRow]] = {}
    for row in rows:
        groups.setdefault(row.tiles if source.phase == "phase3" else 0, []).append(row)
    return list(groups.values())


def _chart(
    source: ReportData,
    label: str,
    rows: list[LeaderboardRow],
    epochs: Mapping[str, list[CurvePoint]],
    attempts: Mapping[str, Sequence[str]],
    x: Axis,
) -> Chart:
    """Return the chart of one measure of some rows' trainings."""

    def value(point: CurvePoint) -> float:
        measured = MEASURES[label](point)
        return nan if measured is None else measured

    found = [attempt for row in rows for attempt in attempts[row.contender]]
    values = sorted(value(one) for attempt in found for one in epochs.get(attempt, [])) or [nan]
    log = label.endswith("loss") and values[0] > 0 and values[-1] > EXPLODED * values[len(values) // 2]
    y = Axis.around(f"{label} (log)" if log else label, values, log=log)
    series = [
        Series(
            label=source.label(row),
            number=source.numbers[row.contender],
            architecture=row.architecture,
            marks=[
                Mark(
                    x=one.epoch,
                    y=value(one),
                    tip=f"{source.label(row)}, epoch {one.epoch}: {label} {value(one):.3f}",
                )
                for one in epochs.get(attempt, [])
            ],
        )
        for row in rows
        for attempt in attempts[row.contender]
    ]
    title = f"{label}, {counted(rows[0].tiles, 'tile')}" if source.phase == "phase3" else label
    said = f"{title} by epoch, one line per training; the table below has the ends."
    return Chart(title=title, svg=chart(label=said, x=x, y=y, series=series))


def _ends(
    source: ReportData, rows: list[LeaderboardRow], epochs: Callable[[LeaderboardRow], list[CurvePoint]]
) -> Table:
    """Return the curves' ends in numbers: what a chart cannot say aloud."""
    columns = [
        "model",
        "epochs",
        "train loss, first",
        "last",
        "val loss, first",
        "last ",
        "best epoch",
        "val IoU of crops there",
    ]
    lines = []
    for row in rows:
        found = epochs(row)
        if not found:
            continue
        first, last = found[0], found[-1]
        best = max(found, key=lambda one: one.val_iou if one.val_iou is not None else -1.0)
        lines.append(
            Row(
                cells=[
                    Cell(text=source.label(row)),
                    number_cell(len(found)),
                    *(
                        score_cell(value)
                        for value in (first.train_loss, last.train_loss, first.val_loss, last.val_loss)
                    ),
                    number_cell(best.epoch),
                    score_cell(best.val_iou),
                ],
                architecture=row.architecture,
                number=source.numbers[row.contender],
            )
        )
    return Table(
        caption="The curves in numbers",
        columns=columns,
        rows=lines,
        numeric=frozenset(columns[1:]),
        folded=True,
        key=columns[-1],
    )
