"""The answer in words, and what a reader must know before believing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.cli.durations import duration
from sweep.report.data import ReportData
from sweep.report.numbers import count, score
from sweep.results.rows import LeaderboardRow
from sweep.results.statistics import Inconclusive
from sweep.results.verdict import headline, listing, verdict
from trainables.invocation import call


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The first screen.

    Attributes:
        verdict: One sentence.
        reasons: What it rests on.
        warnings: What limits all numbers: (what, why it matters).
        unknown: What the sweep does not answer yet, with the command that would.
    """

    verdict: str
    reasons: Sequence[str]
    warnings: Sequence[tuple[str, str]]
    unknown: Sequence[str]


def answer(source: ReportData) -> Answer:
    """Say what an experiment found."""
    verdict, reasons = _verdict(source)
    labelling, unasked = _labelling(source)
    return Answer(
        verdict=verdict,
        reasons=[*reasons, *labelling],
        warnings=_warnings(source),
        unknown=[*_unknown(source), *unasked],
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
        return "No answer yet: no architecture has finished.", []
    best = ranked[0]
    reasons = [" ".join(verdict(source.board.standings[0], source.phase))]
    if iou := best.test.iou:
        interval = f" (95 % interval {iou.ends()})" if iou.ends() else ""
        reasons.append(
            f"On the test tiles, which had no part in the choice, {source.label(best)} reaches "
            f"{score(iou.mean)}{interval}."
        )
    standing, names = source.board.standings[0], {row.contender: source.label(row) for row in ranked}
    if standing.inconclusive is Inconclusive.NO_MODEL:
        return headline(standing, names), reasons
    name = source.label(best)
    if len(ranked) == 1 and source.board.scalings:  # one architecture on several budgets: that is the question
        worth = source.board.scalings[0].worth
        return f"{worth or 'What more tiles would bring cannot be said yet'}.".capitalize(), reasons
    if len(source.rows) == 1:
        return f"{name}: val IoU {score(best.val_iou)}, and nothing to compare it with.", reasons
    if len(ranked) == 1:
        return f"Nothing to compare: only {name} has a score.", reasons
    learned = [row for row in standing.tied if not row.collapsed]
    if len(learned) > 1 and standing.inconclusive is None:
        reasons.append(_cheapest(source, learned))
    return headline(standing, names), reasons


def _cheapest(source: ReportData, rows: Sequence[LeaderboardRow]) -> str:
    seconds, row = min(((row.seconds or 0.0, row) for row in rows), key=lambda pair: pair[0])
    kind = "labelled tile" if source.description.get("folds") else "val tile"
    return (
        f"{count(len(source.description['data']['val']), kind)} and so few trainings cannot tell the tied ones "
        f"apart. Of them {source.label(row)} took the shortest training ({duration(seconds)})."
    )


def _labelling(source: ReportData) -> tuple[list[str], list[str]]:
    """Answer whether labelling more tiles is worth it, as (found, unknown)."""
    if found := source.board.scalings:
        return [one.sentence for one in found], []
    return [], [
        "Whether labelling more tiles would help: this sweep used one number of tiles. Phase 3 asks that "
        f"({call('phase3')})."
    ]


def _warnings(source: ReportData) -> list[tuple[str, str]]:
    data = source.description["data"]
    found = []
    if data["synthetic"]:
        found.append(
            ("Synthetic tiles", "drawn by a program, not photographs: they say nothing of real roofs, fields or roads.")
        )
    random = sorted({row.title for row in source.trials if row.weights == "random"})
    if random:
        uneven = any(row.weights not in ("random", "from scratch") for row in source.trials)
        told = f"{listing(random, 8)} started from random weights, not the pretrained ones they want"
        told += "; the order says as much about starting weights as about architectures." if uneven else "."
        found.append(("Random weights", told))
    if any(row.recipe.model_size == "tiny" for row in source.trials):
        found.append(
            ("Tiny stand-ins", "the smoke profile trains small models with the same names, to try the machinery.")
        )
    if leaks := len(data.get("leaks", [])):
        found.append(
            (
                "Leak",
                f"{count(leaks, 'pair')} of tiles in different splits show the same ground: no score can be trusted.",
            )
        )
    if not source.description["ended"]:
        done = sum(row.status == "finished" for row in source.trials)
        found.append(("Unfinished", f"{done} of {source.plan.total} trials have finished; what follows may change."))
    if failed := sum(row.status == "failed" for row in source.trials):
        found.append(("Failures", f"{count(failed, 'trial')} failed; see below."))
    return found


def _unknown(source: ReportData) -> list[str]:
    found = []
    command = source.experiment.command
    if not source.readings:
        found.append(
            f"How good it is on tiles that had no part in any choice: test has not been read ({command('score')})."
        )
    if not source.description["ended"]:
        found.append(f"What the unfinished trials would reach: go on with {command(source.phase, '--resume')}.")
    if source.phase == "phase1" and source.rows and all(row.repeats == 1 and not row.folds for row in source.rows):
        found.append("How much another seed would change: each was trained once (--repeats 3).")
    if source.phase == "phase1" and not source.description["options"].get("recipes"):
        found.append(
            f"How good each is with its own best recipe: all share one here. Phase 2 searches it ({call('phase2')})."
        )
    return found
