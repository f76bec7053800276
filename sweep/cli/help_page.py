"""How a help looks: names in a column, what they do beside them, wrapped at blanks to the terminal's width."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.text import Text

from sweep.cli.terminal import Terminal
from sweep.cli.wrapping import wrapped

WIDEST = 129
"""Columns of a help, however wide the terminal is."""
MARGIN, GAP = 2, 2
HEADING, NAME, REMARK = "bold", "cyan", "dim"
"""Styles of a heading, of what is typed, and of the remark in parentheses behind a purpose."""

Rows = Sequence[tuple[str, str]]
"""What is typed -> what it does."""


def help_width() -> int:
    """Return the columns of a help on this terminal."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def show_help(
    about: str, sections: Mapping[str, Rows], closing: Iterable[str] = (), *, examples: Rows = (), usage: str = ""
) -> None:
    """Write a help to standard output, with colours where that is a terminal that has them.

    Args:
        about: Paragraphs with blank lines between them.
        sections: Heading -> its rows; one column for all of them.
        closing: Sentences at the end.
        examples: Command lines -> what they are for.
        usage: How the command is called; empty where that says nothing.
    """
    console, width = Terminal(file=sys.stdout), help_width()
    lines = [Text(line) for line in wrapped(usage, width, indent=8)] + [Text()] if usage else []
    lines += _paragraphs(about, width)
    if examples:
        lines += [Text("examples:", HEADING), *_rows(examples, width, _column(examples, width, most=width)), Text()]
    every = [row for rows in sections.values() for row in rows]
    column = _column(every, width, most=width // 2)
    for heading, rows in sections.items():
        lines += [Text(f"{heading}:", HEADING), *_rows(rows, width, column)]
    lines += [Text(line) for sentence in closing for line in wrapped(sentence, width)]
    coloured = console.color_system is not None and not console.no_color
    for line in lines:
        console.print(line if coloured else Text(line.plain), soft_wrap=True)


def _paragraphs(about: str, width: int) -> Iterator[Text]:
    """Lay out paragraphs, each with a blank line below; a line that begins with ``- `` stays one."""
    for paragraph in about.split("\n\n"):
        for item in re.split(r"\n(?=- )", paragraph):
            indent = 2 if item.startswith("- ") else 0
            yield from map(Text, wrapped(" ".join(item.split()), width, indent))
        yield Text()


def _column(rows: Rows, width: int, *, most: int) -> int:
    """Return where purposes begin: behind that name with which the fewest lines are needed; others are above theirs.

    Args:
        rows: All that share the column.
        width: Of the terminal.
        most: How far to the right that may be.
    """
    columns = {MARGIN + len(name) + GAP for name, _ in rows}
    possible = sorted(one for one in columns if one <= most) or [2 * MARGIN]
    return min(possible, key=lambda column: sum(1 for _ in _rows(rows, width, column)))


def _rows(rows: Rows, width: int, column: int) -> Iterator[Text]:
    for name, text in rows:
        purpose, remark = _split(text)
        laid = wrapped(f"{purpose}{remark}", width - column) if text else []
        head = Text(" " * MARGIN).append(name, NAME)
        if laid and len(head) + GAP <= column:
            yield head.append(" " * (column - len(head))).append(_dimmed(laid.pop(0), remark))
        else:
            yield head
        for line in laid:
            yield Text(" " * column).append(_dimmed(line, remark))


def _split(text: str) -> tuple[str, str]:
    """Return what an option does, and the remark in parentheses at the end."""
    start = text.rfind(" (") if text.endswith(")") else -1
    return (text, "") if start < 0 else (text[:start], text[start:])


def _dimmed(line: str, remark: str) -> Text:
    """Return a line in which the remark, or the part of it that is here, is dim."""
    found = Text(line)
    start = line.rfind("(")
    if remark and start >= 0 and remark.strip().startswith(line[start:]):
        found.stylize(REMARK, start)
    elif remark and line in remark:
        found.stylize(REMARK)
    return found
