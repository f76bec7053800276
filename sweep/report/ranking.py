"""Leaderboard and test readings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sweep.charts.svg import Axis, interval
from sweep.report.blocks import Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.numbers import column_cell, score, score_cell
from sweep.results.columns import COLLAPSE_MARK, FOR_PEOPLE, LEAK_MARK, MAIN, LeaderboardColumn, filled
from sweep.results.rows import LeaderboardRow
from trainables.wording import counted

TOP = 30
"""Rows that the page shows; leaderboard.csv holds all."""
KEY = "val IoU"
"""Column that a phone shows beside a model's name."""


def leaderboard(source: ReportData) -> Section:
    """Return the ranked contenders with their intervals and recipes."""
    shown = source.rows[:TOP]
    among = ", among those with the same number of train tiles" if len(source.board.standings) > 1 else ""
    columns = by_importance(filled(FOR_PEOPLE, shown))
    means = [row.val.iou for row in shown if row.val.iou]
    axis = Axis.around("", [end for one in means for end in (one.mean, one.low, one.high) if end is not None])
    notes = list(source.board.notes)
    if len(source.rows) > len(shown):
        notes.insert(0, f"The first {TOP} of {len(source.rows):,}; leaderboard.csv holds all.")
    table = Table(
        caption=f"Ranked by val IoU, the mean over whole val tiles{among}; the test score has no part in it.",
        columns=[column.heading for column in columns],
        rows=[
            Row(
                cells=[
                    name_cell(source, row)
                    if column.heading == "model"
                    else ranking_cell(column, row, axis, source.numbers[row.contender])
                    for column in columns
                ],
                architecture=row.architecture,
                number=source.numbers[row.contender],
                strong=is_alone_first(row),
            )
            for row in shown
        ],
        numeric=frozenset(column.heading for column in columns if column.right),
        notes=notes,
        detail=frozenset(column.heading for column in columns if column.priority > MAIN),
        key=KEY,
    )
    return Section(slug="leaderboard", title="Leaderboard", blocks=[table])


def by_importance(columns: Iterable[LeaderboardColumn]) -> list[LeaderboardColumn]:
    """Return columns in the order in which a phone comes to see them; the model's name is the row's header."""
    return sorted(columns, key=lambda column: (column.heading != "model", column.priority))


def name_cell(source: ReportData, row: LeaderboardRow) -> Cell:
    """Return a contender's name with its marks, and below it how often it was trained and by which trial's recipe."""
    marks = f" {COLLAPSE_MARK}" * bool(row.collapsed) + f" {LEAK_MARK}" * bool(row.leaks)
    marks += f" [{row.unranked}]" if row.unranked else ""
    facts = [counted(len(row.attempts), "training")] if len(row.attempts) > 1 else []
    if row.candidate not in ("", row.slug, row.contender, row.attempt):
        facts.append(f"recipe of {row.candidate}")
    return Cell(text=f"{source.label(row)}{marks}", below=", ".join(facts))


def ranking_cell(column: LeaderboardColumn, row: LeaderboardRow, axis: Axis | None = None, number: int = 0) -> Cell:
    """Return a contender's cell with its interval below, and a drawing of both where there is an axis."""
    cell = replace(column_cell(column, row), text=column.marked(row), below=column.ends(row))
    mean = column.interval(row) if axis and column.drawn and column.interval else None
    if axis is None or mean is None:
        return cell
    return replace(cell, picture=interval(middle=mean.mean, low=mean.low, high=mean.high, axis=axis, number=number))


def is_alone_first(row: LeaderboardRow) -> bool:
    """Whether a contender is better than all that it is ranked with."""
    return row.rank == 1 and not row.tied


def test_readings(source: ReportData) -> Section | None:
    """Return what the ledger says; None before test was read."""
    if not source.readings:
        return None
    by_attempt = {row.attempt: row for row in source.trials}
    seen: dict[str, int] = {}
    rows = []
    for reading in source.readings:
        seen[reading.attempt] = seen.get(reading.attempt, 0) + 1
        trial = by_attempt.get(reading.attempt)
        rows.append(
            Row(
                cells=[
                    Cell(text=trial.title, below=reading.attempt) if trial else Cell(text=reading.attempt),
                    Cell(text=reading.time.replace("T", " ").replace("+00:00", " UTC")),
                    Cell(text=str(seen[reading.attempt]), value=seen[reading.attempt]),
                    score_cell(reading.iou),
                    score_cell(reading.f1),
                    Cell(
                        text=score(min(reading.tiles.values(), default=None)),
                        value=min(reading.tiles.values(), default=0),
                    ),
                    Cell(text=reading.checkpoint_sha256[:12]),
                    Cell(text=reading.reason),
                ],
                architecture=trial.architecture if trial else "",
                number=source.model_numbers.get(trial.architecture) if trial else None,
            )
        )
    again = any(reading.reason for reading in source.readings)
    columns = ["model", "read at", "reading", "test IoU", "test F1", "worst tile's IoU", "weights (sha256)", "reason"]
    table = Table(
        caption=f"Readings of the test split: {counted(len(source.readings[-1].tiles), 'test tile')}, once per trial.",
        columns=columns if again else columns[:-1],
        rows=rows[:TOP] if again else [replace(row, cells=row.cells[:-1]) for row in rows[:TOP]],
        numeric=frozenset({"reading", "test IoU", "test F1", "worst tile's IoU"}),
        notes=[f"The first {TOP} of {len(rows):,}."] if len(rows) > TOP else [],
        key="test IoU",
    )
    lines = counted(source.ledger_lines, "line")
    state = Text(
        lines=[
            f"The ledger's chain is whole: none of its {lines} was changed or removed. To check that the weights and "
            f"tiles on disk are the ones that were scored, run {source.experiment.command('score', '--verify')}"
        ]
    )
    return Section(slug="test", title="Test readings", blocks=[table, state])
