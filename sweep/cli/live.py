"""A view that changes in place while something runs: on a terminal, and below a notebook's cell."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from sweep.cli.terminal import NOTEBOOK_WIDTH, Terminal

NOTEBOOK_SECONDS = 1.0
"""Between two states in a notebook, each of which is kept in the page in place of the one before."""
NOTEBOOK_HEIGHT = 40
STYLE = "white-space: pre; overflow-x: auto; line-height: 1.3"


class LiveView(Protocol):
    """What changes in place."""

    def start(self) -> None:
        """Show it."""

    def stop(self) -> None:
        """Leave its last state."""


def live_view(console: Console, draw: Callable[[], RenderableType]) -> LiveView | None:
    """Return a view for a console that can show one; None for a pipe, and a terminal that cannot move its cursor.

    Args:
        console: Where.
        draw: Draws its present state.
    """
    if isinstance(console, Terminal) and console.in_notebook and not console.quiet:
        return NotebookView(draw)
    if console.is_interactive:
        return Live(console=console, refresh_per_second=2, get_renderable=draw)
    return None


class NotebookView:
    """An output of the present cell that is replaced every second, as every notebook can; no widget is needed.

    Args:
        draw: Draws its present state.
    """

    def __init__(self, draw: Callable[[], RenderableType]) -> None:
        self._draw = draw
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Show it."""
        notebook: Any = import_module("IPython.display")  # is there where a notebook runs, and has no types
        self._handle = notebook.display(self._drawn(), raw=True, display_id=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave its last state."""
        self._over.set()
        self._thread.join()
        self._handle.update(self._drawn(), raw=True)

    def _follow(self) -> None:
        while not self._over.wait(NOTEBOOK_SECONDS):
            self._handle.update(self._drawn(), raw=True)

    def _drawn(self) -> dict[str, Any]:
        stream = io.StringIO()
        Terminal(file=stream, width=NOTEBOOK_WIDTH, height=NOTEBOOK_HEIGHT, color_system=None).print(self._draw())
        text = stream.getvalue()
        return {"text/plain": text, "text/html": f'<pre style="{STYLE}">{escape(text)}</pre>'}
