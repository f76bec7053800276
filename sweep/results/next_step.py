"""What to do next with an experiment: one command, ready to be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from sweep.engine.experiment import Experiment
from sweep.results.ledger import Ledger
from sweep.results.winners import winners
from trainables.errors import LedgerError
from trainables.invocation import call


def resume_command(experiment: Experiment, description: Mapping[str, Any]) -> str:
    """Return the command that goes on with an unfinished experiment."""
    return experiment.command(description["phase"], "--resume")


def next_command(experiment: Experiment, description: Mapping[str, Any], trials: Iterable[Mapping[str, Any]]) -> str:
    """Return what comes next for an experiment that nobody runs.

    Args:
        experiment: Which one.
        description: What it says of itself.
        trials: Its rows of the trials table.

    Returns:
        To go on with it, to sweep anew where no trial finished, to score it, or to report it.
    """
    if not description["ended"]:
        return resume_command(experiment, description)
    rows = [dict(row) for row in trials]
    best = winners(rows)
    if not best:
        return _same_again(description)
    try:
        read = Ledger(experiment.storage).of(experiment.name)
    except LedgerError:
        return experiment.command("score", "--verify")
    contests = {row["attempt"]: row["contest"] for row in rows}
    for contest, won in best.items():
        winning = {row["attempt"] for row in won}
        before = {attempt for attempt in read if contests.get(attempt, attempt) == contest}
        if any(not before - (winning - {attempt}) for attempt in winning):  # scoring admits just these
            return experiment.command("score")
    return experiment.command("report")


def _same_again(description: Mapping[str, Any]) -> str:
    """Return the command that started an experiment, without the name, which is taken."""
    words = shlex.split(description.get("provenance", {}).get("command", ""))
    if not words:
        return f"{call(description['phase'])} --profile {description['profile']}"
    kept = []
    for before, word in zip(["", *words], words, strict=False):
        if word != "--name" and before != "--name" and not word.startswith("--name="):
            kept.append(word)
    return shlex.join(kept)
