"""Keeps the experiment's record of its trials up to date."""

from __future__ import annotations

from sweep.observers.observer import Observer
from sweep.records.experiment import Experiment
from sweep.records.trials import ERROR_FILE, TrialPlan, TrialRecords
from sweep.search.groups import Outcome
from trainables.report import EpochReport, FinalReport


class Recorder(Observer):
    """Writes what becomes of every trial. The one observer that raises: without its record a sweep cannot continue."""

    def __init__(self, experiment: Experiment, records: TrialRecords) -> None:
        self._experiment = experiment
        self._records = records

    def begin(self, plan: TrialPlan) -> None:
        """Record that a trial runs."""
        self._records.set_state(plan.attempt, "running")

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """Record how a trial ended."""
        if outcome == "stopped":
            self._records.give_up(plan.attempt)
        else:
            self._records.set_state(plan.attempt, outcome)

    def failed(self, plan: TrialPlan, reason: str, traceback: str = "") -> None:
        """Record why a trial failed; of a crash the last line, with all of them in a file."""
        if traceback:
            self._experiment.write(f"{plan.attempt}/{ERROR_FILE}", traceback.encode())
            lines = [line.strip() for line in traceback.splitlines() if line.strip()]
            reason = lines[-1] if lines else "crashed"
        self._records.set_state(plan.attempt, "failed", reason)

    def tick(self) -> None:
        """Write changes that have waited."""
        self._records.write_if_due()
