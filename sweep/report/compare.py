"""Several experiments: who may be ranked together, and why others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweep.report.blocks import Block, Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.ranking import by_importance, is_alone_first, ranking_cell
from sweep.results.columns import FOR_PEOPLE, MAIN, filled
from sweep.results.contenders import Contender
from sweep.results.standings import Standing, reasons_apart, stand
from sweep.results.verdict import headline, verdict

TOP = 30


def comparison(sources: Sequence[ReportData]) -> Section:
    """Rank the contenders of several experiments together where data, split, metric and tiles are the same."""
    standings = stand([contender for source in sources for contender in _contenders(source)])
    phases = {source.experiment.name: source.phase for source in sources}
    lines = [_verdict(one, phases) for one in standings if len(one.ranked) > 1]
    lines += reasons_apart(standings)
    blocks: list[Block] = [Text(lines=lines)] if lines else []
    blocks += [_table(one) for one in standings]
    return Section(slug="compared", title="The experiments side by side", blocks=blocks)


def _contenders(source: ReportData) -> list[Contender]:
    """Return an experiment's contenders under names that say whose they are."""
    name = source.experiment.name
    return [
        replace(one, row={**row, "entry": f"{row['entry']} in {name}", "own_entry": row["entry"], "where": name})
        for one in source.board.contenders
        for row in (one.row,)
    ]


def _verdict(standing: Standing, phases: Mapping[str, str]) -> str:
    named = replace(standing, rows=tuple({**row, "title": row["entry"]} for row in standing.rows))
    said = headline(named, {row["entry"]: row["entry"] for row in named.rows})
    return " ".join([said, *verdict(named, phases[named.ranked[0]["where"]])])


def _table(standing: Standing) -> Table:
    shown = [{**row, "entry": row["own_entry"]} for row in standing.rows[:TOP]]
    name, *others = by_importance(filled((column for column in FOR_PEOPLE if column.priority <= MAIN), shown))
    first = standing.rows[0]
    return Table(
        caption=f"{first['dataset']}, {standing.conditions.tiles} train tiles, data {standing.conditions.data[:12]}",
        columns=[name.heading, "experiment", *(column.heading for column in others)],
        rows=[
            Row(
                cells=[
                    ranking_cell(name, row),
                    Cell(text=row["where"]),
                    *(ranking_cell(column, row) for column in others),
                ],
                architecture=row["architecture"],
                strong=is_alone_first(row),
            )
            for row in shown
        ],
        numeric=frozenset(column.heading for column in others if column.right),
        notes=[f"The first {TOP} of {len(standing.rows):,}."] if len(standing.rows) > TOP else [],
    )
