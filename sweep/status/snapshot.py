"""Reads what an experiment's files say at this moment, and writes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sweep.observers.trial_table import TrialRow, TrialTable
from sweep.planning.shares import scoring_in_epochs
from sweep.records.experiment import Experiment
from sweep.records.lease import Lease, Sighting
from sweep.records.store import damage_in_one_line
from sweep.records.trial_result import TrialResult
from sweep.records.trials import ENDED, ERROR_FILE, State, TrialRecord, TrialRecords, read_all_reports
from sweep.sealed.next_step import next_command
from trainables.escaping import visible
from trainables.trial_states import LOG_FILE

SweepState = Literal["running", "stopped", "interrupted", "gone", "ended"]
MAX_FAILURES = 5
"""Failed trials whose logs are shown."""
LOG_LINES = 5
"""Lines of each log."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that failed.

    Attributes:
        attempt: Its name.
        reason: Why, in a line.
        file: Where more is said, in the experiment's folder; empty where nothing is.
        lines: The last lines of that file.
    """

    attempt: str
    reason: str
    file: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best trial so far, or of all where the sweep has ended.

    Attributes:
        attempt: Its name.
        val_iou: Of whole val tiles where the trial has finished, else of an epoch's validation windows; in [0, 1].
        finished: Which of both.
        status: Of the trial: ``finished``, ``stopped`` (early, for good), ``failed``, ``unfinished``.
        epoch: The epoch of its best weights.
        max_epochs: Epochs of its full training.
        collapsed: The class that it predicts everywhere on val; empty where it predicts several. Only then is a trial
            best that predicts one.
    """

    attempt: str
    val_iou: float
    finished: bool
    status: str
    epoch: int
    max_epochs: int
    collapsed: str = ""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What an experiment's files say at one moment.

    Attributes:
        experiment: Which one.
        description: What it says of itself.
        state: ``gone`` means that its driver died without a word.
        driver: Who runs it, or ran it when it died; None where nobody does.
        trials: The trials.
        best: The best ones: of those that finished, and of those that may still finish; both may be missing. Where no
            trial has finished and none may, the best one of those that were stopped or failed.
        failures: Failed trials, the first of them with their logs.
        damaged: A line for every record that cannot be read.
        next_command: What to do next; empty while it runs.
    """

    experiment: Experiment
    description: Mapping[str, Any]
    state: SweepState
    driver: Sighting | None
    trials: TrialTable
    best: Sequence[Best]
    failures: Sequence[Failure]
    damaged: Sequence[str]
    next_command: str

    @property
    def gist(self) -> tuple[object, ...]:
        """What makes two looks differ, but for the time."""
        return (
            self.experiment.name,
            self.state,
            *((row.attempt, row.state, row.epoch) for row in self.trials.rows.values()),
        )

    @property
    def stopped_by(self) -> str:
        """What ended the last run: ``interrupted``, or the flag of a limit; empty where nobody said."""
        return str(self.description.get("stopped", ""))

    @property
    def running_seconds(self) -> float | None:
        """For how long its driver has run; None where nobody runs it."""
        return time.time() - self.driver.holder.started if self.driver and self.driver.alive else None


class SnapshotReader:
    """Looks at an experiment, as often as one likes; what ended trials reported is read once."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._ended: dict[TrialRecord, list[dict[str, Any]]] = {}

    def look(self) -> Snapshot:
        """Read everything.

        Raises:
            ExperimentError: The experiment is damaged or of a newer version, or its storage out of reach.
        """
        experiment = self._experiment
        driver = Lease.of_driver(experiment.storage, experiment.name).look()
        description = experiment.description  # read after the lease: a driver that is gone has said all that it had to
        state = _state(description, driver)
        damaged: list[str] = []
        with damage_in_one_line(experiment):
            records = TrialRecords(experiment).all()
            reports = self._reports(records, damaged)
            results = [
                TrialResult.of_record(one, description, reports[one.plan.attempt])
                for one in records
                if one.plan.role != "refit"
            ]
            return Snapshot(
                experiment=experiment,
                description=description,
                state=state,
                driver=driver,
                trials=_table(description, records, reports, alive=state == "running"),
                best=_best_of_all(results),
                failures=self._failures(records, reports),
                damaged=damaged,
                next_command="" if state == "running" else next_command(experiment, description, results),
            )

    def _reports(self, records: Sequence[TrialRecord], damaged: list[str]) -> dict[str, list[dict[str, Any]]]:
        """Read the reports of all trials that have begun; ``damaged`` gets a line for each that cannot be read."""
        known = {record.plan.attempt: self._ended.get(record, []) for record in records}
        unread = [record for record in records if record.state != "waiting" and record not in self._ended]
        found = read_all_reports(self._experiment, (record.plan.attempt for record in unread), damaged)
        self._ended |= {record: found[record.plan.attempt] for record in unread if record.state in ENDED}
        return known | found

    def _failures(
        self, records: Sequence[TrialRecord], reports: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> list[Failure]:
        failed = [record for record in records if record.state == "failed"]
        detailed = [self._failure(one, reports[one.plan.attempt]) for one in failed[:MAX_FAILURES]]
        return detailed + [Failure(attempt=one.plan.attempt, reason=one.reason) for one in failed[MAX_FAILURES:]]

    def _failure(self, record: TrialRecord, reports: Sequence[Mapping[str, Any]]) -> Failure:
        """Find the log of a trial that failed: its own, unless its process crashed."""
        own = bool(reports and reports[-1].get("failure"))
        attempt = record.plan.attempt
        for name in (LOG_FILE,) if own else (ERROR_FILE, LOG_FILE):
            if (data := self._experiment.find_file(f"{attempt}/{name}")) is not None:
                return Failure(attempt=attempt, reason=record.reason, file=f"{attempt}/{name}", lines=_last_lines(data))
        return Failure(attempt=attempt, reason=record.reason)


def _state(description: Mapping[str, Any], driver: Sighting | None) -> SweepState:
    if driver and driver.alive:
        return "running"
    if description["ended"]:
        return "ended"
    if driver:
        return "gone"
    return "stopped" if str(description.get("stopped", "")).startswith("--") else "interrupted"


def _table(
    description: Mapping[str, Any],
    records: Sequence[TrialRecord],
    reports: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    alive: bool,
) -> TrialTable:
    data = description["data"]
    rows = []
    for record in records:
        row = TrialRow.of(record, scoring_in_epochs(record.plan.recipe, len(data["val"]), data.get("val_pixels", 0)))
        if row.state == "running" and not alive:
            row.state = "broken off"
        for report in reports[row.attempt]:
            if "epoch" in report:
                row.learn(report)
            if report.get("finished"):
                row.finish(report["final_val_iou"], report.get("final_seconds", 0.0))
        rows.append(row)
    total = planned_total(description["plan"])
    under_way: set[State | Literal["broken off"]] = {"running", "broken off"}
    concurrent = sum(row.state in under_way for row in rows)  # a resume is taken to have as many
    return TrialTable(max(total, len(rows)), max(1, concurrent), rows, costs=description.get("costs"))


def planned_total(plan: Mapping[str, Any]) -> int:
    """Count the trials of a plan as it is stored; ``SweepPlan.total``, for which all of Optuna would be loaded."""
    total = len(plan["trials"])
    for study in plan["studies"]:
        total += study["trials"] + len(study["finals"]) + study.get("confirm", 0) * study.get("repeats", 1)
    return total + int(plan.get("refits", 0))


def _best_of_all(trials: Sequence[TrialResult]) -> list[Best]:
    kinds = ("finished", "unfinished")
    found = [best for kind in kinds if (best := _best([one for one in trials if one.status == kind]))]
    return found or list(filter(None, [_best(trials)]))


def _best(trials: Sequence[TrialResult]) -> Best | None:
    """Find the best trial by val IoU of whole tiles where they have finished, else by that of an epoch's windows."""
    scores = [one.val_iou if one.finished else one.best_epoch_val_iou for one in trials]
    scored = [(score, one) for score, one in zip(scores, trials, strict=True) if score is not None]
    if not scored:
        return None
    score, trial = max(scored, key=lambda one: (not one[1].collapsed, one[0]))
    return Best(
        attempt=trial.attempt,
        val_iou=score,
        finished=trial.finished,
        status=trial.status,
        epoch=trial.best_epoch or 0,
        max_epochs=trial.recipe.max_epochs,
        collapsed=trial.collapsed or "",
    )


def _last_lines(log: bytes) -> tuple[str, ...]:
    """Return a log's last lines that say something, orders to a terminal made visible."""
    lines = [line.rstrip() for line in log.decode(errors="replace").split("\n") if line.strip()]
    return tuple(map(visible, lines[-LOG_LINES:]))
