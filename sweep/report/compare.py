"""Several experiments: who may be ranked together, and why others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweep.report.blocks import Block, Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.numbers import difference_cell, rank_cell, score_cell, span
from sweep.results.entries import Entry
from sweep.results.leaderboard import COLLAPSE_MARK
from sweep.results.standings import Standing, reasons_apart, stand
from sweep.results.verdict import headline, verdict

TOP = 30


def comparison(sources: Sequence[ReportData]) -> Section:
    """Rank the contenders of several experiments together where data, split, metric and tiles are the same."""
    standings = stand([entry for source in sources for entry in _entries(source)])
    phases = {source.experiment.name: source.phase for source in sources}
    lines = [_verdict(one, phases) for one in standings if len(one.ranked) > 1]
    lines += reasons_apart(standings)
    blocks: list[Block] = [Text(lines=lines)] if lines else []
    blocks += [_table(one) for one in standings]
    return Section(slug="compared", title="The experiments side by side", blocks=blocks)


def _entries(source: ReportData) -> list[Entry]:
    """Return an experiment's contenders under names that say whose they are."""
    name = source.experiment.name
    return [
        replace(one, row={**one.row, "entry": f"{one.row['entry']} in {name}", "where": name})
        for one in source.board.entries
    ]


def _verdict(standing: Standing, phases: Mapping[str, str]) -> str:
    named = replace(standing, rows=tuple({**row, "title": row["entry"]} for row in standing.rows))
    told = headline(named, {row["entry"]: row["entry"] for row in named.rows})
    return " ".join([told, *verdict(named, phases[named.ranked[0]["where"]])])


def _name(row: dict[str, Any]) -> str:
    name: str = row["title"] + (f" {COLLAPSE_MARK}" if row["collapsed"] else "")
    return name + (f" [{row['unranked']}]" if row["unranked"] else "")


def _table(standing: Standing) -> Table:
    columns = ["contender", "experiment", "rank", "weights", "val IoU", "95 % interval", "to the best", "test IoU"]
    rows = []
    for row in standing.rows[:TOP]:
        rows.append(
            Row(
                cells=[
                    Cell(text=_name(row)),
                    Cell(text=row["where"]),
                    rank_cell(row),
                    Cell(text=row["weights"]),
                    score_cell(row["val_iou"]),
                    Cell(text=span(row, "val_iou"), value=row["val_iou"]),
                    difference_cell(row),
                    score_cell(row["test_iou"]),
                ],
                architecture=row["architecture"],
                strong=row["rank"] == 1 and not row["tied"],
            )
        )
    first = standing.rows[0]
    return Table(
        caption=f"{first['dataset']}, {standing.ground.tiles} train tiles, data {standing.ground.data[:12]}",
        columns=columns,
        rows=rows,
        numeric=frozenset({"rank", "val IoU", "test IoU"}),
        notes=[f"The first {TOP} of {len(standing.rows):,}."] if len(standing.rows) > TOP else [],
    )
