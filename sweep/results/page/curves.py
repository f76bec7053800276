"""Learning curves."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

from sweep.results.page.blocks import Cell, Chart, Charts, Key, Row, Section, Table
from sweep.results.page.numbers import number_cell, score_cell
from sweep.results.page.source import Row as Record
from sweep.results.page.source import Source
from sweep.results.page.svg import SERIES, Axis, Mark, Series, chart

EXPLODED = 5.0
"""Times the median beyond which one loss would flatten all others: the axis is logarithmic then."""
MEASURES = {"train_loss": "train loss", "val_loss": "val loss", "val_iou": "val IoU"}


def learning_curves(source: Source) -> Section | None:
    """Return losses and val IoU by epoch of the best contenders; None before the first epoch."""
    rows = [row for row in source.rows if row["epochs"]][:SERIES]
    attempts = {row["entry"]: row["attempts"] or [row["attempt"]] for row in rows}
    epochs = source.epochs({attempt for found in attempts.values() for attempt in found})
    if not epochs:
        return None
    last = max(one["epoch"] for found in epochs.values() for one in found)
    step = max(1, round(last / 5))
    ticks = [(float(epoch), str(epoch)) for epoch in range(step, last + 1, step)]
    x = Axis(label="epoch", low=min(0.9, last / 2), high=last * 1.02, ticks=ticks)
    charts = []
    for name, label in MEASURES.items():
        values = sorted(_value(one[name]) for found in epochs.values() for one in found)
        log = name.endswith("loss") and values[0] > 0 and values[-1] > EXPLODED * values[len(values) // 2]
        y = Axis.around(f"{label} (log)" if log else label, values, log=log)
        series = [
            Series(
                label=source.label(row),
                number=source.numbers[row["entry"]],
                architecture=row["architecture"],
                marks=[
                    Mark(
                        x=one["epoch"],
                        y=_value(one[name]),
                        tip=f"{source.label(row)}, epoch {one['epoch']}: {label} {_value(one[name]):.3f}",
                    )
                    for one in epochs.get(attempt, [])
                ],
            )
            for row in rows
            for attempt in attempts[row["entry"]]
        ]
        said = f"{label} by epoch, a line a training; the table below has the ends."
        charts.append(Chart(title=label, svg=chart(label=said, x=x, y=y, series=series)))
    notes = [
        "During training, scores are of the windows of val tiles that the profile names; the leaderboard's are of "
        "whole tiles."
    ]
    if len(source.rows) > len(rows):
        notes.append(f"The first {len(rows)} of {len(source.rows):,} lines of the leaderboard.")
    legend = [
        Key(number=source.numbers[row["entry"]], label=source.label(row), architecture=row["architecture"])
        for row in rows
    ]
    ends = _ends(source, rows, lambda row: epochs.get(attempts[row["entry"]][0], []))
    return Section(
        slug="curves", title="Learning curves", blocks=[Charts(charts=charts, legend=legend, notes=notes), ends]
    )


def _value(value: float | None) -> float:
    return nan if value is None else value


def _ends(source: Source, rows: list[Record], epochs: Callable[[Record], list[Record]]) -> Table:
    """Return the curves' ends in numbers: what a chart cannot say aloud."""
    columns = [
        "model",
        "epochs",
        "train loss, first",
        "last",
        "val loss, first",
        "last ",
        "best epoch",
        "val IoU there",
    ]
    lines = []
    for row in rows:
        found = epochs(row)
        if not found:
            continue
        best = max(found, key=lambda one: one["val_iou"] if one["val_iou"] is not None else -1.0)
        lines.append(
            Row(
                cells=[
                    Cell(text=source.label(row)),
                    number_cell(len(found)),
                    *(score_cell(found[place][name]) for name in ("train_loss", "val_loss") for place in (0, -1)),
                    number_cell(best["epoch"]),
                    score_cell(best["val_iou"]),
                ],
                architecture=row["architecture"],
                number=source.numbers[row["entry"]],
            )
        )
    return Table(
        caption="The curves in numbers", columns=columns, rows=lines, numeric=frozenset(columns[1:]), folded=True
    )
