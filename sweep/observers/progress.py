"""What the terminal shows while a sweep runs: a live table, or a line per epoch where there can be none."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from sweep.cli.durations import duration
from sweep.cli.live import LiveView, live_view
from sweep.cli.tables import Fitted
from sweep.observers.observer import Observer
from sweep.observers.trial_table import MAX_RUNNING, TrialRow, TrialTable
from sweep.records.throttle import Throttle
from sweep.records.trials import ENDED, TrialPlan, TrialRecord
from sweep.search.groups import Outcome
from trainables.recipe import Recipe
from trainables.report import EpochReport, FinalReport


class Progress(Observer):
    """Follows the trials of a sweep.

    Args:
        total: Number of trials, those of searches that have no name yet included.
        concurrent: Trials side by side.
        known: Those that are known.
        console: Where.
        scoring: How many epochs' time it takes to score whole val tiles, by recipe; None where that is not known.
        expected: Seconds that all of it takes, estimated before the first epoch; None likewise.
        afterwards: Seconds of what follows the sweep in a study; None outside one.
        measured: Whether that is by measured times; else it is as much slower as this sweep is than expected.
        share: Of a full training that a search's trial usually runs.
        costs: Architecture to the estimated cost of a full training.
    """

    def __init__(
        self,
        total: int,
        concurrent: int,
        known: Sequence[TrialRecord],
        console: Console,
        *,
        scoring: Callable[[Recipe], float] | None = None,
        expected: float | None = None,
        afterwards: float | None = None,
        measured: bool = False,
        share: float = 1.0,
        costs: Mapping[str, float] | None = None,
    ) -> None:
        self._scoring = scoring or (lambda recipe: 0.0)
        self._expected, self._afterwards, self._measured = expected, afterwards, measured
        self._trials = TrialTable(total, concurrent, map(self._begin_row, known), share, costs)
        for row in self._trials.rows.values():
            row.state = row.state if row.state in ENDED else "waiting"
        self._live: LiveView | None = None
        self._estimating = Throttle()
        self._remaining: float | None = None
        self._console = console

    def open(self) -> None:
        """Open the live table; a pipe and a terminal that cannot move its cursor get lines."""
        self._started = time.monotonic()
        self._live = live_view(self._console, self.table)
        if self._live:
            self._live.start()

    def begin(self, plan: TrialPlan) -> None:
        """Show that a trial runs."""
        row = self._row(plan)
        row.state, row.since = "running", time.monotonic()

    def replay(self, plan: TrialPlan, report: EpochReport) -> None:
        """Take up an epoch from before this run."""
        self._row(plan).learn(vars(report))

    def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
        """Show an epoch."""
        row = self._row(plan)
        row.since = time.monotonic()
        if row.learn(vars(report)):
            scores = "" if row.val_iou is None else f"epoch IoU {row.val_iou:.3f}  best {row.best:.3f}  "
            self._say(
                f"{row.attempt}  epoch {row.epoch}/{row.max_epochs}  {scores}"
                f"loss {row.loss:.3f}  rate {row.rate:.2g}  {report.seconds:.1f} s  {self._clock()}"
            )

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """Show how a trial ended."""
        row = self._row(plan)
        row.state = outcome
        if final is not None:
            row.finish(final.final_val_iou, final.final_seconds)
            scored = "" if row.final is None else f"  val IoU {row.final:.3f} of whole val tiles"
            self._say(f"{row.attempt}  finished{scored}  {duration(row.time)} in all")
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
            self._trials.rows[plan.attempt] = self._begin_row(TrialRecord(plan=plan))
        return self._trials.rows[plan.attempt]

    def _begin_row(self, record: TrialRecord) -> TrialRow:
        return TrialRow.of(record, self._scoring(record.plan.recipe))

    def _say(self, line: str) -> None:
        if not self._live:
            self._console.print(line)

    def _clock(self) -> str:
        now = time.monotonic()
        if self._estimating.due:
            with self._estimating.done():
                self._remaining = self._trials.remaining_seconds(now)
                if self._remaining is None and self._expected is not None:
                    self._remaining = max(0.0, self._expected - (now - self._started))
        eta = "" if self._remaining is None else f"  ETA {duration(self._remaining)}"
        if self._remaining is not None and self._afterwards is not None:
            whole = now - self._started + self._remaining
            slower = (
                whole / self._expected if self._expected and not self._measured else 1.0
            )  # what holds here holds for what follows
            eta += f", of the study {duration(self._remaining + slower * self._afterwards)}"
        return f"({duration(now - self._started)}{eta})"

    def table(self) -> Fitted:
        """Draw the table, no higher than the screen."""
        clock = self._clock()
        return Fitted(lambda most: self._trials.draw(clock, most), MAX_RUNNING)
