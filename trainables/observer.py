"""What follows a trial from inside the process that trains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trainables.recipe import Recipe
from trainables.report import EpochReport
from trainables.storage import Storage

if TYPE_CHECKING:
    from trainables.epochs import Training


class TrialObserver(Protocol):
    """Follows one trial after another; it is handed to the process by pickle, before the first one."""

    def begin(self, attempt: str, recipe: Recipe, folder: Storage) -> None:
        """A trial starts, or continues."""

    def epoch(self, report: EpochReport, trainer: Training) -> None:
        """An epoch was trained and validated; it is not saved yet, and a trial that dies now trains it again."""

    def end(self) -> None:
        """The trial is over, or pauses; also called where none has begun."""
