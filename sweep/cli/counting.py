"""How much of a long work is done: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_A_LINE = 10.0
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
