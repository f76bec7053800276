"""What the terminal shows while a sweep runs: a live table, or plain lines in a pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from ray import tune
from rich.console import Console
from rich.live import Live
from rich.table import Table

from sweep.console import open_console
from sweep.engine.estimate import duration
from sweep.engine.search.searcher import outcome_of
from sweep.engine.trials import ENDED, State, TrialRecord

MAX_ROWS = 12
"""Trials that a terminal can show a line each."""


@dataclass
class _Row:
    """What is known of one trial."""

    attempt: str
    group: str
    max_epochs: int
    state: State = "waiting"
    epoch: int = 0
    val_iou: float | None = None
    best: float | None = None
    loss: float | None = None
    rate: float | None = None
    epoch_seconds: list[float] = field(default_factory=list)

    @property
    def pace(self) -> float:
        """Mean seconds an epoch; there must have been one."""
        return fmean(self.epoch_seconds)


class Progress(tune.Callback):  # type: ignore[misc]
    """Follows the trials of a sweep.

    Args:
        total: Number of trials, those of searches that have no name yet included.
        concurrent: Trials side by side.
        known: The record of trials as the run begins.
    """

    def __init__(self, total: int, concurrent: int, known: Sequence[TrialRecord] = ()) -> None:
        self._total = total
        self._concurrent = concurrent
        self._rows = {
            record.plan.attempt: _Row(
                record.plan.attempt,
                record.plan.group,
                record.plan.recipe.max_epochs,
                record.state if record.state in ENDED else "waiting",
            )
            for record in known
        }
        self._live: Live | None = None
        self._console: Console | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; a terminal cannot be copied

    def setup(self, stop: Any = None, num_samples: Any = None, total_num_samples: Any = None, **info: Any) -> None:
        """Open the live table; in a pipe there is none."""
        self._started = time.monotonic()
        self._console = open_console()
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=2, get_renderable=self.table)
            self._live.start()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial got its resources."""
        self._row(trial).state = "running"

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial reported an epoch."""
        row = self._row(trial)
        if "halted" in result:
            return
        if result.get("failure"):
            row.state = "failed"
            self._say(f"{row.attempt}  failed: {result['failure']}")
            return
        row.state = "running"
        if result["epoch"] <= row.epoch:
            return  # known already, and reported again by a trial that goes on
        row.epoch, row.val_iou, row.best = result["epoch"], result["val_iou"], result["best_val_iou"]
        row.loss, row.rate = result["train_loss"], result["learning_rate"]
        row.epoch_seconds.append(result["seconds"])
        if not result["replayed"]:
            self._say(
                f"{row.attempt}  epoch {row.epoch}/{row.max_epochs}  val IoU {row.val_iou:.3f}  best {row.best:.3f}  "
                f"loss {row.loss:.3f}  rate {row.rate:.2g}  {result['seconds']:.1f} s  {self._clock()}"
            )

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended by itself, paused, or was stopped by the scheduler."""
        row = self._row(trial)
        if row.state != "failed":
            row.state = outcome_of(trial.last_result or {})
        if row.state in ("stopped", "paused"):
            self._say(f"{row.attempt}  {row.state} after epoch {row.epoch}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial crashed for good."""
        row = self._row(trial)
        row.state = "failed"
        self._say(f"{row.attempt}  crashed; {row.attempt}/error.txt says why")

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Close the live table."""
        self.close()

    def close(self) -> None:
        """Leave the last state of the table on the terminal."""
        if self._live:
            self._live.stop()
            self._live = None

    def _row(self, trial: Any) -> _Row:
        settings = trial.config["trial"]
        name = settings["attempt"]
        if name not in self._rows:
            self._rows[name] = _Row(name, settings["group"], settings["recipe"]["max_epochs"])
        return self._rows[name]

    def _say(self, line: str) -> None:
        if self._console and not self._live:
            self._console.print(line, highlight=False, soft_wrap=True)

    def _clock(self) -> str:
        remaining = self.remaining_seconds()
        eta = "" if remaining is None else f"  ETA {duration(remaining)}"
        return f"({duration(time.monotonic() - self._started)}{eta})"

    def remaining_seconds(self) -> float | None:
        """Estimate the time to the end from the epochs seen so far; None before the first one.

        A trial that has begun is taken to run to its last epoch, one that is planned likewise and at the mean pace of
        the others; a search's coming trials are taken to cost what its ended ones did.
        """
        paces = [row.pace for row in self._rows.values() if row.epoch_seconds]
        if not paces:
            return None
        usual = fmean(paces)
        remaining = [
            (row.max_epochs - row.epoch) * (row.pace if row.epoch_seconds else usual)
            for row in self._rows.values()
            if row.state in ("waiting", "running")
        ]
        ended = [sum(row.epoch_seconds) for row in self._rows.values() if row.state in ENDED and row.epoch_seconds]
        longest = max(row.max_epochs for row in self._rows.values()) * usual
        remaining += [fmean(ended) if ended else longest] * (self._total - len(self._rows))
        return max([sum(remaining) / self._concurrent, *remaining], default=0.0)

    def table(self) -> Table:
        """Draw the table: every trial of a small sweep; of a large one the running trials and a line a group."""
        done = sum(row.state in ENDED for row in self._rows.values())
        table = Table(title=f"{done} of {self._total} trials done  {self._clock()}", title_justify="left")
        table.add_column("trial", no_wrap=True)
        table.add_column("state")
        for heading in ("epoch", "val IoU", "best", "loss", "rate", "s/epoch", "time"):
            table.add_column(heading, justify="right")
        large = self._total > MAX_ROWS
        if large:
            for group in dict.fromkeys(row.group for row in self._rows.values()):
                self._add_group(table, group)
        for row in self._rows.values():
            if not large or row.state == "running":
                table.add_row(
                    row.attempt,
                    row.state,
                    f"{row.epoch}/{row.max_epochs}",
                    _number(row.val_iou),
                    _number(row.best),
                    _number(row.loss),
                    "" if row.rate is None else f"{row.rate:.2g}",
                    f"{row.pace:.1f}" if row.epoch_seconds else "",
                    duration(sum(row.epoch_seconds)) if row.epoch_seconds else "",
                )
        return table

    def _add_group(self, table: Table, group: str) -> None:
        rows = [row for row in self._rows.values() if row.group == group]
        counts = Counter(row.state for row in rows)
        best = max((row.best for row in rows if row.best is not None), default=None)
        states = ", ".join(f"{counts[state]} {state}" for state in counts)
        seconds = sum(sum(row.epoch_seconds) for row in rows)
        table.add_row(group, states, "", "", _number(best), "", "", "", duration(seconds), style="bold")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
