"""Several experiments: who may be ranked together, and why others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweep.report.blocks import Block, Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.new_labels import new_labels, widest
from sweep.report.ranking import KEY, by_importance, is_alone_first, name_cell, ranking_cell
from sweep.results.columns import FOR_PEOPLE, MAIN, filled
from sweep.results.contenders import Contender
from sweep.results.standings import Standing, stand
from sweep.results.verdict import TIE_MARK, headline, listing, verdict
from trainables.wording import counted

TOP = 30


Owners = Mapping[str, tuple[str, ReportData]]
"""A contender's name among all to its name in its own experiment, and that."""


def comparison(sources: Sequence[ReportData]) -> Section:
    """Rank contenders of several experiments together where data, split, metric and number of tiles are the same."""
    owners, contenders = _owned(sources)
    standings = stand(contenders)
    together = [one for one in standings if len(_experiments(one, owners)) > 1]
    lines = [line for one in together if len(one.ranked) > 1 for line in _verdict(one, owners)]
    lines += [line for one in new_labels(sources) for line in one.lines]
    lines += _apart(standings, owners)
    blocks: list[Block] = [Text(lines=lines, listed=True)] if lines else []
    blocks += [_table(one, owners) for one in together]
    return Section(slug="compared", title="The experiments side by side", blocks=blocks)


def across(sources: Sequence[ReportData]) -> str:
    """Answer in a sentence which contender of several experiments is the best, where they may be ranked together."""
    owners, contenders = _owned(sources)
    standing = stand(contenders)[0]
    if len(_experiments(standing, owners)) < 2 or len(standing.ranked) < 2:
        if brought := new_labels(sources):
            return widest(brought).headline
        return f"{len(sources)} experiments that cannot be ranked together; each has its own answer below."
    return headline(standing, {name: name_in(name, owners) for name in owners})


def name_in(name: str, owners: Owners) -> str:
    """Return what a contender of several experiments is called."""
    own, source = owners[name]
    row = next(row for row in source.rows if row.contender == own)
    return f"{source.label(row)} in {source.experiment.name}"


def _owned(sources: Sequence[ReportData]) -> tuple[Owners, list[Contender]]:
    """Return all contenders, under names that say whose they are."""
    owners: dict[str, tuple[str, ReportData]] = {}
    contenders = []
    for source in sources:
        for one in source.board.contenders:
            name = f"{one.row.contender} in {source.experiment.name}"
            owners[name] = one.row.contender, source
            contenders.append(replace(one, row=replace(one.row, contender=name)))
    return owners, contenders


def _apart(standings: Sequence[Standing], owners: Owners) -> list[str]:
    """Say why experiments are not ranked with the first ones, a line for each."""
    first = standings[0]
    known = _experiments(first, owners)
    lines: dict[str, str] = {}
    for one in standings[1:]:
        for name in _experiments(one, owners):
            if name not in known:
                why = ", ".join(one.conditions.differences(first.conditions))
                lines.setdefault(name, f"{name} is not ranked with {listing(known)}: {why}.")
    return list(lines.values())


def _experiments(standing: Standing, owners: Owners) -> list[str]:
    """Return the names of the experiments that a standing's contenders are of."""
    return list(dict.fromkeys(owners[row.contender][1].experiment.name for row in standing.rows))


def _verdict(standing: Standing, owners: Owners) -> list[str]:
    """Say in short lines which is the best; how many are tied with it, whose names the table has."""
    named = replace(standing, rows=tuple(replace(row, title=name_in(row.contender, owners)) for row in standing.rows))
    said = headline(named, {name: name_in(name, owners) for name in owners})
    lines = verdict(named, owners[named.ranked[0].contender][1].phase)
    if standing.tied and standing.inconclusive is None:
        tied = counted(len(standing.tied) - 1, "other")
        lines[1] = f"{tied} cannot be distinguished from it: {TIE_MARK} behind the rank."
    return [said, *lines]


def _table(standing: Standing, owners: Owners) -> Table:
    owned = [(row, *owners[row.contender]) for row in standing.rows[:TOP]]
    shown = [(replace(row, contender=own), source) for row, own, source in owned]
    name, *others = by_importance(
        filled((column for column in FOR_PEOPLE if column.priority <= MAIN), (row for row, _ in shown))
    )
    return Table(
        caption=f"{standing.rows[0].dataset}, {standing.conditions.tiles} train tiles, "
        f"data {standing.conditions.data[:12]}",
        columns=[name.heading, "experiment", *(column.heading for column in others)],
        key=KEY,
        rows=[
            Row(
                cells=[
                    name_cell(source, row),
                    Cell(text=source.experiment.name),
                    *(ranking_cell(column, row) for column in others),
                ],
                architecture=row.architecture,
                number=source.numbers[row.contender],
                strong=is_alone_first(row),
            )
            for row, source in shown
        ],
        numeric=frozenset(column.heading for column in others if column.right),
        notes=[f"The first {TOP} of {len(standing.rows):,}."] if len(standing.rows) > TOP else [],
    )
