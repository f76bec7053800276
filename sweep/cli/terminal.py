"""The console of every command: it shows what is printed, as wide as the terminal is, and sends no foreign orders."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sweep.cli.wrapping import wrapped
from trainables.escaping import visible

PIPE_WIDTH = 140
"""Characters per line where the output is no terminal: tables are not squeezed into a guess."""

NOTEBOOK_WIDTH = 110
"""Characters per line below a notebook's cell."""


class Terminal(Console):
    """A console that wraps sentences at blanks, and to which no text can give an order.

    Whether a terminal is there is asked of the stream itself. FORCE_COLOR colours a pipe and changes nothing else: rich
    would take the pipe for a terminal of 80 columns whose cursor can be moved.

    Args:
        options: As ``rich.console.Console`` takes them.

    Attributes:
        is_there: Whether it is a terminal.
        in_notebook: Whether it is the output of a notebook's cell.
    """

    def __init__(self, **options: Any) -> None:
        file = options.get("file") or sys.stdout
        self.is_there = bool(file.isatty())
        if not self.is_there:
            options = {"width": PIPE_WIDTH, "force_interactive": False, **options}
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        self.in_notebook, self.is_jupyter = self.is_jupyter and file is sys.stdout, False  # text, not a box per line
        if self.in_notebook:
            self.width = NOTEBOOK_WIDTH

    @property
    def encoding(self) -> str:
        """The stream's encoding; ASCII in the C locale, where Python writes UTF-8 that the terminal may not know."""
        return "ascii" if _is_c_locale() else super().encoding

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Print, see ``Console.print``; a sentence is wrapped at blanks on a terminal, and is one line in a pipe.

        Args:
            objects: What to print.
            soft_wrap: Never wrap: for what is pasted, such as a command.
            options: As rich takes them.
        """
        if objects and all(isinstance(one, str) for one in objects):
            text = visible(" ".join(objects))
            if self.is_there and not soft_wrap:
                text = "\n".join(wrapped(text, self.width))
            objects, soft_wrap = (text,), True
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a string printable before it is measured and laid out."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Make everything else printable, whatever object holds the text."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or (shown := visible(text)) == text:
                yield segment
            else:
                yield Segment(shown, segment.style)


def _is_c_locale() -> bool:
    chosen = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    return chosen in ("C", "POSIX")
