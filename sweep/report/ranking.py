"""Leaderboard and test readings."""

from __future__ import annotations

from sweep.report.blocks import Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.data import Row as Record
from sweep.report.numbers import (
    count,
    difference_cell,
    mean_cell,
    number_cell,
    rank_cell,
    score,
    score_cell,
    span,
    time_cell,
)
from sweep.report.svg import Axis, interval
from sweep.results.leaderboard import AGAIN_MARK, COLLAPSE_MARK, loss_name
from sweep.results.verdict import share

TOP = 30
"""Rows that the page shows; leaderboard.csv holds all."""


def leaderboard(source: ReportData) -> Section:
    """Return the ranked contenders with their intervals and recipes."""
    shown = source.rows[:TOP]
    values = [
        row[name] for row in shown for name in ("val_iou", "val_iou_low", "val_iou_high") if row[name] is not None
    ]
    axis = Axis.around("val IoU", values)
    among = ", among those with as many train tiles" if len(source.board.standings) > 1 else ""
    several = any(row["repeats"] > 1 for row in shown)
    columns = ["model", "rank", "weights", "val IoU", "95 % interval"]
    columns += ["test IoU", "test F1"] if any(row["test_iou"] is not None for row in shown) else []
    columns += ["P(best)"] if any(row["probability_best"] is not None for row in shown) else []
    columns += ["to the best"] if any(row["difference"] is not None for row in shown) else []
    columns += ["val F1"]
    columns += ["trainings"] if several else []
    columns += ["best epoch", "time", "learning rate", "augmentation", "dropout", "loss"]
    notes = list(source.board.notes)
    if len(source.rows) > len(shown):
        notes.insert(0, f"The first {TOP} of {len(source.rows):,}; leaderboard.csv holds all.")
    table = Table(
        caption=f"Ranked by val IoU, the mean over whole val tiles{among}; test is no ground for a choice.",
        columns=columns,
        rows=[_row(source, row, axis, columns) for row in shown],
        numeric=frozenset(columns) - {"model", "weights", "95 % interval", "to the best", "augmentation", "loss"},
        notes=notes,
    )
    return Section(slug="leaderboard", title="Leaderboard", blocks=[table])


def _row(source: ReportData, row: Record, axis: Axis, columns: list[str]) -> Row:
    mark = AGAIN_MARK if row["test_readings"] > 1 else ""
    name = source.label(row) + (f" {COLLAPSE_MARK}" if row["collapsed"] else "") + (" [leak]" if row["leaks"] else "")
    if row["unranked"]:
        name += f" [{row['unranked']}]"
    number = source.numbers[row["entry"]]
    mean = row["val_iou"]
    picture = (
        None
        if mean is None
        else interval(low=row["val_iou_low"], middle=mean, high=row["val_iou_high"], axis=axis, number=number)
    )
    chance = row["probability_best"]
    cells = {
        "model": Cell(text=name),
        "rank": rank_cell(row),
        "weights": Cell(text=row["weights"]),
        "val IoU": score_cell(mean),
        "95 % interval": Cell(text=span(row, "val_iou"), value=mean, picture=picture),
        "to the best": difference_cell(row),
        "P(best)": Cell(text="" if chance is None else share(chance), value=chance),
        "val F1": mean_cell(row, "val_f1"),
        "test IoU": mean_cell(row, "test_iou", mark),
        "test F1": mean_cell(row, "test_f1", mark),
        "trainings": Cell(text=f"{len(row['attempts'])}/{row['repeats']}", value=len(row["attempts"])),
        "best epoch": Cell(
            text="" if row["best_epoch"] is None else f"{row['best_epoch']}/{row['epochs']}", value=row["best_epoch"]
        ),
        "time": time_cell(row["seconds"]),
        "learning rate": number_cell(row["learning_rate"], "{:.2g}"),
        "augmentation": Cell(text=row["augmentation"]),
        "dropout": number_cell(row["decoder_dropout"], "{:.2g}"),
        "loss": Cell(text=loss_name(row), value=row["bce_weight"]),
    }
    return Row(
        cells=[cells[column] for column in columns],
        architecture=row["architecture"],
        number=number,
        strong=row["rank"] == 1 and not row["tied"],
    )


def test_readings(source: ReportData) -> Section | None:
    """Return what the ledger tells; None before test was read."""
    if not source.readings:
        return None
    by_attempt = {row["attempt"]: row for row in source.trials}
    seen: dict[str, int] = {}
    rows = []
    for reading in source.readings:
        seen[reading.attempt] = seen.get(reading.attempt, 0) + 1
        trial = by_attempt.get(reading.attempt)
        rows.append(
            Row(
                cells=[
                    Cell(text=reading.attempt),
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
                architecture=trial["architecture"] if trial else "",
            )
        )
    again = any(reading.reason for reading in source.readings)
    columns = ["attempt", "read at", "reading", "test IoU", "test F1", "worst tile's IoU", "weights (sha256)", "reason"]
    table = Table(
        caption=f"Readings of the test split: {count(len(source.readings[-1].tiles), 'test tile')}, once an attempt.",
        columns=columns if again else columns[:-1],
        rows=rows[:TOP] if again else [Row(cells=row.cells[:-1], architecture=row.architecture) for row in rows[:TOP]],
        numeric=frozenset({"reading", "test IoU", "test F1", "worst tile's IoU"}),
        notes=[f"The first {TOP} of {len(rows):,}."] if len(rows) > TOP else [],
    )
    lines = count(source.ledger_lines, "line")
    state = Text(
        lines=[
            f"The ledger's chain is whole: none of its {lines} was changed or removed. Whether weights and tiles on "
            f"disk are still those that were read is told by {source.experiment.command('score', '--verify')}"
        ]
    )
    return Section(slug="test", title="Test readings", blocks=[table, state])
