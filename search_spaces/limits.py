"""How large a sweep may be: what is absurd is refused before memory and time are spent on it."""

from __future__ import annotations

from trainables.errors import ExperimentError

MAX_TRIALS = 100_000
"""Trials of one sweep, with repeats, draws and confirmations; ten times what docs/maintainers/scale.md measures."""
MAX_REPEATS = 1_000
"""Repeats, draws, and recipes that are confirmed."""


def require_few(trials: int, counted: str) -> None:
    """Refuse a sweep of too many trials, before they are listed.

    Args:
        trials: All of them.
        counted: How they come about, for the message: ``5 architectures x 1,000 repeats``.

    Raises:
        ExperimentError: As said.
    """
    if trials > MAX_TRIALS:
        raise ExperimentError(
            f"{counted}: makes {trials:,} trials, and a sweep has at most {MAX_TRIALS:,}; lower one of these numbers"
        )
