"""What a check says: how it stands, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sweep.doctor.subject import Subject

Outcome = Literal["ok", "warn", "fail"]
CHECK_SECONDS = 60.0
"""How long a check may take; all run at the same time, and on a busy machine loading torch alone takes 15 seconds."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A line of the doctor's.

    Attributes:
        outcome: ``warn``: a sweep starts all the same; ``fail``: it does not, or its numbers could not be trusted.
        text: What was found.
        fix: What to do about it, mostly a command; empty where all is well.
    """

    outcome: Outcome
    text: str
    fix: str = ""


def ok(text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(outcome="ok", text=text)


def warn(text: str, fix: str) -> Finding:
    """Return a finding that no sweep fails of."""
    return Finding(outcome="warn", text=text, fix=fix)


def fail(text: str, fix: str) -> Finding:
    """Return a finding that has to be fixed first."""
    return Finding(outcome="fail", text=text, fix=fix)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is looked at.

    Attributes:
        name: Its topic, as it is printed.
        run: Looks; a ``TilesweepError`` is a finding that it failed.
        seconds: How long it may take.
    """

    name: str
    run: Callable[[Subject], Sequence[Finding]]
    seconds: float = CHECK_SECONDS
