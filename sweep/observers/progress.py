"""What the terminal shows while a sweep runs: a live table, or a line per epoch where there can be none."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from sweep.cli.durations import duration
from sweep.cli.tables import Fitted
from sweep.observers.observer import Observer
from sweep.observers.trial_table import MAX_RUNNING, TrialRow, TrialTable
from sweep.records.throttle import Throttle
from sweep.records.trials import ENDED, TrialPlan, TrialRecord
from sweep.search.groups import Outcome
from trainables.report import EpochReport, FinalReport


class Progress(Observer):
    """Follows the trials of a sweep; their total includes those of searches that have no name yet."""

    def __init__(self, total: int, concurrent: int, known: Sequence[TrialRecord], console: Console) -> None:
        self._trials = TrialTable(total, concurrent, map(TrialRow.of, known))
        for row in self._trials.rows.values():
            row.state = row.state if row.state in ENDED else "waiting"
        self._live: Live | None = None
        self._estimating = Throttle()
        self._remaining: float | None = None
        self._console = console

    def open(self) -> None:
        """Open the live table; a pipe and a terminal that cannot move its cursor get lines."""
        self._started = time.monotonic()
        if self._console.is_interactive:
            self._live = Live(console=self._console, refresh_per_second=2, get_renderable=self.table)
            self._live.start()

    def begin(self, plan: TrialPlan) -> None:
        """Show that a trial runs."""
        self._row(plan).state = "running"

    def replay(self, plan: TrialPlan, report: EpochReport) -> None:
        """Take up an epoch from before this run."""
        self._row(plan).learn(vars(report))

    def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
        """Show an epoch."""
        row = self._row(plan)
        if row.learn(vars(report)):
            scores = "" if row.val_iou is None else f"val IoU {row.val_iou:.3f}  best {row.best:.3f}  "
            self._say(
                f"{row.attempt}  epoch {row.epoch}/{row.max_epochs}  {scores}"
                f"loss {row.loss:.3f}  rate {row.rate:.2g}  {report.seconds:.1f} s  {self._clock()}"
            )

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """Show how a trial ended."""
        row = self._row(plan)
        row.state = outcome
        if outcome in ("stopped", "paused"):
            self._say(f"{row.attempt}  {outcome} after epoch {row.epoch}")

    def failed(self, plan: TrialPlan, reason: str, traceback: str = "") -> None:
        """Show why a trial failed."""
        self._row(plan).state = "failed"
        self._say(f"{plan.attempt}  {'' if traceback else 'failed: '}{reason}")

    def close(self) -> None:
        """Leave the last state of the table on the terminal."""
        if self._live:
            self._live.stop()
            self._live = None

    def _row(self, plan: TrialPlan) -> TrialRow:
        if plan.attempt not in self._trials.rows:
            self._trials.rows[plan.attempt] = TrialRow.of(TrialRecord(plan=plan))
        return self._trials.rows[plan.attempt]

    def _say(self, line: str) -> None:
        if not self._live:
            self._console.print(line)

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
