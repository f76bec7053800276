"""How the user calls the commands, so that every hint can be pasted."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

PROGRAM = "tilesweep"
"""The script that an installation brings: ``tilesweep phase1`` is ``python -m sweep.phase1``."""

COMMANDS = re.compile(
    r"((?:python -m sweep\b|tilesweep [a-z0-9 ]+--|pip install |apt-get install |ray start )"
    r"(?:[^();,]|,(?=\S))*[^();,.\s])"
)
"""Commands in a sentence: one ends at its punctuation."""


def words(name: str = "") -> list[str]:
    """Return the words that call a command in this terminal.

    Args:
        name: ``phase1``, ``score``, ...; empty for the list of commands.

    Returns:
        ``["tilesweep", "phase1"]`` where that script was called, else ``["python", "-m", "sweep.phase1"]``.
    """
    if Path(sys.argv[0]).stem == PROGRAM:
        return [PROGRAM, name] if name else [PROGRAM]
    return ["python", "-m", f"sweep.{name}" if name else "sweep"]


def call(name: str = "") -> str:
    """Return ``words`` as one string."""
    return " ".join(words(name))


def command(name: str, *arguments: str) -> str:
    """Return a whole command, ready to be pasted: ``python -m sweep.patches check --patches 'my tiles'``."""
    return shlex.join([*words(name), *arguments])
