"""Names and texts that come from files, made harmless where they are shown."""

from __future__ import annotations

import html


def csv_cell(text: str) -> str:
    """Return a cell that a spreadsheet shows and does not run: what could be a formula gets a quote in front.

    Source: OWASP, "CSV Injection".
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def markdown_cell(text: str) -> str:
    """Return text that is neither markup nor the end of a table's cell."""
    return html.escape(text, quote=False).replace("|", "\\|")


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
