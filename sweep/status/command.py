"""``python -m sweep.status``: what a sweep does, or how it ended, seen from any terminal; it only reads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
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
    if study and not study.begun:
        say(output.results, "study", study.address)
        say_steps(study, output)
        output.next(study.command())
        return 0
    watched = Watched.study(study) if study else Watched.experiment(Experiment.find(storage, options.name))
    if study:
        say(output.results, "study", study.address)
        say_steps(study, output)
    feed = Feed(output.events)
    snapshot = watched.look()
    feed.tell(snapshot)
    if options.watch is None:
        show(snapshot, output.results)
    else:
        snapshot = watch(watched, feed, snapshot, options.watch, output)
    output.next(watched.next_command(snapshot))
    return 0


def say_steps(study: StudyFolder, output: Output) -> None:
    """Say in which step a study is."""
    states = step_states(study)
    for step, state in states.items():
        say(output.results, step, state)
    output.events.emit("study", name=study.name, steps=states, running=is_run(study))


@dataclass(frozen=True)
class Watched:
    """What is looked at: an experiment, or a study, of which the phase that began last is shown.

    Attributes:
        reader: Returns the reader of what is shown now.
        of: The study; None for an experiment.
    """

    reader: Callable[[], SnapshotReader]
    of: StudyFolder | None = None

    @classmethod
    def experiment(cls, experiment: Experiment) -> Watched:
        """Look at one experiment."""
        reader = SnapshotReader(experiment)
        return cls(lambda: reader)

    @classmethod
    def study(cls, study: StudyFolder) -> Watched:
        """Look at a study that has begun."""
        readers: dict[str, SnapshotReader] = {}

        def reader() -> SnapshotReader:
            last = study.begun[-1]
            return readers.setdefault(last.name, SnapshotReader(last))

        return cls(reader, study)

    def look(self) -> Snapshot:
        """Read everything that is shown."""
        return self.reader().look()

    def is_run(self, snapshot: Snapshot) -> bool:
        """Whether there may be news: a study also runs while it scores and reports."""
        return snapshot.state == "running" or bool(self.of and is_run(self.of))

    def next_command(self, snapshot: Snapshot) -> str:
        """Return what to do next: to watch while it runs."""
        if self.of is None:
            return snapshot.next_command or f"{snapshot.experiment.command('status')} --watch"
        if self.is_run(snapshot):
            return f"{self.of.status_command()} --watch"
        return snapshot.next_command if is_complete(self.of) else self.of.command()


def watch(watched: Watched, feed: Feed, snapshot: Snapshot, seconds: float, output: Output) -> Snapshot:
    """Look again and again until nobody runs it; a terminal shows one screen, else what is new is printed.

    Returns:
        The last look.
    """
    console = output.results

    def looks() -> Snapshot:
        found = watched.look()
        feed.tell(found)
        return found

    if not console.is_interactive:
        show(snapshot, console)
        shown = snapshot.gist
        while watched.is_run(snapshot):
            time.sleep(seconds)
            snapshot = looks()
            if snapshot.gist != shown:
                show(snapshot, console)
                shown = snapshot.gist
        return snapshot
    with Live(screen(snapshot), console=console, auto_refresh=False) as live:
        while watched.is_run(snapshot):
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
