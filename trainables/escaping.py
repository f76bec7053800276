"""Names and texts that come from files, made harmless where they are shown."""

from __future__ import annotations

import html
import re


def csv_cell(text: str) -> str:
    """Return a cell that a spreadsheet shows and does not run: what could be a formula gets a quote in front.

    Source: OWASP, "CSV Injection".
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


_MARKS = str.maketrans({letter: f"\\{letter}" for letter in "\\`*|"})


def markdown_cell(text: str) -> str:
    """Return text in one line that is neither markup, link, image nor the end of a table's cell.

    A bracket stays as it is unless a link could end there. Source: CommonMark 0.31.2, 6.3 and 6.4.
    """
    line = html.escape(" ".join(visible(text).split()), quote=False).translate(_MARKS)
    line = re.sub(r"\](?=[(\[:])", r"\\]", line)
    return f"\\{line}" if line.startswith("#") else line


def visible(text: str) -> str:
    r"""Return text whose unprintable characters are shown, not sent: an escape sequence becomes ``\x1b[31m``.

    Line ends and tabs stay. Everything that a terminal is shown and that came from a file, a name, an option or another
    program's error goes through here.

    Args:
        text: Any text, lone surrogates included.

    Returns:
        Text that every UTF-8 terminal prints as it is.
    """
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )
