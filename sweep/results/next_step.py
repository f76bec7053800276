"""What to do next with an experiment: one command, ready to be pasted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from sweep.engine.experiment import Experiment
from sweep.results.ledger import Ledger
from sweep.results.winners import winners
from trainables.errors import LedgerError
from trainables.invocation import command
from trainables.models.trust import FLAG, trusts

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
        read = Ledger(experiment.storage).of(experiment.name, description.get("id", ""))
    except LedgerError:
        return experiment.command("score", "--verify")
    contests = {row["attempt"]: row["contest"] for row in rows}
    for contest, won in best.items():
        winning = {row["attempt"] for row in won}
        before = {attempt for attempt in read if contests.get(attempt, attempt) == contest}
        if any(not before - (winning - {attempt}) for attempt in winning):  # scoring admits just these
            return experiment.command("score", *trusting(description))
    return experiment.command("report")


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
