"""One part of the driver's work at a time, without workers: ``benchmarks.scale_driver`` starts each as a process.

    python -m benchmarks.scale_parts PART SIZE [FOLDER]

prints a JSON object of figures. Times are CPU seconds of this process, so what else runs on the machine hardly counts.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.scale_made import experiment_at, make_experiment, plan_of, report_of

if TYPE_CHECKING:
    from sweep.records.experiment import Experiment

Figures = dict[str, float]
REPORTS = 200
"""Reports, or changes, whose mean is told."""


def cpu_ms(action: Callable[[], object], times: int = 1) -> float:
    """Return CPU milliseconds a call."""
    started = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - started) * 1000 / times


def count_writes(experiment: Experiment) -> list[int]:
    """Return a list to which the bytes of each file are added that an experiment writes from now on."""
    written: list[int] = []
    write = experiment.write

    def counted(name: str, data: bytes) -> None:
        written.append(len(data))
        write(name, data)

    experiment.write = counted
    return written


def records(size: int, folder: Path) -> Figures:
    """Cost of a change in the record of trials that holds so many."""
    from sweep.records.trials import TrialRecords

    plan = plan_of(size)
    experiment = experiment_at(folder)
    written = count_writes(experiment)
    found = TrialRecords(experiment)
    trials = [plan.studies[0].trial(number, {}) for number in range(size)]
    found.add(*trials)
    flush = getattr(found, "write_waiting", lambda: None)  # an earlier checkout wrote at once
    flush()
    written.clear()
    changed = trials[: min(size, REPORTS)]
    changes = min(size, REPORTS)

    def change_all() -> None:
        for trial in changed:
            found.set_state(trial.attempt, "running")
        flush()

    return {"CPU ms a change": cpu_ms(change_all) / changes, "bytes written a change": sum(written) / changes}


def progress(size: int, folder: Path) -> Figures:
    """Cost of a report to the live table of so many trials that have 30 epochs each, and of drawing it."""
    from rich.console import Console

    from sweep.observers.progress import Progress
    from sweep.records.trials import TrialRecord

    study = plan_of(size).studies[0]
    trials = [study.trial(number, {}) for number in range(size)]
    shown = Progress(size, 64, [TrialRecord(plan=plan) for plan in trials], Console(file=io.StringIO(), width=120))
    shown.setup()
    for number, row in enumerate(shown._trials.rows.values()):
        row.state = "running" if number < min(64, size // 2) else "finished"
        for epoch in range(1, 31):
            row.learn(report_of(epoch, number))
    settings = {"trial": trials[0].to_dict()}
    trial = SimpleNamespace(config=settings)
    epochs = iter(range(31, 31 + REPORTS))
    report = cpu_ms(
        lambda: shown.on_trial_result(0, [], trial, {**report_of(next(epochs), 0), "replayed": False}), REPORTS
    )
    terminal = Console(file=io.StringIO(), width=120, force_terminal=True)
    return {"CPU ms a report": report, "CPU ms a picture": cpu_ms(lambda: terminal.print(shown.table()), 5)}


def rungs(size: int, folder: Path) -> Figures:
    """Cost of a report to ASHA whose rungs hold so many trials."""
    from sweep.ray_tune.scheduler import GroupedASHA

    plan = plan_of(size)
    assert plan.halving is not None
    known = {f"t{number}": dict.fromkeys((6, 18), 0.5 + number % 97 / 300) for number in range(size)}
    scheduler = GroupedASHA(plan.halving, {"one": known})

    def report(number: int) -> None:
        trial = SimpleNamespace(config={"trial": {"group": "one", "attempt": f"new{number}", "protected": False}})
        for epoch in range(1, 7):
            scheduler.on_trial_result(None, trial, {"epoch": epoch, "best_val_iou": 0.6})  # type: ignore[arg-type]

    numbers = iter(range(REPORTS // 4))
    return {"CPU ms a report": cpu_ms(lambda: report(next(numbers)), REPORTS // 4) / 6}


def search(size: int, folder: Path, *, pausing: bool = False) -> Figures:
    """Cost of a suggestion, a report and an end in one study of so many ended trials; the journal's size."""
    from optuna.trial import TrialState, create_trial

    from sweep.records.trials import TrialRecords
    from sweep.search.journal import JOURNAL_FILE, open_studies
    from sweep.search.study_group import StudyGroup

    plan = plan_of(size + 50, pausing=pausing)
    study_plan, experiment = plan.studies[0], experiment_at(folder)
    storage = open_studies(experiment, None)
    found = TrialRecords(experiment)
    group = StudyGroup(study_plan, plan.halving, storage, experiment.name, found, 1)
    planned = []
    for number in range(size):
        values = study_plan.shared_values() | {"learning_rate": 1e-4 * 100 ** (number % 89 / 89)}
        finished = number % 3 == 0
        epochs = 30 if finished else 6
        curve = {epoch: 0.4 + 0.3 * (number % 71) / 71 * epoch / 30 for epoch in range(1, epochs + 1)}
        group._study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if finished else TrialState.PRUNED,
                value=max(curve.values()),
                params=values,
                distributions=dict(study_plan.space),
                intermediate_values=curve,
                user_attrs={"attempt": f"unet-{number:03d}", "until": epochs, "whole_tiles_val_iou": 0.5},
            )
        )
        planned.append(study_plan.trial(number, values))
    found.add(*planned)
    journal = folder / "e" / JOURNAL_FILE
    before = journal.read_bytes()
    suggestions, reports, ends = [], [], []
    for _ in range(3):
        launches: list[Any] = []
        suggestions.append(cpu_ms(lambda: launches.append(group.next())))  # noqa: B023
        attempt = launches[0].plan.attempt
        epochs_ = iter(range(1, 11))
        reports.append(cpu_ms(lambda: group.on_epoch(attempt, next(epochs_), 0.5), 10))  # noqa: B023
        ends.append(cpu_ms(lambda: group.on_end(attempt, "stopped", report_of(11, 0))))  # noqa: B023
    added = journal.read_bytes()[len(before) :]
    reopened = cpu_ms(lambda: open_studies(experiment, None))
    middle = sorted(suggestions)[1], sorted(reports)[1], sorted(ends)[1]
    names = ("CPU ms a suggestion", "CPU ms a report", "CPU ms an end")
    return dict(zip(names, middle, strict=True)) | {
        "journal bytes a trial": len(added) / 3,
        "journal entries a trial": added.count(b"\n") / 3,
        "CPU s to read the journal": reopened / 1000,
    }


def pausing(size: int, folder: Path) -> Figures:
    """The same where trials pause at rungs, as with one trial at a time."""
    return search(size, folder, pausing=True)


def remote_journal(size: int, folder: Path) -> Figures:
    """What an entry costs a journal on an object store that holds so many: it cannot append."""
    from sweep.search.journal import RemoteJournal

    experiment = experiment_at(folder)
    written = count_writes(experiment)
    journal = RemoteJournal(experiment)
    entry = {"op_code": 7, "worker_id": "0" * 36, "trial_id": 1, "step": 3, "intermediate_value": 0.5123456789}
    journal.append_logs([entry] * size)
    written.clear()
    took = cpu_ms(lambda: journal.append_logs([entry]), 50)
    return {"CPU ms an entry": took, "bytes written an entry": sum(written) / 50}


def events(size: int, folder: Path) -> Figures:
    """What Ray's own manager of actors costs an event with so many calls under way: the heart of Tune's loop."""
    import ray
    from ray.air.execution import FixedResourceManager, ResourceRequest
    from ray.air.execution._internal import RayActorManager

    class Sleeper:
        async def reply(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        manager = RayActorManager(FixedResourceManager())
        actor = manager.add_actor(
            ray.remote(max_concurrency=size + 10)(Sleeper), {}, ResourceRequest([{"CPU": 1}]), on_start=lambda _: None
        )
        while not manager.is_actor_started(actor):
            manager.next(timeout=1)
        for _ in range(size - 1):
            manager.schedule_actor_task(actor, "reply", kwargs={"seconds": 3600})
        answered: list[object] = []

        def event() -> None:
            before = len(answered)
            manager.schedule_actor_task(
                actor, "reply", kwargs={"seconds": 0}, on_result=lambda *_: answered.append(None)
            )
            while len(answered) == before:
                manager.next(timeout=10)

        event()
        return {"CPU ms an event": cpu_ms(event, 100)}
    finally:
        ray.shutdown()


def requests(size: int, folder: Path) -> Figures:
    """What a trial asks of an object store an epoch, weights left out: requests to a real S3 server, by kind."""
    import boto3

    from trainables.storage import Storage
    from trainables.trial_states import TrialStates

    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
    os.environ |= keys
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "requests.txt"
    program = str(Path(sys.executable).parent / "moto_server")
    with log.open("w") as stream:
        server = subprocess.Popen([program, "-p", str(port)], stdout=stream, stderr=stream)
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.2)
            client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
            client.create_bucket(Bucket="bucket")
            address = f"s3://bucket/runs?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
            trial = Storage.open(address).child("e").child("unet-001")
            trial.create()
            lines = len(log.read_text().splitlines())
            for epoch in range(1, size + 1):
                for name in ("history.csv", "reports.jsonl", "trial.log", "best.safetensors"):
                    trial.write(name, b"x" * 1000)
                TrialStates(trial).save(epoch, {"epoch": epoch})
            told = log.read_text().splitlines()[lines:]
        finally:
            server.terminate()
            server.wait(timeout=30)
    kinds = Counter(kind for line in told for kind in ("GET", "HEAD", "PUT", "POST", "DELETE") if f'"{kind} ' in line)
    return {f"{kind} an epoch": count / size for kind, count in kinds.items()}


def _command(module: str, folder: Path) -> Figures:
    """Run a command in this process and tell its time and memory; Python's start and imports are included."""
    import importlib

    from sweep.cli.console import open_output

    started = time.process_time()
    options = {
        "status": lambda found: found.StatusOptions(name="e", storage=str(folder)),
        "report": lambda found: found.ReportOptions(names=("e",), storage=str(folder)),
    }
    found = importlib.import_module(f"sweep.{module}")
    assert found.main(options[module](found), open_output()) == 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"CPU s": time.process_time() - started, "peak MiB": peak}
    page = folder / "e" / "report.html"
    return figures | ({"page MB": page.stat().st_size / 1e6} if module == "report" else {})


def main() -> None:
    """Run the part that the command line names."""
    part, size = sys.argv[1], int(sys.argv[2])
    if part in ("status", "report"):
        figures = _command(part, Path(sys.argv[3]))
    elif part in ("searched", "planned"):
        figures = make_experiment(Path(sys.argv[3]), size, planned=part == "planned")
    else:
        parts = {
            one.__name__: one for one in (records, progress, rungs, search, pausing, remote_journal, events, requests)
        }
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            figures = parts[part](size, Path(folder))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
