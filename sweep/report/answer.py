"""The answer in words, and what a reader must know before believing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.cli.durations import duration
from sweep.records.lease import Lease
from sweep.records.studies import StudyFolder
from sweep.report.blocks import Charts
from sweep.report.data import ReportData
from sweep.report.numbers import score
from sweep.report.picture import first_picture
from sweep.report.tuning import tuning_headline, tuning_reasons
from sweep.report.worth import worth_headline
from sweep.results.floor import floor_lines
from sweep.results.rows import LeaderboardRow
from sweep.results.statistics import Inconclusive
from sweep.results.verdict import headline, listing, verdict
from sweep.sealed.next_step import has_no_test, resume_command
from sweep.sealed.study_steps import is_run
from trainables.invocation import call
from trainables.wording import counted

QUESTIONS = {
    "phase1": "Which model?",
    "phase2": "How good with its own recipe?",
    "phase3": "Would more labels help?",
}
"""What each phase asks, in the order in which a user does."""
IOU = (
    "IoU (intersection over union): of the pixels that prediction or labels mark, the share that both mark. "
    "1 is perfect, 0 is no overlap."
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The first screen.

    Attributes:
        question: What the phase asks.
        verdict: One sentence that answers it.
        reasons: What it rests on.
        warnings: What limits all numbers: (what, why it matters).
        unknown: What the sweep does not answer yet, with the command that would.
        picture: The scores that it rests on; None before the first.
    """

    question: str
    verdict: str
    reasons: Sequence[str]
    warnings: Sequence[tuple[str, str]]
    unknown: Sequence[str]
    picture: Charts | None = None


def answer(source: ReportData) -> Answer:
    """Say what an experiment found."""
    verdict, reasons = _verdict(source)
    if source.board.scalings:
        reasons = [*reasons, *(one.sentence for one in source.board.scalings)]
    return Answer(
        question=QUESTIONS[source.phase],
        verdict=verdict,
        reasons=reasons,
        warnings=_warnings(source),
        unknown=_unknown(source),
        picture=first_picture(source),
    )


def contenders(source: ReportData) -> list[LeaderboardRow]:
    """Return the ranked rows that the answer is about, the winner first: of Phase 3, those on the most tiles."""
    return source.board.standings[0].ranked if source.board.standings else []


def _verdict(source: ReportData) -> tuple[str, list[str]]:
    ranked = contenders(source)
    if not ranked:
        states = Counter(row.status for row in source.trials)
        if states["failed"] and states["failed"] == len(source.trials):
            return "No answer: every training failed.", ["The section on failures says why."]
        if any(one.ranked for one in source.board.standings):  # of Phase 3, on fewer tiles
            most = source.board.standings[0].conditions.tiles
            return f"No answer yet: no model has finished training on the most tiles, {most}.", []
        return "No answer yet: no model has finished training.", []
    best, standing = ranked[0], source.board.standings[0]
    names = {row.contender: source.label(row) for row in ranked}
    compared = " ".join(verdict(standing, source.phase))
    reasons = _on_test(source, best)
    if standing.inconclusive is Inconclusive.NO_MODEL:
        return headline(standing, names), [compared, *reasons]
    if source.gains:
        return tuning_headline(source.gains), [
            *tuning_reasons(source.gains),
            *([compared] if len(ranked) > 1 else []),
            *reasons,
        ]
    if source.board.scalings:
        return worth_headline(source.board.scalings), [*([compared] if len(ranked) > 1 else []), *reasons]
    reasons = [
        compared,
        *floor_lines(source.board.over_probes, {one.contender: source.label(one) for one in ranked}),
        *reasons,
    ]
    name = names[best.contender]
    if len(source.rows) == 1:
        return (
            f"{name} reaches a val IoU of {score(best.val_iou)}; there is no other model to compare it with.",
            reasons,
        )
    if len(ranked) == 1:
        return f"Only {name} has a score so far, so there is nothing to compare.", reasons
    learned = [row for row in standing.tied if not row.collapsed]
    if len(learned) > 1 and standing.inconclusive is None:
        reasons.append(_cheapest(source, learned))
    return headline(standing, names), reasons


def _on_test(source: ReportData, best: LeaderboardRow) -> list[str]:
    if (iou := best.test.iou) is None:
        return []
    interval = f" (95 % interval {iou.ends()})" if iou.ends() else ""
    return [
        f"On the test tiles, which had no part in the choice, {source.label(best)} reaches an IoU of "
        f"{score(iou.mean)}{interval}."
    ]


def _cheapest(source: ReportData, rows: Sequence[LeaderboardRow]) -> str:
    seconds, row = min(((row.seconds or 0.0, row) for row in rows), key=lambda pair: pair[0])
    return f"Of the tied models, {source.label(row)} trained fastest ({duration(seconds)} per training)."


def _warnings(source: ReportData) -> list[tuple[str, str]]:
    data = source.description["data"]
    found = []
    if data["synthetic"]:
        found.append(
            (
                "Synthetic tiles",
                "drawn by a program, not photographs: scores say nothing about real roofs, fields or roads.",
            )
        )
    random = sorted({row.title for row in source.trials if row.weights == "random"})
    if random:
        uneven = any(row.weights not in ("random", "from scratch") for row in source.trials)
        said = f"{listing(random, 8)} started from random weights instead of pretrained ones"
        said += ", so the ranking reflects starting weights as much as models." if uneven else "."
        found.append(("Random weights", said))
    if any(row.recipe.model_size == "tiny" for row in source.trials):
        found.append(
            ("Tiny stand-ins", "the smoke profile trains small models under the same names, to test the setup.")
        )
    if leaks := len(data.get("leaks", [])):
        found.append(
            (
                "Leak",
                f"{counted(leaks, 'pair')} of tiles in different splits show the same ground: no score can be trusted.",
            )
        )
    if not source.description["ended"]:
        done = sum(row.status == "finished" for row in source.trials)
        found.append(
            ("Unfinished", f"{done} of {source.plan.total} trials have finished; everything below may change.")
        )
    if failed := sum(row.status == "failed" for row in source.trials):
        found.append(("Failures", f"{counted(failed, 'trial')} failed; see below."))
    return found


def _unknown(source: ReportData) -> list[str]:
    """Say what is open, with the command that answers it; of a study that runs without, as it is answered next."""
    found = []
    study = StudyFolder.of(source.experiment)
    runs = is_run(study) if study else Lease.of_driver(source.experiment.storage, source.experiment.name).in_use
    resume = "" if runs else f" ({resume_command(source.experiment, source.description)})"

    def by(command: str) -> str:
        return resume if study else f" ({command})"

    if not source.readings and not has_no_test(source.experiment, source.description):
        scoring = by(source.experiment.command("score"))
        found.append(f"The score on the test tiles, which had no part in any choice{scoring}.")
    if not source.description["ended"]:
        found.append(f"What the unfinished trials will reach{resume}.")
    if source.phase == "phase1" and source.rows and all(row.repeats == 1 and not row.folds for row in source.rows):
        found.append("How much another seed would change: each model was trained once (--repeats 3).")
    if source.phase == "phase1" and "phase2" not in source.phases and not source.description["options"].get("recipes"):
        found.append(f"How good each model is with its own best recipe: here they share one{by(call('phase2'))}.")
    if not source.board.scalings and (source.phase == "phase3" or "phase3" not in source.phases):
        found.append(f"Whether more labelled tiles would help: all trainings saw the same number{by(call('phase3'))}.")
    return found
