"""Runs the checks side by side, each with a limit; what goes wrong in one is its finding."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from queue import Empty, Queue
from threading import Thread

from sweep.doctor.finding import Check, Finding, fail
from sweep.doctor.subject import Subject
from trainables.errors import TilesweepError


def run_checks(checks: Sequence[Check], subject: Subject) -> Iterator[tuple[Check, Sequence[Finding]]]:
    """Run all checks at the same time.

    Yields:
        Each check with its findings, in the order given, as soon as it and those before it are done.
    """
    started = time.monotonic()
    answers: list[Queue[Sequence[Finding]]] = []
    for check in checks:
        answer: Queue[Sequence[Finding]] = Queue()
        # A thread in a system call that hangs cannot be ended; a daemon does not keep the command from ending.
        Thread(target=_run, args=(check, subject, answer), name=check.name, daemon=True).start()
        answers.append(answer)
    for check, answer in zip(checks, answers, strict=True):
        try:
            yield check, answer.get(timeout=max(0.0, started + check.seconds - time.monotonic()))
        except Empty:
            yield check, [fail(f"no answer within {check.seconds:g} s", "try again when the machine is idle")]


def _run(check: Check, subject: Subject, answer: Queue[Sequence[Finding]]) -> None:
    try:
        answer.put(check.run(subject))
    except TilesweepError as error:
        answer.put([as_finding(fault) for fault in error.faults])
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        answer.put([fail(f"the check itself broke ({reason})", "a bug in tilesweep: report this line")])


def as_finding(fault: str) -> Finding:
    """Return an error's line as a finding: what follows its last semicolon is the fix."""
    text, _, fix = fault.rpartition("; ")
    return fail(text or fix, fix if text else "")
