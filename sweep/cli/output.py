"""What a command says: to people on a console, to programs as events."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console

from sweep.cli.terminal import Terminal
from sweep.cli.wrapping import wrapped
from trainables.escaping import visible

LABEL_WIDTH = 15
"""Characters of ``experiment     `` and its like at the beginning of a line."""


def laid(label: str, text: str, width: int) -> list[str]:
    """Return a labelled sentence in lines that fit, the further ones under the first."""
    return wrapped(f"{label:{LABEL_WIDTH}}{visible(text)}", width, indent=LABEL_WIDTH)


def say(console: Console, label: str, text: str) -> None:
    """Print a labelled sentence; a pipe gets it in one line."""
    wraps = isinstance(console, Terminal) and console.is_there
    lines = laid(label, text, console.width) if wraps else [f"{label:{LABEL_WIDTH}}{text}"]
    console.print("\n".join(lines), soft_wrap=True)


class Events:
    """A stream of JSON objects, one per line.

    Args:
        stream: Where they go; None drops them.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def emit(self, event: str, **fields: Any) -> None:
        """Write an event.

        A reader that has gone away is no reason to stop a sweep: what comes after that is dropped.

        Args:
            event: What happened.
            fields: What belongs to it: plain values. A number that is not finite becomes null, as JSON has none.
        """
        if self._stream is None:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            line = json.dumps({"event": event, "time": time, **{name: _plain(one) for name, one in fields.items()}})
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except OSError:
            self._stream = None


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


class Output:
    """Everything that a command says, but for errors, which go to stderr.

    Attributes:
        console: What happens on the way; says nothing with ``--quiet`` or ``--json``.
        results: What came out and what to do next; says nothing with ``--json``.
        events: The same for programs; says something only with ``--json``.
        next_command: The command that the user was advised to run next; empty for none.
        afterwards: Estimates the seconds of what follows without being asked for; None where nothing does.
    """

    def __init__(self, console: Console, results: Console, events: Events) -> None:
        self.console = console
        self.results = results
        self.events = events
        self.next_command = ""
        self.afterwards: Callable[[], float] | None = None

    def next(self, command: str) -> None:
        """Say which command comes next, ready to be pasted: on a line of its own where it fits only there."""
        self.next_command = command
        line = f"{'next':{LABEL_WIDTH}}{command}"
        wraps = isinstance(self.results, Terminal) and self.results.is_there
        whole = not wraps or cell_len(line) <= self.results.width
        self.results.print(line if whole else f"next\n{command}", soft_wrap=True)

    def resume(self, command: str) -> None:
        """Say which command resumes what has been stopped."""
        self.next(command)

    def end(self, exit_code: int, errors: Sequence[str] = ()) -> None:
        """Emit the last event of a command."""
        self.events.emit("end", exit_code=exit_code, next=self.next_command or None, errors=list(errors))
