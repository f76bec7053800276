"""Several experiments: who may be ranked together, and why others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweep.report.blocks import Block, Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.ranking import by_importance, is_alone_first, ranking_cell
from sweep.results.columns import FOR_PEOPLE, MAIN, filled
from sweep.results.standings import Standing, reasons_apart, stand
from sweep.results.verdict import headline, verdict

TOP = 30


Owners = Mapping[str, tuple[str, ReportData]]
"""A contender's name among all to its name in its own experiment, and that."""


def comparison(sources: Sequence[ReportData]) -> Section:
    """Rank the contenders of several experiments together where data, split, metric and tiles are the same."""
    owners: dict[str, tuple[str, ReportData]] = {}
    contenders = []
    for source in sources:
        for one in source.board.contenders:
            name = f"{one.row.contender} in {source.experiment.name}"
            owners[name] = one.row.contender, source
            contenders.append(replace(one, row=replace(one.row, contender=name)))
    standings = stand(contenders)
    lines = [_verdict(one, owners) for one in standings if len(one.ranked) > 1]
    lines += reasons_apart(standings)
    blocks: list[Block] = [Text(lines=lines)] if lines else []
    blocks += [_table(one, owners) for one in standings]
    return Section(slug="compared", title="The experiments side by side", blocks=blocks)


def _verdict(standing: Standing, owners: Owners) -> str:
    named = replace(standing, rows=tuple(replace(row, title=row.contender) for row in standing.rows))
    said = headline(named, {name: name for name in owners})
    return " ".join([said, *verdict(named, owners[named.ranked[0].contender][1].phase)])


def _table(standing: Standing, owners: Owners) -> Table:
    owned = [(row, *owners[row.contender]) for row in standing.rows[:TOP]]
    shown = [(replace(row, contender=own), source.experiment.name) for row, own, source in owned]
    name, *others = by_importance(
        filled((column for column in FOR_PEOPLE if column.priority <= MAIN), (row for row, _ in shown))
    )
    return Table(
        caption=f"{standing.rows[0].dataset}, {standing.conditions.tiles} train tiles, "
        f"data {standing.conditions.data[:12]}",
        columns=[name.heading, "experiment", *(column.heading for column in others)],
        rows=[
            Row(
                cells=[
                    ranking_cell(name, row),
                    Cell(text=experiment),
                    *(ranking_cell(column, row) for column in others),
                ],
                architecture=row.architecture,
                strong=is_alone_first(row),
            )
            for row, experiment in shown
        ],
        numeric=frozenset(column.heading for column in others if column.right),
        notes=[f"The first {TOP} of {len(standing.rows):,}."] if len(standing.rows) > TOP else [],
    )
