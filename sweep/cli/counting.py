"""How much of a long work is done: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from sweep.cli.durations import duration

SECONDS_A_LINE = 10.0
SECONDS_A_SLOW_LINE = 30.0
"""Between two lines about the windows of one image or model, which are many."""
Item = TypeVar("Item")


class Watch(Protocol):
    """Passes items on, and shows how many of them are done."""

    def __call__(self, what: str, items: Iterable[Item], total: int) -> Iterable[Item]:
        """Pass items on.

        Args:
            what: What is done, in words.
            items: The items, maybe done while they are asked for.
            total: How many there are.
        """
        ...


def unwatched(what: str, items: Iterable[Item], total: int) -> Iterable[Item]:
    """Pass items on, and show nothing; a ``Watch``."""
    return items


class CountedItems:
    """Passes items on, and shows on a console how many are done; a ``Watch``.

    Args:
        console: Where; one that is silent shows nothing.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, what: str, items: Iterable[Item], total: int) -> Iterator[Item]:
        """Pass items on, see ``Watch``."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        said = time.monotonic()
        bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_interactive)
        with bar:
            task = bar.add_task(what, total=total)
            for done, item in enumerate(items, 1):
                yield item
                bar.update(task, completed=done)
                if not self._console.is_interactive and time.monotonic() - said > SECONDS_A_LINE:
                    said = time.monotonic()
                    self._console.print(f"{what}: {done} of {total}")


class WindowProgress:
    """Counts windows of one raster, or by one model, after the other; a context manager."""

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
        if not self._console.is_interactive and now - self._said > SECONDS_A_SLOW_LINE:
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
        """Windows per second of the present raster."""
        return self._done / max(self.seconds, 1e-9)
