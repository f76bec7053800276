"""Screens: streams that say they are a terminal, and the real ones that a command writes to."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Any

import pyte
from rich.cells import cell_len

from sweep.cli.terminal import Terminal
from tests.commands import ROOT, environment


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


class Screen:
    """A terminal of some size that a program writes to.

    Args:
        width: Columns.
        height: Lines.
    """

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self._screen = pyte.HistoryScreen(width, height, history=1000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self.size = (width, height)
        self.frames: list[list[str]] = []

    def feed(self, data: bytes) -> None:
        """Write what a program wrote; every state of the screen is kept."""
        self._stream.feed(data)
        self.frames.append(self.lines)

    @property
    def lines(self) -> list[str]:
        """What can be seen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def everything(self) -> list[str]:
        """The same, after the lines that have left at the top."""
        above = [
            "".join(row[column].data for column in range(self.size[0])).rstrip() for row in self._screen.history.top
        ]
        return above + self.lines


def run_on(screen: Screen, *words: str, timeout: float = 240, **variables: str) -> int:
    """Run a command of ours whose only terminal is the screen; returns its exit code."""
    width, height = screen.size
    inside, outside = pty.openpty()
    fcntl.ioctl(outside, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    variables = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, env=environment(**variables), stdin=outside, stdout=outside,
        stderr=outside, close_fds=True, start_new_session=True,
    )  # fmt: skip
    os.close(outside)
    end = time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            if select.select([inside], [], [], 0.2)[0]:
                try:
                    screen.feed(os.read(inside, 65536))
                except OSError:  # the other end is closed
                    break
            elif process.poll() is not None:
                break
        return process.wait(timeout=30)
    finally:
        os.close(inside)
        if process.poll() is None:
            process.kill()
            process.wait()
