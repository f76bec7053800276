"""Streams that say they are a terminal, and consoles on them."""

from __future__ import annotations

import io
from typing import Any

from rich.cells import cell_len

from sweep.cli.terminal import Terminal


class FakeTerminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def printed(*objects: Any, width: int, height: int = 24, terminal: bool = True) -> str:
    """Print on a terminal, or into a pipe, and return what arrives, colours left out."""
    stream = FakeTerminal() if terminal else io.StringIO()
    console = Terminal(file=stream, width=width, height=height, color_system=None)
    for one in objects:
        console.print(one)
    return stream.getvalue()


def widest(text: str) -> int:
    """Return the cells of the longest line."""
    return max(map(cell_len, text.splitlines()), default=0)


def words(text: str) -> str:
    """Return a text in one line with single blanks: a name that was wrapped at blanks is whole again."""
    return " ".join(text.split())


def has(text: str, name: str) -> bool:
    """Whether all words of a name stand whole in a text, where other columns may stand between its lines."""
    found, wanted = ({word.strip(",") for word in one.split()} for one in (text, name))
    return wanted <= found
