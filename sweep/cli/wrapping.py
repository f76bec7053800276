"""Sentences in lines: wrapped at blanks, never inside a word, nor inside a command that fits on a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len

from trainables.invocation import COMMANDS


def is_command(text: str) -> bool:
    """Whether a text is a command and nothing else."""
    return bool(COMMANDS.fullmatch(text))


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Break a text into lines.

    Args:
        text: Its own line ends and the blanks between its words stay.
        width: Cells of a line; a word that is longer gets a line of its own, with less before it, and is not broken.
        indent: Blanks before every line but the first.

    Returns:
        The lines, at least one.
    """
    lines = []
    for part in text.split("\n"):
        line, blank = "", ""
        for piece in _pieces(part, width - indent):
            if piece.startswith(" "):
                blank = piece
            elif line.strip() and cell_len(line) + cell_len(blank) + cell_len(piece) > width:
                lines.append(line)
                line, blank = " " * min(indent, max(0, width - cell_len(piece))) + piece, ""
            else:
                line, blank = line + blank + piece, ""
        lines.append(line)
    return lines


def _pieces(text: str, room: int) -> Iterator[str]:
    """Split a line into blanks, words, and commands, which are pasted and so stay whole where they fit."""
    for part in COMMANDS.split(text):
        if COMMANDS.fullmatch(part) and cell_len(part) <= room:
            yield part
        else:
            yield from re.findall(r" +|[^ ]+", part)
