"""What is known of a sweep's trials, as a table; the sweep itself and ``sweep.status`` show the same one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from rich.table import Table

from sweep.engine.durations import duration
from sweep.engine.trials import ENDED, State, TrialRecord

MAX_ROWS = 12
"""Trials, or groups, that a terminal can show a line each."""
SHOWN_ALWAYS = ("running", "broken off")
"""States of trials that have a line of their own also in a large sweep."""
MAX_RUNNING = 24
"""Of these, lines that are drawn: a terminal holds no more, and a hundred took a tenth of the driver's time."""


@dataclass
class TrialRow:
    """What is known of one trial.

    Attributes:
        attempt: Its name.
        group: Whose trials are compared with it.
        architecture: What it trains.
        max_epochs: Epochs of a full training.
        state: ``broken off`` for a trial that was running when its driver went.
        epoch: The last one that was reported.
        val_iou: Of that epoch, in [0, 1].
        best: Best val IoU of an epoch so far.
        loss: Train loss of the last epoch.
        rate: Learning rate of the last epoch.
        epochs_timed: Epochs whose time is known.
        seconds: How long these took together.
    """

    attempt: str
    group: str
    architecture: str
    max_epochs: int
    state: State | Literal["broken off"] = "waiting"
    epoch: int = 0
    val_iou: float | None = None
    best: float | None = None
    loss: float | None = None
    rate: float | None = None
    epochs_timed: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, record: TrialRecord) -> TrialRow:
        """Begin the row of a recorded trial."""
        plan = record.plan
        return cls(plan.attempt, plan.group, plan.recipe.architecture, plan.recipe.max_epochs, record.state)

    @property
    def pace(self) -> float:
        """Mean seconds an epoch; there must have been one."""
        return self.seconds / self.epochs_timed

    def learn(self, report: Mapping[str, Any]) -> bool:
        """Take up the report of an epoch.

        Returns:
            Whether it was news: a trial that goes on reports again what it had reported before.
        """
        if report["epoch"] <= self.epoch:
            return False
        self.epoch, self.val_iou, self.best = report["epoch"], report["val_iou"], report["best_val_iou"]
        self.loss, self.rate = report["train_loss"], report["learning_rate"]
        self.epochs_timed += 1
        self.seconds += report["seconds"]
        return True


class TrialTable:
    """The trials of a sweep.

    Args:
        total: Number of trials, those of searches that have no name yet included.
        concurrent: Trials side by side, at least 1.
        rows: Those that are known.

    Attributes:
        total: As above.
        rows: Attempt to row.
    """

    def __init__(self, total: int, concurrent: int, rows: Iterable[TrialRow] = ()) -> None:
        self.total = total
        self.rows = {row.attempt: row for row in rows}
        self._concurrent = concurrent

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return sum(row.state in ENDED for row in self.rows.values())

    @property
    def counts(self) -> Counter[str]:
        """State to number of trials; those that have no name yet are waiting."""
        counts: Counter[str] = Counter(row.state for row in self.rows.values())
        if self.total > len(self.rows):
            counts["waiting"] += self.total - len(self.rows)
        return counts

    def remaining_seconds(self) -> float | None:
        """Estimate the time to the end from the epochs seen so far; None before the first one.

        A trial that has begun is taken to run to its last epoch, one that is planned likewise and at the mean pace of
        the others; a search's coming trials are taken to cost what its ended ones did.
        """
        paces = [row.pace for row in self.rows.values() if row.epochs_timed]
        if not paces:
            return None
        usual = fmean(paces)
        remaining = [
            (row.max_epochs - row.epoch) * (row.pace if row.epochs_timed else usual)
            for row in self.rows.values()
            if row.state == "waiting" or row.state in SHOWN_ALWAYS
        ]
        ended = [row.seconds for row in self.rows.values() if row.state in ENDED and row.epochs_timed]
        longest = max(row.max_epochs for row in self.rows.values()) * usual
        remaining += [fmean(ended) if ended else longest] * (self.total - len(self.rows))
        return max([sum(remaining) / self._concurrent, *remaining], default=0.0)

    def draw(self, clock: str = "") -> Table:
        """Draw every trial of a small sweep; of a large one the running trials, and a line a group or an architecture.

        Args:
            clock: Stands beside the title.
        """
        title = f"{self.done} of {self.total} trials done  {clock}".rstrip()
        table = Table(title=title, title_justify="left")
        table.add_column("trial", no_wrap=True)
        table.add_column("state")
        for heading in ("epoch", "val IoU", "best", "loss", "rate", "s/epoch", "time"):
            table.add_column(heading, justify="right")
        large = self.total > MAX_ROWS
        if large:
            for name, rows in self._families().items():
                _add_family(table, name, rows)
        shown = [row for row in self.rows.values() if not large or row.state in SHOWN_ALWAYS]
        for row in shown[:MAX_RUNNING]:
            table.add_row(
                row.attempt,
                row.state,
                f"{row.epoch}/{row.max_epochs}",
                _number(row.val_iou),
                _number(row.best),
                _number(row.loss),
                "" if row.rate is None else f"{row.rate:.2g}",
                f"{row.pace:.1f}" if row.epochs_timed else "",
                duration(row.seconds) if row.epochs_timed else "",
            )
        if len(shown) > MAX_RUNNING:
            table.add_row(f"and {len(shown) - MAX_RUNNING} more", style="dim")
        return table

    def _families(self) -> dict[str, list[TrialRow]]:
        """Sort the trials by group; by architecture where groups are many, as planned trials are one each."""
        many = len({row.group for row in self.rows.values()}) > MAX_ROWS
        families: dict[str, list[TrialRow]] = {}
        for row in self.rows.values():
            families.setdefault(row.architecture if many else row.group, []).append(row)
        return families


def _add_family(table: Table, name: str, rows: Sequence[TrialRow]) -> None:
    counts = Counter(row.state for row in rows)
    best = max((row.best for row in rows if row.best is not None), default=None)
    states = ", ".join(f"{counts[state]} {state}" for state in counts)
    seconds = sum(row.seconds for row in rows)
    table.add_row(name, states, "", "", _number(best), "", "", "", duration(seconds), style="bold")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
