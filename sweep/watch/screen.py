"""Shows a snapshot: to people as text, to programs as events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from sweep.engine.durations import duration
from sweep.engine.output import LABEL_WIDTH, Events
from sweep.engine.trial_table import TrialRow
from sweep.watch.snapshot import MAX_FAILURES, Best, Failure, Snapshot


def show(snapshot: Snapshot, console: Console) -> None:
    """Print everything that is to be seen of an experiment, without what to do next."""
    for part in _parts(snapshot):
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text))


def screen(snapshot: Snapshot) -> Group:
    """Return the same for a live screen."""
    return Group(*_parts(snapshot))


def _parts(snapshot: Snapshot) -> list[Table | Text]:
    parts: list[Table | Text] = [
        _line("experiment", snapshot.experiment.address),
        _line("state", state_text(snapshot)),
        snapshot.trials.draw(),
    ]
    parts += [_line("best so far", _best_text(best)) for best in snapshot.best]
    for failure in snapshot.failures[:MAX_FAILURES]:
        parts += _failure_lines(failure)
    if rest := snapshot.failures[MAX_FAILURES:]:
        parts.append(_line("failed", f"{len(rest)} more: {', '.join(failure.attempt for failure in rest)}"))
    parts += [_line("damaged", text) for text in snapshot.damaged]
    return parts


def state_text(snapshot: Snapshot) -> str:
    """Say in what state a sweep is, and how long it will go on."""
    failed = len(snapshot.failures)
    failures = f"; {failed} trial{'s' if failed > 1 else ''} failed" if failed else ""
    left = snapshot.trials.remaining_seconds()
    if snapshot.state == "running":
        assert snapshot.driver and snapshot.running_seconds is not None
        seen = "" if snapshot.driver.is_here else f", last sign of life {duration(snapshot.driver.silent_seconds)} ago"
        eta = "" if left is None else f", ETA {duration(left)}"
        return f"running by {snapshot.driver.holder} for {duration(snapshot.running_seconds)}{seen}{eta}{failures}"
    if snapshot.state == "ended":
        return f"ended{failures}"
    more = f", about {duration(left)} of training left" if left else ""
    return f"{_why(snapshot)}; nothing is lost{more}{failures}"


def _why(snapshot: Snapshot) -> str:
    if snapshot.state == "stopped":
        return f"stopped by {snapshot.stopped_by}"
    if snapshot.driver is None:
        return "interrupted"
    driver = snapshot.driver
    gone = "is no more" if driver.is_here else f"has shown no sign of life for {duration(driver.silent_seconds)}"
    return f"driver gone: {driver.holder} {gone}"


def _best_text(best: Best) -> str:
    if best.finished:
        note = f", predicts {best.collapsed} everywhere" if best.collapsed else ""
        epoch = f"epoch {best.epoch}/{best.max_epochs}"
        return f"{best.attempt}  val IoU {best.val_iou:.3f} of whole val tiles ({epoch}{note})"
    return f"{best.attempt}  val IoU {best.val_iou:.3f} in epoch {best.epoch}/{best.max_epochs}, not finished"


def _failure_lines(failure: Failure) -> list[Table | Text]:
    lines: list[Table | Text] = [_line("failed", f"{failure.attempt}: {failure.reason or 'crashed'}")]
    if failure.file:
        lines.append(_line("", f"the last lines of {failure.file}:"))
        lines += [_line("", f"  {line}") for line in failure.lines]
    return lines


def _line(label: str, text: str) -> Text:
    return Text(f"{label:{LABEL_WIDTH}}{text}")


class Feed:
    """Emits snapshots as events; a trial that has not changed is told once.

    Args:
        events: Where to.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._told: dict[str, dict[str, Any]] = {}

    def tell(self, snapshot: Snapshot) -> None:
        """Emit ``status``, then ``trial``, ``trial_failed`` and ``damaged`` events for what is new."""
        trials = snapshot.trials
        self._events.emit(
            "status",
            experiment=snapshot.experiment.name,
            address=snapshot.experiment.address,
            phase=snapshot.description["phase"],
            profile=snapshot.description["profile"],
            state=snapshot.state,
            text=state_text(snapshot),
            stopped_by=snapshot.stopped_by or None,
            driver=_driver(snapshot),
            trials=trials.total,
            states=dict(trials.counts),
            running_seconds=snapshot.running_seconds,
            remaining_seconds=trials.remaining_seconds(),
            best=[asdict(best) for best in snapshot.best],
            next=snapshot.next_command or None,
        )
        for row in trials.rows.values():
            self._tell_news("trial", row.attempt, _trial(row))
        for failure in snapshot.failures:
            self._tell_news("trial_failed", failure.attempt, asdict(failure))
        for text in snapshot.damaged:
            self._tell_news("damaged", text, {"text": text})

    def _tell_news(self, event: str, name: str, fields: dict[str, Any]) -> None:
        key = f"{event} {name}"
        if self._told.get(key) != fields:
            self._told[key] = fields
            self._events.emit(event, **fields)


def _driver(snapshot: Snapshot) -> dict[str, Any] | None:
    if (driver := snapshot.driver) is None:
        return None
    return {
        "host": driver.holder.host,
        "pid": driver.holder.pid,
        "alive": driver.alive,
        "silent_seconds": driver.silent_seconds,
    }


def _trial(row: TrialRow) -> dict[str, Any]:
    return {
        "attempt": row.attempt,
        "group": row.group,
        "state": row.state,
        "epoch": row.epoch,
        "max_epochs": row.max_epochs,
        "val_iou": row.val_iou,
        "best_val_iou": row.best,
        "train_loss": row.loss,
        "learning_rate": row.rate,
        "seconds": row.seconds,
    }
