"""What the terminal shows while a sweep runs: a live table, or a line per epoch where there can be none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ray import tune
from rich.console import Console
from rich.live import Live

from sweep.cli.durations import duration
from sweep.cli.tables import Fitted
from sweep.observers.trial_table import MAX_RUNNING, TrialRow, TrialTable
from sweep.ray_tune.searcher import outcome_of
from sweep.records.throttle import Throttle
from sweep.records.trials import ENDED, ERROR_FILE, TrialRecord


class Progress(tune.Callback):  # type: ignore[misc]
    """Follows the trials of a sweep.

    Args:
        total: Number of trials, those of searches that have no name yet included.
        concurrent: Trials side by side.
        known: The record of trials as the run begins.
        console: Where to show them.
    """

    def __init__(self, total: int, concurrent: int, known: Sequence[TrialRecord], console: Console) -> None:
        self._trials = TrialTable(total, concurrent, map(TrialRow.of, known))
        for row in self._trials.rows.values():
            row.state = row.state if row.state in ENDED else "waiting"
        self._live: Live | None = None
        self._estimating = Throttle()
        self._remaining: float | None = None
        self._console = console

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; a terminal cannot be copied

    def setup(self, stop: Any = None, num_samples: Any = None, total_num_samples: Any = None, **info: Any) -> None:
        """Open the live table; a pipe and a terminal that cannot move its cursor get lines."""
        self._started = time.monotonic()
        if self._console.is_interactive:
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
        if row.learn(result) and not result["replayed"]:
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
        self._say(f"{row.attempt}  crashed; {row.attempt}/{ERROR_FILE} says why")

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Close the live table."""
        self.close()

    def close(self) -> None:
        """Leave the last state of the table on the terminal."""
        if self._live:
            self._live.stop()
            self._live = None

    def _row(self, trial: Any) -> TrialRow:
        settings = trial.config["trial"]
        name = settings["attempt"]
        if name not in self._trials.rows:
            recipe = settings["recipe"]
            self._trials.rows[name] = TrialRow(name, settings["group"], recipe["architecture"], recipe["max_epochs"])
        return self._trials.rows[name]

    def _say(self, line: str) -> None:
        if not self._live:
            self._console.print(line, highlight=False)

    def _clock(self) -> str:
        if self._estimating.due:
            with self._estimating.done():
                self._remaining = self._trials.remaining_seconds()
        eta = "" if self._remaining is None else f"  ETA {duration(self._remaining)}"
        return f"({duration(time.monotonic() - self._started)}{eta})"

    def table(self) -> Fitted:
        """Draw the table, no higher than the screen."""
        clock = self._clock()
        return Fitted(lambda most: self._trials.draw(clock, most), MAX_RUNNING)
