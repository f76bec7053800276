"""Tables that fit any terminal: the least important columns leave first, and names and scores always stay whole.

A column that no row fills is left out; what all rows share can be said once above the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from sweep.cli.wrapping import wrapped
from trainables.escaping import visible

GAP = 2
"""Blanks between two columns."""
ALWAYS = 1
"""Priority of a column that every width shows."""
UNBROKEN = "\N{NO-BREAK SPACE}"
PROSE = 30
"""Characters down to which a column of sentences is wrapped."""
HEAD_ASCII = Box(str(SIMPLE_HEAD).replace("─", "-"), ascii=True)
"""The line under the headings where the terminal knows no others."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        heading: Its title; may be wrapped at blanks.
        short: Its title where the cells are narrower than the words of the whole one; empty for none.
        value: Takes a row and returns what the column shows of it; None is an empty cell.
        format: How a value is written, as in ``format(value, ".3f")``.
        write: Takes a row and returns its cell, where a format does not suffice; not asked where the value is None.
        right: Set to the right, as numbers are.
        priority: 1 is always shown; of the others the highest number leaves first where the terminal is narrow.
        least: Characters down to which it may be wrapped at blanks; 0 for a column that is not wrapped. No word is
            broken, so its longest word is a bound, too.
        common: Where all rows show the same, that is said once above the table.
        gaps: For ``common``, a row may have nothing to show.
    """

    heading: str
    short: str = ""
    value: Callable[[Any], object]
    format: str = ""
    write: Callable[[Any], str] | None = None
    right: bool = False
    priority: int = ALWAYS
    least: int = 0
    common: bool = False
    gaps: bool = False

    def text(self, row: Any) -> str:
        """Return a row's cell."""
        value = self.value(row)
        if value is None:
            return ""
        return visible(self.write(row) if self.write else format(value, self.format))


def columns_of(*headings: str) -> list[Column]:
    """Return columns of rows that are sequences of texts, all of which may be wrapped and none of which leaves.

    Args:
        headings: In the order of a row's cells.
    """
    return [Column(heading=heading, value=itemgetter(index), least=PROSE) for index, heading in enumerate(headings)]


class Sheet:
    """A table that is laid out for the width at which it is drawn; print it, or put it into a live display.

    Args:
        title: Stands above it.
        columns: What it can show.
        rows: Anything that the columns' ``value`` takes.
        elsewhere: Where columns are found that a width leaves out.
    """

    def __init__(self, title: str, columns: Sequence[Column], rows: Iterable[Any], *, elsewhere: str = "") -> None:
        self._title = title
        self._elsewhere = elsewhere
        rows = list(rows)
        drawn = [_Drawn(column, [column.text(row) for row in rows]) for column in columns]
        self._common = [one for one in drawn if one.is_common]
        self._drawn = [one for one in drawn if not (one.is_common or one.is_empty)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if self._title:
            yield Text("\n".join(wrapped(visible(self._title), width)), style="italic", overflow="fold")
        if self._common:
            same = ", ".join(f"{one.column.heading} {_flat(max(one.cells))}" for one in self._common)
            where = "all rows" if all(min(one.cells) for one in self._common) else "all rows that have a value"
            yield _sentence(f"the same in {where}: {same}", width)
        shown, widths = _choose(self._drawn, width)
        if widths:
            yield self._table(shown, widths, HEAD_ASCII if options.ascii_only else SIMPLE_HEAD)
        else:
            yield from _paragraphs(shown, width)
        if left := [one.column.heading for one in self._drawn if one not in shown and one.column.heading]:
            elsewhere = f"; {self._elsewhere}" if self._elsewhere else ""
            yield _sentence(f"left out at {width} columns: {', '.join(left)}{elsewhere}", width)

    def _table(self, shown: Sequence[_Drawn], widths: Sequence[int], box: Box) -> Table:
        table = Table(box=box, padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
        for one, size in zip(shown, widths, strict=True):
            heading = Text(_fitted(visible(one.heading(size)), size))
            table.add_column(heading, justify="right" if one.column.right else "left", width=size, overflow="fold")
        for cells in zip(*(one.cells for one in shown), strict=True):
            table.add_row(*(Text(_fitted(cell, size)) for cell, size in zip(cells, widths, strict=True)))
        return table


class Fitted:
    """Something of several rows that is drawn with as many of them as the screen has room for.

    Args:
        draw: Takes the largest number of rows and returns what is drawn.
        most: Where to begin.
    """

    def __init__(self, draw: Callable[[int], RenderableType], most: int) -> None:
        self._draw = draw
        self._most = most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        most = self._most
        while True:
            lines = console.render_lines(self._draw(most), options, pad=False)
            over = len(lines) - (options.max_height - 1)  # the cursor stands in the last line
            if over <= 0 or most == 1:
                break
            most = max(1, most - over)
        for line in lines:
            yield from line
            yield Segment.line()


class _Drawn:
    """A column with its cells, and the widths that it can have."""

    def __init__(self, column: Column, cells: Sequence[str]) -> None:
        self.column = column
        self.cells = cells
        lines = [line for cell in cells for line in cell.split("\n")]
        widest_line = max(map(cell_len, lines), default=0)
        widest_word = max(map(_longest_word, lines), default=0)
        heading = _longest_word(column.short or column.heading)
        least = min(widest_line, max(widest_word, column.least)) if column.least else widest_line
        self.narrowest = max(heading, least)
        self.unwrapped = max(heading, widest_line)
        self.natural = max(cell_len(column.heading), self.unwrapped)

    def heading(self, width: int) -> str:
        """Return the title that a width has room for without breaking a word."""
        column = self.column
        return column.short if column.short and width < _longest_word(column.heading) else column.heading

    @property
    def is_common(self) -> bool:
        shown = {cell for cell in self.cells if cell or not self.column.gaps}
        return self.column.common and len(self.cells) > 1 and len(shown) == 1 and shown != {""}

    @property
    def is_empty(self) -> bool:
        return self.column.priority != ALWAYS and not any(self.cells)


def _choose(columns: Sequence[_Drawn], width: int) -> tuple[list[_Drawn], list[int]]:
    """Return the columns that a width shows, and how wide each is; no widths where not even those of priority 1 fit."""
    shown = list(columns)
    while True:
        room = width - GAP * (len(shown) - 1)
        widths = [one.narrowest for one in shown]
        if sum(widths) <= room:
            _widen(widths, [one.unwrapped for one in shown], room)  # cells before headings
            _widen(widths, [one.natural for one in shown], room)
            return shown, widths
        last = max(one.column.priority for one in shown)
        if last == ALWAYS:
            return shown, []
        shown.remove([one for one in shown if one.column.priority == last][-1])


def _widen(widths: list[int], most: Sequence[int], room: int) -> None:
    """Give the room that is left, a character at a time, to the column that lacks most."""
    for _ in range(room - sum(widths)):
        lacking = max(range(len(widths)), key=lambda index: most[index] - widths[index])
        if widths[lacking] >= most[lacking]:
            return
        widths[lacking] += 1


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _fitted(cell: str, width: int) -> str:
    return "\n".join(part for line in cell.split("\n") for part in wrapped(line, width))


def _flat(cell: str) -> str:
    return " ".join(cell.split())


def _sentence(text: str, width: int) -> Text:
    return Text("\n".join(wrapped(text, width)), style="dim", overflow="fold")


def _paragraphs(shown: Sequence[_Drawn], width: int) -> Iterable[Text]:
    """Return a paragraph per row, where the terminal is too narrow for a table: the name, then the rest."""
    name = next((one for one in shown if one.column.least), shown[0])
    rest = [one for one in shown if one is not name]
    for index, cell in enumerate(name.cells):
        lines = wrapped(_flat(cell), width)
        pieces = [f"{one.column.heading} {_flat(one.cells[index])}".strip() for one in rest if one.cells[index]]
        # A short piece stays in one line, so its blanks are none to wrap at.
        joined = "  ".join(piece.replace(" ", UNBROKEN) if cell_len(piece) <= width - 2 else piece for piece in pieces)
        lines += [f"  {line}".replace(UNBROKEN, " ") for line in wrapped(joined, width - 2)] if pieces else []
        yield Text("\n".join(lines), overflow="fold")
