"""What is known of a sweep's trials, as a table; the sweep itself and ``sweep.status`` show the same one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.text import Text

from sweep.cli.durations import duration
from sweep.cli.tables import Column, Sheet
from sweep.records.trials import ENDED, State, TrialRecord
from trainables.models.probe_names import is_probe

MAX_ROWS = 12
"""Trials of a sweep each of which has a line of its own."""
SHOWN_ALWAYS = ("running", "broken off")
"""States of trials that have a line of their own also in a large sweep."""
MAX_RUNNING = 24
"""Lines that are drawn at most: a terminal holds no more, and a hundred took a tenth of the driver's time."""


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
        val_iou: Of that epoch's validation windows, in [0, 1].
        best: The best of an epoch so far.
        final: Of whole val tiles, once the trial has finished.
        loss: Train loss of the last epoch.
        rate: Learning rate of the last epoch.
        epochs_timed: Epochs whose time is known.
        seconds: How long these took together.
        scoring: How many epochs' time it takes to score the whole val tiles at the end, estimated.
        final_seconds: How long that took.
        since: When it was last heard of, by the monotonic clock; None where nobody listens.
    """

    attempt: str
    group: str
    architecture: str
    max_epochs: int
    state: State | Literal["broken off"] = "waiting"
    epoch: int = 0
    val_iou: float | None = None
    best: float | None = None
    final: float | None = None
    loss: float | None = None
    rate: float | None = None
    epochs_timed: int = 0
    seconds: float = 0.0
    scoring: float = 0.0
    final_seconds: float = 0.0
    since: float | None = None

    @classmethod
    def of(cls, record: TrialRecord, scoring: float = 0.0) -> TrialRow:
        """Begin the row of a recorded trial."""
        plan = record.plan
        return cls(plan.attempt, plan.group, plan.recipe.architecture, plan.epochs, record.state, scoring=scoring)

    @property
    def time(self) -> float:
        """Seconds of its epochs and of scoring whole val tiles, as the leaderboard has them."""
        return self.seconds + self.final_seconds

    @property
    def pace(self) -> float:
        """Mean seconds per epoch; there must have been one."""
        return self.seconds / self.epochs_timed

    def learn(self, report: Mapping[str, Any]) -> bool:
        """Take up the report of an epoch.

        Returns:
            Whether it was news: a trial that is resumed reports again what it had reported before.
        """
        if report["epoch"] <= self.epoch:
            return False
        self.epoch = report["epoch"]
        if not math.isnan(report["val_iou"]):  # a training on all tiles has no score
            self.val_iou, self.best = report["val_iou"], report["best_val_iou"]
        self.loss, self.rate = report["train_loss"], report["learning_rate"]
        self.epochs_timed += 1
        self.seconds += report["seconds"]
        return True

    def finish(self, val_iou: float, seconds: float) -> None:
        """Take up the scores of whole val tiles: their mean IoU, and how long they took."""
        self.final = None if math.isnan(val_iou) else val_iou
        self.final_seconds = seconds


class TrialTable:
    """The trials of a sweep.

    Args:
        total: Number of trials, those of searches that have no name yet included.
        concurrent: Trials side by side, at least 1.
        rows: Those that are known.
        share: Of a full training that a search's trial usually runs, before it is known of trials that ended.
        costs: Architecture to the estimated seconds of a full training, its scoring included: those that have not begun
            are expected to cost as much next to those that have. Without an architecture's, its epochs count.

    Attributes:
        total: As above.
        rows: Attempt to row.
    """

    def __init__(
        self,
        total: int,
        concurrent: int,
        rows: Iterable[TrialRow] = (),
        share: float = 1.0,
        costs: Mapping[str, float] | None = None,
    ) -> None:
        self.total = total
        self._share = share
        self._costs = costs or {}
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

    def remaining_seconds(self, now: float | None = None) -> float | None:
        """Estimate the time to the end from the epochs seen so far; None before the first one.

        A trial that has begun is taken to run to its last epoch and to score the val tiles. One that is planned is
        taken to cost what others of its architecture do; without such, as much more or less than the others as it was
        estimated to. A search's coming trials are taken to cost what its ended ones did.

        Args:
            now: By the monotonic clock: what running trials have done since they were last heard of is over.
        """
        rows, scoring = list(self.rows.values()), self._scoring()
        begun = [row for row in rows if row.epochs_timed]
        if not begun:
            return None
        costs = self._costs if all(row.architecture in self._costs for row in rows) else {}

        def whole(row: TrialRow) -> float:
            if row.state == "finished":
                return row.time
            return row.pace * (row.max_epochs + scoring.get(row.architecture, row.scoring))

        def cost(row: TrialRow) -> float:
            return costs.get(row.architecture) or row.max_epochs + scoring.get(row.architecture, row.scoring)

        def expected(row: TrialRow) -> float:
            like = [other for other in begun if other.architecture == row.architecture]
            like = like or [other for other in begun if is_probe(other.architecture) == is_probe(row.architecture)]
            if costs and not like:  # how fast a probe is fitted says nothing of trainings
                return cost(row)
            like = like or begun
            return cost(row) * sum(map(whole, like)) / sum(map(cost, like))

        def left(row: TrialRow) -> float:
            over = now - row.since if now is not None and row.since is not None and row.state == "running" else 0.0
            done = row.pace * row.epoch if row.epochs_timed else 0.0
            return max(0.0, (whole(row) if row.epochs_timed else expected(row)) - done - over)

        unfinished = ("waiting", *SHOWN_ALWAYS)
        remaining = [left(row) for row in rows if row.state in unfinished]
        ended = [row.time for row in rows if row.state in ENDED and row.epochs_timed]
        coming = fmean(ended) if ended else self._share * max(map(expected, rows))
        remaining += [coming] * (self.total - len(rows))
        return max([sum(remaining) / self._concurrent, *remaining], default=0.0)

    def _scoring(self) -> dict[str, float]:
        """Return how many epochs' time the scoring of whole val tiles took, by architecture, where that is known."""
        found: dict[str, list[float]] = {}
        for row in self.rows.values():
            if row.final_seconds and row.epochs_timed:
                found.setdefault(row.architecture, []).append(row.final_seconds / row.pace)
        return {name: fmean(shares) for name, shares in found.items()}

    def draw(self, clock: str = "", most: int = MAX_RUNNING) -> Group:
        """Draw every trial of a small sweep; of a large one the running trials, and a line per group or architecture.

        Args:
            clock: Stands beside the title.
            most: Trials, and groups, that have a line.
        """
        title = f"{self.done} of {self.total} trials done  {clock}".rstrip()
        rows = list(self.rows.values())
        if self.total <= min(MAX_ROWS, most):
            return Group(Sheet(title, TRIAL_COLUMNS, rows))
        families = list(self._families().items())
        shown = [row for row in rows if row.state in SHOWN_ALWAYS]
        parts: list[RenderableType] = [Sheet(title, FAMILY_COLUMNS, families[:most])]
        parts += _and_more(len(families) - most)
        if shown:
            parts += [Sheet("", TRIAL_COLUMNS, shown[:most]), *_and_more(len(shown) - most)]
        return Group(*parts)

    def _families(self) -> dict[str, list[TrialRow]]:
        """Sort the trials by group; by architecture where groups are many, as planned trials are one each."""
        many = len({row.group for row in self.rows.values()}) > MAX_ROWS
        families: dict[str, list[TrialRow]] = {}
        for row in self.rows.values():
            families.setdefault(row.architecture if many else row.group, []).append(row)
        return families


Family = tuple[str, list[TrialRow]]
"""A group's or an architecture's name, and its trials."""


def _and_more(count: int) -> list[Text]:
    return [Text(f"and {count} more", style="dim")] if count > 0 else []


def _best(family: Family) -> float | None:
    return max((row.best for row in family[1] if row.best is not None), default=None)


def _best_final(family: Family) -> float | None:
    return max((row.final for row in family[1] if row.final is not None), default=None)


def _in_state(state: str) -> Callable[[Family], int | None]:
    return lambda family: sum(row.state == state for row in family[1]) or None


TRIAL_COLUMNS = (
    Column(heading="trial", value=lambda row: row.attempt),
    Column(heading="state", value=lambda row: row.state),
    Column(heading="epoch", value=lambda row: f"{row.epoch}/{row.max_epochs}", right=True, priority=2),
    Column(heading="epoch IoU", value=lambda row: row.val_iou, format=".3f", right=True),
    Column(heading="best epoch IoU", value=lambda row: row.best, format=".3f", right=True, priority=4),
    Column(heading="val IoU", value=lambda row: row.final, format=".3f", right=True, priority=2),
    Column(heading="loss", value=lambda row: row.loss, format=".3f", right=True, priority=5),
    Column(heading="rate", value=lambda row: row.rate, format=".2g", right=True, priority=7),
    Column(
        heading="s/epoch",
        value=lambda row: row.pace if row.epochs_timed else None,
        format=".1f",
        right=True,
        priority=6,
    ),
    Column(heading="time", value=lambda row: duration(row.time) if row.epochs_timed else None, right=True, priority=3),
)
"""The IoU of an epoch is that of its validation windows, val IoU that of whole val tiles, as on the leaderboard."""
STATES = {"finished": 2, "stopped": 4, "failed": 3, "running": 2, "paused": 6, "broken off": 3, "waiting": 5}
"""States -> priority of their number's column."""
FAMILY_COLUMNS = (
    Column(heading="trials of", value=lambda family: family[0]),
    *(Column(heading=one, value=_in_state(one), right=True, priority=priority) for one, priority in STATES.items()),
    Column(heading="best epoch IoU", value=_best, format=".3f", right=True),
    Column(heading="val IoU", value=_best_final, format=".3f", right=True, priority=2),
    Column(
        heading="time",
        value=lambda family: duration(sum(row.time for row in family[1])),
        right=True,
        priority=7,
    ),
)
