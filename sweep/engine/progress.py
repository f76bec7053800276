"""What the terminal shows while a sweep runs: a live table, or plain lines in a pipe."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from ray import tune
from rich.console import Console
from rich.live import Live
from rich.table import Table

from sweep.console import open_console
from sweep.engine.plan import duration


@dataclass
class _Row:
    """What is known of one trial."""

    attempt: str
    max_epochs: int
    state: str = "waiting"
    epoch: int = 0
    val_iou: float | None = None
    best: float | None = None
    loss: float | None = None
    rate: float | None = None
    epoch_seconds: list[float] = field(default_factory=list)


class Progress(tune.Callback):  # type: ignore[misc]
    """Follows the trials of a sweep. Saved and restored with the experiment by Tune.

    Args:
        attempts: Every trial's name and largest number of epochs, in order.
        concurrent: Trials side by side.
    """

    def __init__(self, attempts: dict[str, int], concurrent: int) -> None:
        self._rows = {name: _Row(name, epochs) for name, epochs in attempts.items()}
        self._concurrent = concurrent
        self._live: Live | None = None
        self._console: Console | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_live": None, "_console": None}

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
        if result.get("failure"):
            row.state = "failed"
            self._say(f"{row.attempt}  failed: {result['failure']}")
            return
        row.state = "running"
        row.epoch, row.val_iou, row.best = result["epoch"], result["val_iou"], result["best_val_iou"]
        row.loss, row.rate = result["train_loss"], result["learning_rate"]
        row.epoch_seconds.append(result["seconds"])
        self._say(
            f"{row.attempt}  epoch {row.epoch}/{row.max_epochs}  val IoU {row.val_iou:.3f}  best {row.best:.3f}  "
            f"loss {row.loss:.3f}  rate {row.rate:g}  {result['seconds']:.1f} s  {self._clock()}"
        )

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended by itself or was stopped by the scheduler."""
        row = self._row(trial)
        if row.state != "failed":
            row.state = "finished" if (trial.last_result or {}).get("finished") else "stopped"

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
        return self._rows[trial.config["trial"]["attempt"]]

    def _say(self, line: str) -> None:
        if self._console and not self._live:
            self._console.print(line, highlight=False, soft_wrap=True)

    def _clock(self) -> str:
        remaining = self.remaining_seconds()
        eta = "" if remaining is None else f"  ETA {duration(remaining)}"
        return f"({duration(time.monotonic() - self._started)}{eta})"

    def remaining_seconds(self) -> float | None:
        """Estimate the time to the end from the epochs seen so far; None before the first one.

        Every trial is taken to run to its last epoch, one not yet begun at the mean pace of the others.
        """
        paces = [mean(row.epoch_seconds) for row in self._rows.values() if row.epoch_seconds]
        if not paces:
            return None
        remaining = [
            (row.max_epochs - row.epoch) * (mean(row.epoch_seconds) if row.epoch_seconds else mean(paces))
            for row in self._rows.values()
            if row.state in ("waiting", "running")
        ]
        return max([sum(remaining) / self._concurrent, *remaining], default=0.0)

    def table(self) -> Table:
        """Draw the table."""
        done = sum(row.state in ("finished", "stopped", "failed") for row in self._rows.values())
        table = Table(title=f"{done} of {len(self._rows)} trials done  {self._clock()}", title_justify="left")
        table.add_column("trial", no_wrap=True)
        table.add_column("state")
        for heading in ("epoch", "val IoU", "best", "loss", "rate", "s/epoch", "time"):
            table.add_column(heading, justify="right")
        for row in self._rows.values():
            table.add_row(
                row.attempt,
                row.state,
                f"{row.epoch}/{row.max_epochs}",
                _number(row.val_iou),
                _number(row.best),
                _number(row.loss),
                "" if row.rate is None else f"{row.rate:g}",
                f"{mean(row.epoch_seconds):.1f}" if row.epoch_seconds else "",
                duration(sum(row.epoch_seconds)) if row.epoch_seconds else "",
            )
        return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
