"""Scores per class, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sweep.report.blocks import Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.numbers import column_cell
from sweep.results.classes import ClassRow, class_columns, task_of, text
from trainables.task import Task

TOP = 20


def class_section(source: ReportData) -> Section | None:
    """Return IoU per class of each contender, and the leader's confusion matrices; None for a binary task."""
    task = task_of(source.experiment)
    rows = source.board.class_rows
    if not rows:
        return None
    intro = Text(
        lines=[
            "Over all pixels of a split. A class that neither labels nor prediction show does not count in the mean. "
            "Pixel accuracy flatters a model that predicts the commonest class everywhere: compare the means."
        ]
    )
    splits = [split for split in ("val", "test") if any(row.split == split for row in rows)]
    tables = [_scores(source, task, [row for row in rows if row.split == split][:TOP], split) for split in splits]
    leader = [_confusion(task, next(row for row in rows if row.split == split)) for split in splits]
    return Section(slug="classes", title="Class by class", blocks=[intro, *tables, *leader])


def _scores(source: ReportData, task: Task, rows: Sequence[ClassRow], split: str) -> Table:
    name, *scores = class_columns(task)
    return Table(
        caption=f"IoU per class over all {split} pixels",
        columns=[column.heading for column in (name, *scores)],
        rows=[
            Row(
                cells=[column_cell(name, row), *(_shaded(column_cell(column, row)) for column in scores)],
                architecture=row.architecture,
                number=source.numbers[row.contender],
            )
            for row in rows
        ],
        numeric=frozenset(column.heading for column in scores),
    )


def _shaded(cell: Cell) -> Cell:
    return replace(cell, shade=cell.value)


def _confusion(task: Task, row: ClassRow) -> Table:
    counts = np.array(row.pooled.confusion, dtype=float)
    total = counts.sum(1, keepdims=True)
    shares = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    columns = [f"as {name}" for name in task.classes]
    return Table(
        caption=f"{row.label} on {row.split}: where each class's pixels go; rows sum to 1",
        columns=["true class", *columns, "pixels"],
        rows=[
            Row(
                cells=[
                    Cell(text=name),
                    *(Cell(text=text(share), value=float(share), shade=_shade(share)) for share in shares[index]),
                    Cell(text=f"{int(total[index, 0]):,}", value=float(total[index, 0])),
                ]
            )
            for index, name in enumerate(task.classes)
        ],
        numeric=frozenset([*columns, "pixels"]),
    )


def _shade(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
