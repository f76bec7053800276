"""Shows a snapshot: to people as text, to programs as events."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from sweep.cli.durations import duration
from sweep.cli.output import Events, laid, say
from sweep.cli.tables import Fitted
from sweep.observers.trial_table import MAX_RUNNING, TrialRow
from sweep.status.snapshot import MAX_FAILURES, Best, Failure, Snapshot


def show(snapshot: Snapshot, console: Console) -> None:
    """Print everything that is to be seen of an experiment, without what to do next."""
    head, foot = _lines(snapshot, all_logs=True)
    for part in (*head, snapshot.trials.draw(), *foot):
        if isinstance(part, Line):
            part.print(console)
        else:
            console.print(part)


def screen(snapshot: Snapshot) -> Fitted:
    """Return the same for a live screen, with as many trials as it has room for, and the logs of failures if it has."""

    def draw(most: int) -> Group:
        head, foot = _lines(snapshot, all_logs=most == MAX_RUNNING)
        return Group(*head, snapshot.trials.draw(most=most), *foot)

    return Fitted(draw, MAX_RUNNING)


@dataclass(frozen=True)
class Line:
    """A labelled sentence."""

    label: str
    text: str

    def print(self, console: Console) -> None:
        """Print it; a pipe gets it in one line."""
        say(console, self.label, self.text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(laid(self.label, self.text, options.max_width)), overflow="fold")


def _lines(snapshot: Snapshot, *, all_logs: bool) -> tuple[list[Line], list[Line]]:
    """Return what stands above the trials and below them."""
    head = [Line("experiment", snapshot.experiment.address), Line("state", state_text(snapshot))]
    label = "best" if snapshot.state == "ended" else "best so far"
    foot = [Line(label, _best_text(best)) for best in snapshot.best]
    detailed = MAX_FAILURES if all_logs else 1
    for failure in snapshot.failures[:detailed]:
        foot += _failure_lines(failure) if all_logs else _failure_lines(failure)[:1]
    if rest := snapshot.failures[detailed:]:
        foot.append(Line("failed", f"{len(rest)} more: {', '.join(failure.attempt for failure in rest)}"))
    return head, foot + [Line("damaged", text) for text in snapshot.damaged]


def state_text(snapshot: Snapshot) -> str:
    """Say in what state a sweep is, and how long it will take."""
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


ENDINGS = {"stopped": ", stopped early", "failed": ", then it failed"}


def _best_text(best: Best) -> str:
    if best.finished:
        note = f", predicts {best.collapsed} everywhere" if best.collapsed else ""
        epoch = f"epoch {best.epoch}/{best.max_epochs}"
        return f"{best.attempt}  val IoU {best.val_iou:.3f} of whole val tiles ({epoch}{note})"
    ending = ENDINGS.get(best.status, ", not finished")
    return f"{best.attempt}  epoch IoU {best.val_iou:.3f} in epoch {best.epoch}/{best.max_epochs}{ending}"


def _failure_lines(failure: Failure) -> list[Line]:
    lines = [Line("failed", f"{failure.attempt}: {failure.reason or 'crashed'}")]
    if failure.file:
        lines.append(Line("", f"the last lines of {failure.file}:"))
        lines += [Line("", f"  {line}") for line in failure.lines]
    return lines


class Feed:
    """Emits snapshots as events; a trial that has not changed is emitted once."""

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
