"""Where results are: whether it can be written, what is unfinished there, and whether the ledger is whole."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.subject import Subject
from sweep.records.experiment import Experiment
from sweep.records.lease import Lease
from sweep.sealed.ledger import Ledger
from sweep.sealed.next_step import resume_command
from trainables.errors import ExperimentError, LedgerError, StorageError
from trainables.invocation import words
from trainables.storage import Storage

SHOWN = 5
"""Unfinished experiments that are listed."""


def check_storage(subject: Subject) -> Sequence[Finding]:
    """Try to write where results are to be; a folder that does not exist yet is not made."""
    there = subject.reach()
    can = "can be written" if there.root == subject.storage.root else "can be made"
    return [ok(f"{subject.storage.address}: {can}")]


def _out_of_reach(subject: Subject) -> list[Finding]:
    try:
        subject.reach()
    except StorageError:  # the check of the storage says that
        return [warn("not looked at: the storage is out of reach", "bring the storage back first")]
    return []


def check_experiments(subject: Subject) -> Sequence[Finding]:
    """List what runs, what is unfinished and how to resume it, and what is damaged."""
    if out := _out_of_reach(subject):
        return out
    states: dict[str, list[Finding]] = {"running": [], "ended": [], "unfinished": [], "damaged": []}
    for name in subject.storage.names():
        if name.startswith("."):
            continue
        try:
            state, finding = judge_experiment(Experiment(subject.storage, name))
        except ExperimentError:
            continue  # a folder of somebody else's
        if state:
            states[state].append(finding)
    text = ", ".join(f"{len(found)} {state}" for state, found in states.items() if found) or "none yet"
    problems = states["damaged"] + states["unfinished"]
    more = f"; {len(problems) - SHOWN} more are not listed" if len(problems) > SHOWN else ""
    return [ok(text + more), *problems[:SHOWN]]


def judge_experiment(experiment: Experiment) -> tuple[str, Finding]:
    """Tell how an experiment stands.

    Returns:
        ``running``, ``ended``, ``unfinished``, ``damaged``, or nothing for a folder that holds none; and a finding.
    """
    if not experiment.exists:
        return "", ok("")
    driver = Lease.of_driver(experiment.storage, experiment.name).look()  # first: one that is gone has said all
    try:
        description = experiment.description
    except ExperimentError as error:
        text, _, fix = str(error).rpartition("; ")
        return "damaged", warn(text, fix)
    if description["ended"]:
        return "ended", ok(experiment.name)
    if driver and driver.alive:
        return "running", ok(experiment.name)
    why = str(description.get("stopped", "")) or "its driver died"
    return "unfinished", warn(f"{experiment.name} is unfinished ({why})", resume_command(experiment, description))


def check_ledger(subject: Subject) -> Sequence[Finding]:
    """Check the chain of the ledger of test readings."""
    if out := _out_of_reach(subject):
        return out
    ledger = Ledger(subject.storage)
    try:
        readings = ledger.readings()
    except LedgerError as error:
        text, _, fix = str(error).rpartition("; ")
        return [fail(text, f"{fix} from a backup, then {_verify(subject.storage)}")]
    if not readings:
        return [ok("no test reading yet")]
    return [ok(f"{len(readings)} test reading{'s' if len(readings) > 1 else ''}, the chain is whole")]


def _verify(storage: Storage) -> str:
    return shlex.join([*words("score"), "--verify", "--storage", storage.address])
