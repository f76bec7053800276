"""How far a prediction is: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from sweep.cli.durations import duration

SECONDS_A_LINE = 30.0


class WindowProgress:
    """Counts windows of one raster after the other; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("windows"))
        self._bar = Progress(
            *columns, TextColumn("{task.fields[speed]}"), TimeRemainingColumn(), console=console, transient=True,
            disable=not console.is_interactive,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __enter__(self) -> WindowProgress:
        self._bar.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._bar.stop()

    def begin(self, name: str, total: int) -> None:
        """Begin with a raster of so many windows."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=total, speed="")
        self._name, self._total, self._done = name, total, 0
        self._started = self._said = time.monotonic()

    def advance(self, count: int) -> None:
        """Count windows that are done."""
        assert self._task is not None
        self._done += count
        now = time.monotonic()
        self._bar.update(self._task, advance=count, speed=f"{self.speed:.1f}/s")
        if not self._console.is_interactive and now - self._said > SECONDS_A_LINE:
            self._said = now
            left = duration((self._total - self._done) / self.speed)
            self._console.print(
                f"{self._name}  {self._done}/{self._total} windows  {self.speed:.1f}/s  about {left} left"
            )

    def skip(self, count: int) -> None:
        """Take windows off the count that were done before."""
        assert self._task is not None
        self._total -= count
        self._bar.update(self._task, total=self._total)

    @property
    def seconds(self) -> float:
        """Since the raster's beginning."""
        return time.monotonic() - self._started

    @property
    def speed(self) -> float:
        """Windows a second of the present raster."""
        return self._done / max(self.seconds, 1e-9)
