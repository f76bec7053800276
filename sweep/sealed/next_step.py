"""What to do next with an experiment: one command, ready to be pasted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from sweep.records.experiment import Experiment
from sweep.records.store import TEST_SCORES_FILE
from sweep.records.trial_result import TrialResult
from sweep.records.winners import winners
from sweep.sealed.ledger import Ledger
from trainables.errors import ExperimentError, LedgerError
from trainables.invocation import command
from trainables.models.trust import FLAG, trusts

FOLLOWING = {"phase1": "phase2", "phase2": "phase3"}
"""Phase -> the one that asks the next question."""
REPORT_FILE = "report.html"
LEADERBOARD_FILE = "leaderboard.parquet"
RECIPES_FILE = "best_recipes.toml"
_OURS = re.compile(r"(python -m sweep\.|python -m sweep |tilesweep )(phase[123])\b")


def resume_command(experiment: Experiment, description: Mapping[str, Any]) -> str:
    """Return the command that resumes an unfinished experiment."""
    return experiment.command(description["phase"], *trusting(description), "--resume")


def trusting(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the flag that lets an experiment's own architectures run, where this command's user allowed them already.

    Whoever looks at somebody else's experiment is not led to run its code: the command that refuses it says what to do.
    """
    code = description.get("code")
    return (FLAG,) if isinstance(code, dict) and code and all(trusts(name) for name in code) else ()


def next_command(
    experiment: Experiment,
    description: Mapping[str, Any],
    trials: Iterable[TrialResult],
    *,
    reported: bool = False,
) -> str:
    """Return what comes next for an experiment that nobody runs.

    Args:
        experiment: Which one.
        description: What it says of itself.
        trials: Its trials.
        reported: Its report has just been made, wherever.

    Returns:
        To resume it, to sweep again where no trial finished, to score it, to report it. Then the next phase with the
        architectures that are at the top, or the state of that phase where it was begun on the same tiles. After the
        last phase, to export the best model.
    """
    if not description["ended"]:
        return resume_command(experiment, description)
    trials = list(trials)
    best = winners(trials)
    if not best:
        return _same_again(description)
    try:
        read = Ledger(experiment.storage).of(experiment.name, description.get("id", ""))
    except LedgerError:
        return experiment.command("score", "--verify")
    contests = {one.attempt: one.contest for one in trials}
    for contest, won in best.items():
        winning = {one.attempt for one in won}
        before = {attempt for attempt in read if contests.get(attempt, attempt) == contest}
        if any(not before - (winning - {attempt}) for attempt in winning):  # scoring admits just these
            return experiment.command("score", *trusting(description))
    if not reported and not _is_reported(experiment):
        return experiment.command("report")
    return _next_phase(experiment, description) or _export(experiment, description)


def _is_reported(experiment: Experiment) -> bool:
    """Whether a report was made after the last reading of test."""
    made, scored = experiment.changed(REPORT_FILE), experiment.changed(TEST_SCORES_FILE)
    return made is not None and (scored is None or made >= scored)


def _next_phase(experiment: Experiment, description: Mapping[str, Any]) -> str:
    """Return the command of the phase that follows, or of its state where it was begun; empty where there is none."""
    if (phase := FOLLOWING.get(description["phase"])) is None:
        return ""
    for name in experiment.storage.names():
        with suppress(ExperimentError):
            other = Experiment(experiment.storage, name)
            if other.exists and _subject(other.description) == (phase, description["data"]["fingerprint"]):
                return other.command("status")
    words = ["--profile", description["profile"], "--patches", description["data"]["path"], *trusting(description)]
    if chosen := _tied_at_the_top(experiment):
        words += ["--architectures", ",".join(chosen)]
    recipes = RECIPES_FILE if description["phase"] == "phase2" and experiment.has(RECIPES_FILE) else ""
    if recipes and experiment.storage.is_local:
        words += ["--recipes", experiment.path(recipes)]
    return command(phase, *words, *experiment.storage_words)


def _subject(description: Mapping[str, Any]) -> tuple[str, str]:
    return description["phase"], description["data"]["fingerprint"]


def _tied_at_the_top(experiment: Experiment) -> list[str]:
    """Return the architectures that the leaderboard cannot tell from its best one, and that; the best one first."""
    if not experiment.has(LEADERBOARD_FILE):
        return []
    rows = experiment.read_table(LEADERBOARD_FILE).to_pylist()
    chosen = [row["architecture"] for row in rows if row["rank"] == 1 or (row["rank"] is not None and row["tied"])]
    return list(dict.fromkeys(chosen))


def _export(experiment: Experiment, description: Mapping[str, Any]) -> str:
    return command("export", "--model", experiment.name, *trusting(description), *experiment.storage_words)


def _same_again(description: Mapping[str, Any]) -> str:
    """Return the command that started an experiment, without the name, which is taken; never another program's."""
    try:
        text = str(description.get("provenance", {}).get("command", ""))
        words = shlex.split(text) if _OURS.match(text) else []
    except ValueError:  # a quote without an end
        words = []
    if not words:
        return command(description["phase"], "--profile", description["profile"])
    kept = []
    for before, word in zip(["", *words], words, strict=False):
        if word not in ("--name", FLAG) and before != "--name" and not word.startswith("--name="):
            kept.append(word)
    return shlex.join(kept)
