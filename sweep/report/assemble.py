"""Puts the sections of a page together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sweep.report.answer import Answer, answer
from sweep.report.blocks import Section
from sweep.report.budget import budget_section
from sweep.report.classes import class_section
from sweep.report.compare import comparison
from sweep.report.cost import cost, failures
from sweep.report.curves import learning_curves
from sweep.report.data import ReportData
from sweep.report.gallery import galleries
from sweep.report.heat import tile_heat
from sweep.report.origin import origin, splits_in_words
from sweep.report.ranking import leaderboard, test_readings
from sweep.report.searches import hyperparameters, searches
from sweep.results.classes import task_of
from sweep.results.verdict import listing

MOST_NAMES = 8

SECTIONS: Sequence[Callable[[ReportData], Section | None]] = (
    leaderboard,
    budget_section,
    test_readings,
    learning_curves,
    class_section,
    tile_heat,
    galleries,
    searches,
    hyperparameters,
    cost,
    failures,
    origin,
)
"""What an experiment's part of the page consists of, in this order; None where there is nothing to show."""


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One experiment.

    Attributes:
        name: The experiment's name.
        data: What it was trained on.
        answer: Its first screen.
        sections: Those that apply.
    """

    name: str
    data: str
    answer: Answer
    sections: Sequence[Section]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole report.

    Attributes:
        title: Names the experiments.
        made: When, UTC.
        compared: Experiments side by side; None for a single one.
        warnings: (what, in which experiments) of several experiments, for the first screen.
        chapters: A part an experiment.
        architectures: (name, title) of all that the page shows, for its filter.
    """

    title: str
    made: str
    compared: Section | None
    warnings: Sequence[tuple[str, str]]
    chapters: Sequence[Chapter]
    architectures: Sequence[tuple[str, str]]


def assemble(sources: Sequence[ReportData]) -> Page:
    """Gather a page.

    Args:
        sources: At least one experiment.
    """
    names = {row.architecture: row.title for source in sources for row in source.rows}
    chapters = [_chapter(source) for source in sources]
    where: dict[str, list[str]] = {}
    for chapter in chapters:
        for what, _ in chapter.answer.warnings:
            where.setdefault(what, []).append(chapter.name)
    return Page(
        title=" and ".join(source.experiment.name for source in sources),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        compared=comparison(sources) if len(sources) > 1 else None,
        warnings=[(what, listing(found, MOST_NAMES)) for what, found in where.items()],
        chapters=chapters,
        architectures=list(names.items()),
    )


def _chapter(source: ReportData) -> Chapter:
    data = source.description["data"]
    kind = "synthetic tiles, not photographs" if data["synthetic"] else "tiles"
    return Chapter(
        name=source.experiment.name,
        data=f"{data['name']} ({kind}): {splits_in_words(source.description)}; {task_of(source.experiment).summary}",
        answer=answer(source),
        sections=[section for make in SECTIONS if (section := make(source))],
    )
