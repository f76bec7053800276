"""Sentences in lines: wrapped at blanks, never inside a word."""

from __future__ import annotations

import re

from rich.cells import cell_len


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Break a text into lines.

    Args:
        text: Its own line ends and the blanks between its words stay.
        width: Cells of a line; a word that is longer than that gets a line of its own and is not broken.
        indent: Blanks before every line but the first.

    Returns:
        The lines, at least one.
    """
    lines = []
    for part in text.split("\n"):
        line, blank = "", ""
        for piece in re.findall(r" +|[^ ]+", part):
            if piece.startswith(" "):
                blank = piece
            elif line.strip() and cell_len(line) + cell_len(blank) + cell_len(piece) > width:
                lines.append(line)
                line, blank = " " * indent + piece, ""
            else:
                line, blank = line + blank + piece, ""
        lines.append(line)
    return lines
