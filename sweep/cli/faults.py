"""Many faults at once: a terminal is shown the first ones, and a file has all."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from trainables.escaping import visible

SHOWN_FAULTS = 10
"""Faults that a terminal is shown; ``--json`` has all."""


def the_rest(faults: Sequence[str]) -> str:
    """Say how many faults are not shown, and where all of them are; empty where all are shown.

    Args:
        faults: All of them, a line each; they are written into a new file of the folder for temporary files.
    """
    if len(faults) <= SHOWN_FAULTS:
        return ""
    more = f"and {len(faults) - SHOWN_FAULTS} more"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tilesweep-faults-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.writelines(f"{visible(fault)}\n" for fault in faults)
    except OSError:  # a full disk hides no fault
        return f"{more}; --json lists all"
    return f"{more}; all {len(faults)} are in {file.name}"
