"""``python -m sweep.status``: what a sweep does, or how it ended, seen from any terminal; it only reads."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.live import Live
from tyro.conf import arg
from tyro.constructors import PrimitiveConstructorSpec

from sweep.cli.console import Command
from sweep.cli.options import StorageOptions
from sweep.cli.output import Output, say
from sweep.records.experiment import Experiment
from sweep.records.studies import StudyFolder
from sweep.sealed.next_step import is_complete
from sweep.sealed.study_steps import is_run, step_states
from sweep.status.screen import Feed, screen, show
from sweep.status.snapshot import Snapshot, SnapshotReader
from trainables.errors import ExperimentError
from trainables.storage import Storage

WATCH_SECONDS = 5.0


def _read_seconds(words: list[str]) -> float:
    if len(words) > 1:
        raise ValueError("takes one number of seconds; NAME goes first")
    try:
        return float(words[0]) if words else WATCH_SECONDS
    except ValueError:
        raise ValueError(f"{words[0]!r} is not a number; NAME goes first") from None


Seconds = Annotated[
    float | None,
    PrimitiveConstructorSpec(
        nargs="*",
        metavar="[SECONDS]",
        instance_from_str=_read_seconds,
        is_instance=lambda value: value is None or isinstance(value, float),
        str_from_instance=lambda value: ["once" if value is None else str(value)],
    ),
]


@dataclass(frozen=True, kw_only=True)
class StatusOptions(StorageOptions):
    """Show what a sweep does, or how it ended: trials, the best so far, time left, failures, and what to do next.

    Works from any terminal that reaches the storage, also when nothing runs any more. It only reads.
    """

    name: Annotated[tyro.conf.Positional[str | None], arg(metavar="NAME")] = None
    """The experiment, or the study; default: the experiment that changed last."""

    watch: Seconds = None
    """Look again every so many seconds (5) until the sweep ends; Ctrl-C ends the watching alone."""


def main(options: StatusOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    if options.watch is not None and not (math.isfinite(options.watch) and options.watch > 0):
        raise ExperimentError(f"--watch {options.watch:g}: must be more than 0 seconds")
    storage = Storage.open(options.storage)
    study = StudyFolder.named(storage, options.name) if options.name else None
    if study:
        begun = show_study(study, output)
        if begun is None:
            return 0
        watcher = SnapshotReader(begun)
    else:
        watcher = SnapshotReader(Experiment.find(storage, options.name))
    feed = Feed(output.events)
    snapshot = watcher.look()
    feed.tell(snapshot)
    if options.watch is None:
        show(snapshot, output.results)
    else:
        snapshot = watch(watcher, feed, snapshot, options.watch, output)
    whole = "" if study is None or is_run(study) or is_complete(study) else study.command()
    output.next(whole or snapshot.next_command or f"{snapshot.experiment.command('status')} --watch")
    return 0


def show_study(study: StudyFolder, output: Output) -> Experiment | None:
    """Say in which step a study is; returns the experiment that began last, None where none has."""
    say(output.results, "study", study.address)
    states = step_states(study)
    for step, state in states.items():
        say(output.results, step, state)
    output.events.emit("study", name=study.name, steps=states, running=is_run(study))
    if not study.begun:
        output.next(study.command())
        return None
    return study.begun[-1]


def watch(watcher: SnapshotReader, feed: Feed, snapshot: Snapshot, seconds: float, output: Output) -> Snapshot:
    """Look again and again until nobody runs the sweep; a terminal shows one screen, else what is new is printed.

    Returns:
        The last look.
    """
    console = output.results

    def looks() -> Snapshot:
        found = watcher.look()
        feed.tell(found)
        return found

    if not console.is_interactive:
        show(snapshot, console)
        shown = snapshot.gist
        while snapshot.state == "running":
            time.sleep(seconds)
            snapshot = looks()
            if snapshot.gist != shown:
                show(snapshot, console)
                shown = snapshot.gist
        return snapshot
    with Live(screen(snapshot), console=console, auto_refresh=False) as live:
        while snapshot.state == "running":
            time.sleep(seconds)
            snapshot = looks()
            live.update(screen(snapshot), refresh=True)
    return snapshot


COMMAND = Command(
    name="status",
    options=StatusOptions,
    main=main,
    examples={
        "": "the experiment that changed last",
        "phase1-paper --watch": "again every 5 seconds",
        "--storage s3://bucket/runs --json": "for programs",
    },
)
