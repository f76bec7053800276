"""Puts the sections of a page together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sweep.records.experiment import Experiment
from sweep.records.studies import StudyFolder
from sweep.report.answer import Answer, answer
from sweep.report.blocks import Charts, Section
from sweep.report.budget import budget_section
from sweep.report.classes import class_section
from sweep.report.compare import across, comparison
from sweep.report.cost import cost, failures
from sweep.report.curves import learning_curves
from sweep.report.data import ReportData
from sweep.report.gallery import galleries
from sweep.report.heat import tile_heat
from sweep.report.labelling import label_next, wrong_labels
from sweep.report.map_accuracy import map_accuracy
from sweep.report.next_steps import next_steps
from sweep.report.origin import origin, splits_in_words
from sweep.report.ranking import leaderboard, test_readings
from sweep.report.searches import hyperparameters, searches
from sweep.results.classes import task_of
from sweep.results.verdict import listing

MOST_NAMES = 8
MOST_REASONS = 2
"""Of each answer, on the first screen of several experiments."""

SECTIONS: Sequence[Callable[[ReportData], Section | None]] = (
    leaderboard,
    budget_section,
    learning_curves,
    class_section,
    tile_heat,
    galleries,
    map_accuracy,
    label_next,
    wrong_labels,
    searches,
    hyperparameters,
    cost,
    failures,
    test_readings,
    origin,
)
"""What an experiment's part of the page consists of, in this order; None where there is nothing to show."""


@dataclass(frozen=True, kw_only=True)
class PhaseAnswer:
    """What some experiments of one phase answer together.

    Attributes:
        question: What the phase asks.
        verdict: The answer in a sentence.
        reasons: What it rests on, where one experiment answers it.
        places: (number on the page, name) of the experiments.
        picture: The scores that it rests on; None before the first, and of several experiments.
    """

    question: str
    verdict: str
    reasons: Sequence[str]
    places: Sequence[tuple[int, str]]
    picture: Charts | None


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
        title: Names the study, or the experiments.
        made: When, UTC.
        findings: A question and its answer for each phase, of several experiments; empty for a single one.
        next_steps: (what for, command) of what follows, of several experiments.
        compared: Experiments side by side; None for a single one.
        warnings: (what, in which experiments) of several experiments, for the first screen.
        chapters: One part per experiment, Phase 1 first.
        architectures: (name, title) of all that the page shows, for its filter.
    """

    title: str
    made: str
    findings: Sequence[PhaseAnswer]
    next_steps: Sequence[tuple[str, str]]
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
    numbered = {name: number for number, name in enumerate(names)}
    phases = [source.phase for source in sources]
    sources = [replace(one, numbered=numbered, phases=phases) for one in sorted(sources, key=lambda one: one.phase)]
    several = len(sources) > 1
    chapters = [_chapter(source) for source in sources]
    findings = _phase_answers(sources, chapters) if several else []
    above = {number for one in findings if one.picture for number, _ in one.places}
    chapters = [_without_picture(one) if number in above else one for number, one in enumerate(chapters)]
    where: dict[str, list[str]] = {}
    for chapter in chapters:
        for what, _ in chapter.answer.warnings:
            where.setdefault(what, []).append(chapter.name)
    return Page(
        title=_title([source.experiment for source in sources]),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        findings=findings,
        next_steps=next_steps(sources) if several else [],
        compared=comparison(sources) if several else None,
        warnings=[(what, listing(found, MOST_NAMES)) for what, found in where.items()],
        chapters=chapters,
        architectures=list(names.items()),
    )


def _phase_answers(sources: Sequence[ReportData], chapters: Sequence[Chapter]) -> list[PhaseAnswer]:
    """Answer each phase's question, in the order in which a user asks."""
    found = []
    for phase in dict.fromkeys(source.phase for source in sources):
        own = [(number, source) for number, source in enumerate(sources) if source.phase == phase]
        first = chapters[own[0][0]].answer
        alone = len(own) == 1
        found.append(
            PhaseAnswer(
                question=first.question,
                verdict=first.verdict if alone else across([source for _, source in own]),
                reasons=first.reasons[:MOST_REASONS] if alone else [],
                places=[(number, source.experiment.name) for number, source in own],
                picture=first.picture if alone else None,
            )
        )
    return found


def _title(experiments: Sequence[Experiment]) -> str:
    """Name a study whose experiments these are, or all experiments."""
    studies = {study.name if (study := StudyFolder.of(one)) else "" for one in experiments}
    names = [one.name for one in experiments]
    return studies.pop() if len(names) > 1 and len(studies) == 1 and "" not in studies else listing(names, len(names))


def _without_picture(chapter: Chapter) -> Chapter:
    """Return a chapter whose picture is on the first screen already."""
    return replace(chapter, answer=replace(chapter.answer, picture=None))


def _chapter(source: ReportData) -> Chapter:
    data = source.description["data"]
    kind = "synthetic tiles, not photographs" if data["synthetic"] else "tiles"
    return Chapter(
        name=source.experiment.name,
        data=f"{data['name']} ({kind}): {splits_in_words(source.description)}; {task_of(source.experiment).summary}",
        answer=answer(source),
        sections=[section for make in SECTIONS if (section := make(source))],
    )
