"""What status says of an experiment's files, whatever state they are in; it writes nothing."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from rich.console import Console

from sweep.cli.output import Events, Output
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.records.lease import Lease, Sighting
from sweep.status.command import StatusOptions, main
from sweep.status.snapshot import Snapshot, SnapshotReader, planned_total
from tests.conftest import WriteDataset
from tests.sweep.status.made import NAME, Made, end, report
from trainables.data.manifest import Manifest
from trainables.errors import ExperimentError
from trainables.storage import Storage


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Four trials: finished, running in its third epoch, two waiting."""
    made = Made(tmp_path / "results", 4)
    made.trial(1, "finished", *map(report, (1, 2, 3)), end(4, 0.55))
    made.trial(2, "running", report(1), report(2))
    return made


def _status(folder: Path, name: str | None = None, **options: Any) -> tuple[str, list[dict[str, Any]]]:
    """Run the command; return what people and what programs are told."""
    events = io.StringIO()
    console = Console(file=io.StringIO(), width=140, markup=False)
    output = Output(console, console, Events(events))
    assert main(StatusOptions(name=name, storage=str(folder), **options), output) == 0
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), [json.loads(line) for line in events.getvalue().splitlines()]


def _next(text: str) -> str:
    last = text.splitlines()[-1]
    assert last.startswith("next           ")
    return last.removeprefix("next           ")


@pytest.fixture
def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return child.pid


def test_a_running_sweep_names_its_driver_and_when_it_will_end(made: Made) -> None:
    made.driven_by()
    text, (status, *rest) = _status(made.folder.parent)
    # Two epochs of 10 s are left of the running trial, and four of each waiting one, one after another.
    assert f"running by process {os.getpid()} on " in text and "ETA 2 min" in text
    assert status["state"] == "running" and status["remaining_seconds"] == pytest.approx(100.0)
    assert status["states"] == {"finished": 1, "running": 1, "waiting": 2}
    assert status["driver"]["pid"] == os.getpid() and status["driver"]["alive"]
    assert [event["attempt"] for event in rest] == [f"unet-{number}" for number in (1, 2, 3, 4)]
    assert _next(text) == f"python -m sweep.status {NAME} --storage {made.folder.parent} --watch"


def test_the_best_is_of_whole_tiles_where_a_trial_has_finished(made: Made) -> None:
    text, (status, *_) = _status(made.folder.parent)
    assert "unet-1  val IoU 0.550 of whole val tiles (epoch 4/4)" in text
    assert "unet-2  epoch IoU 0.200 in epoch 2/4, not finished" in text
    assert [(best["attempt"], best["finished"]) for best in status["best"]] == [("unet-1", True), ("unet-2", False)]


@pytest.mark.parametrize(
    ("description", "said", "state"),
    [
        ({}, "interrupted; nothing is lost", "interrupted"),
        ({"stopped": "interrupted"}, "interrupted; nothing is lost", "interrupted"),
        ({"stopped": "--time"}, "stopped by --time; nothing is lost", "stopped"),
    ],
)
def test_an_unfinished_sweep_says_why_and_how_to_go_on(
    made: Made, description: dict[str, Any], said: str, state: str
) -> None:
    made.describe(**description)
    text, (status, *_) = _status(made.folder.parent)
    assert said in text and status["state"] == state
    assert "broken off" in text, "nobody trains what the record calls running"
    assert _next(text) == f"python -m sweep.phase1 --resume {NAME} --storage {made.folder.parent}"


def test_a_driver_that_died_is_told_from_one_that_lives(made: Made, dead_process: int) -> None:
    path = made.driven_by(pid=dead_process, started=1.0)
    text, _ = _status(made.folder.parent)
    assert f"driver gone: process {dead_process} on " in text and "--resume" in _next(text)
    made.driven_by(host="node7", boot="another")
    assert "running by process" in _status(made.folder.parent)[0]
    os.utime(path, (time.time() - 7200,) * 2)
    assert "on node7 has shown no sign of life for 2.0 h" in _status(made.folder.parent)[0]


@pytest.mark.parametrize("content", ["", '{"host": "a", "pi', "[]", '{"pid": -1}', '{"pid": "x", "started": 1}'])
def test_a_damaged_lease_is_nobody(made: Made, content: str) -> None:
    made.driven_by().write_text(content)
    assert "state          interrupted" in _status(made.folder.parent)[0]


def test_an_ended_sweep_leads_to_scoring(made: Made) -> None:
    made.trial(2, "finished", report(1), end(2, 0.3))
    made.describe(ended=True)
    text, _ = _status(made.folder.parent)
    assert "state          ended\n" in text
    assert _next(text) == f"python -m sweep.score {NAME} --storage {made.folder.parent}"


@pytest.mark.parametrize("manifest", [False, True])
def test_without_test_tiles_an_ended_sweep_leads_to_the_report(
    made: Made, tmp_path: Path, write_dataset: WriteDataset, manifest: bool
) -> None:
    patches = write_dataset(tmp_path / "patches", test=0)
    if manifest:
        Manifest(
            name="d",
            origin="",
            licence="",
            version="1",
            synthetic=False,
            splits={"train": ["a"], "val": ["b"], "test": []},
            files={},
            leaks=(),
        ).write(patches)
    else:
        shutil.rmtree(patches / "test")
    data = {"name": "d", "synthetic": False, "fingerprint": "f", "path": str(patches), "train": ["a"], "val": ["b"]}
    made.trial(2, "finished", report(1), end(2, 0.3))
    made.describe(ended=True, data=data)
    assert _next(_status(made.folder.parent)[0]).startswith("python -m sweep.report")


def test_a_sweep_of_which_nothing_finished_leads_to_another_one_under_another_name(tmp_path: Path) -> None:
    made = Made(tmp_path, 1)
    made.trial(1, "failed", reason="loss is nan in epoch 1")
    made.describe(ended=True)
    assert _next(_status(tmp_path)[0]) == "python -m sweep.phase1 --profile demo"


def test_failures_come_with_the_last_lines_of_the_right_log(made: Made) -> None:
    made.trial(3, "failed", {"done": True, "finished": False, "failure": "loss is nan"}, reason="loss is nan")
    made.experiment.write("unet-3/trial.log", b"".join(b"line %d\n" % number for number in range(9)))
    made.experiment.write("unet-3/error.txt", b"of an earlier crash\n")
    made.trial(4, "failed", reason="worker died")
    made.experiment.write("unet-4/error.txt", b"first\n\n  \x1b[2Jworker died [/red]\n")
    text, events = _status(made.folder.parent)
    assert "2 trials failed" in text and "failed         unet-3: loss is nan\n" in text
    assert "line 8" in text and "line 4" in text and "line 3" not in text and "earlier crash" not in text
    assert "  \\x1b[2Jworker died [/red]" in text and "\x1b" not in text
    failures = {event["attempt"]: event for event in events if event["event"] == "trial_failed"}
    assert failures["unet-3"]["file"] == "unet-3/trial.log" and failures["unet-4"]["file"] == "unet-4/error.txt"


def test_many_failures_are_counted(tmp_path: Path) -> None:
    made = Made(tmp_path, 8)
    for number in range(1, 9):
        made.trial(number, "failed", reason="no memory")
    text, events = _status(tmp_path)
    assert text.count(": no memory") == 5 and "failed         3 more: unet-6, unet-7, unet-8" in text
    assert sum(event["event"] == "trial_failed" for event in events) == 8


@pytest.mark.parametrize("line", ['{"epo', '{"epoch": "x"}', "[" * 100_000])
def test_damaged_reports_of_one_trial_hide_no_other(made: Made, line: str) -> None:
    (made.folder / "unet-2" / "reports.jsonl").write_text(f'{{"epoch": 1}}\n{line}')
    text, events = _status(made.folder.parent)
    assert "damaged        " in text and "unet-2/reports.jsonl: line 2 is damaged" in text
    assert "val IoU 0.550" in text
    assert [event["event"] for event in events if event["event"] == "damaged"] == ["damaged"]


def test_an_experiment_of_a_newer_version_is_one_line(made: Made) -> None:
    newer = {"format": 99, "phase": 1, "profile": 1, "ended": 1, "data": 1, "plan": 1}
    (made.folder / "sweep.json").write_text(json.dumps(newer))
    with pytest.raises(ExperimentError, match="newer tilesweep"):
        _status(made.folder.parent)


def test_folders_that_cannot_be_experiments_are_passed_over(made: Made) -> None:
    for name in ("my folder", ".hidden", "späße"):
        (made.folder.parent / name).mkdir()
    assert f"experiment     {made.folder}" in _status(made.folder.parent)[0]


def test_a_sweep_that_has_just_begun_has_no_record_yet(made: Made) -> None:
    (made.folder / "trials.jsonl").unlink()
    text, (status, *rest) = _status(made.folder.parent)
    assert "0 of 4 trials done" in text and "best so far" not in text
    assert status["remaining_seconds"] is None and status["states"] == {"waiting": 4} and not rest


def test_it_writes_nothing(made: Made) -> None:
    def files() -> dict[str, tuple[int, bytes]]:
        found = (path for path in made.folder.parent.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}

    made.describe(ended=True)
    before = files()
    _status(made.folder.parent)
    assert files() == before


def test_a_large_sweep_has_a_line_a_group_and_one_a_running_trial(tmp_path: Path) -> None:
    made = Made(tmp_path, 30, group=lambda name: "odd" if int(name[5:]) % 2 else "even")
    made.trial(1, "finished", end(1, 0.5))
    made.trial(2, "running", report(1))
    made.driven_by()
    lines = _status(tmp_path)[0].splitlines()
    assert any(line.split()[:3] == ["odd", "1", "14"] for line in lines)  # finished, waiting
    assert any(line.split()[:3] == ["even", "1", "14"] for line in lines)  # running, waiting
    assert any("unet-2 " in line and "1/4" in line for line in lines)
    assert not any("unet-3 " in line for line in lines)


def test_many_groups_of_one_trial_are_a_line_an_architecture(tmp_path: Path) -> None:
    made = Made(tmp_path, 30)
    made.trial(1, "running", report(1))
    made.driven_by()
    assert any(line.split()[:3] == ["unet", "1", "29"] for line in _status(tmp_path)[0].splitlines())


def test_a_stored_plan_has_as_many_trials_as_the_plan_itself() -> None:
    plans = Made.plans_of(3)
    space = {"learning_rate": FloatDistribution(1e-4, 1e-2, log=True)}
    study = StudyPlan(template=plans[0], space=space, trials=7, finals=(plans[1],), confirm=2, repeats=3)
    plan = SweepPlan(trials=tuple(plans), studies=(study, study))
    assert planned_total(plan.to_dict()) == plan.total == 3 + 2 * (7 + 1 + 6)


def test_watching_tells_what_is_new_until_the_sweep_ends(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    held, looks, look = threading.Event(), threading.Semaphore(0), SnapshotReader.look

    def counted(reader: SnapshotReader) -> Snapshot:
        seen = look(reader)
        looks.release()
        return seen

    def drive() -> None:
        with Lease.of_driver(made.storage, NAME).held():
            held.set()
            _ = looks.acquire(), looks.acquire()  # what the first of them saw is on the screen
            made.trial(2, "finished", *map(report, (1, 2, 3)), end(4, 0.6))
            _ = looks.acquire(), looks.acquire()
            made.describe(ended=True)

    monkeypatch.setattr(SnapshotReader, "look", counted)
    driver = threading.Thread(target=drive)
    driver.start()
    assert held.wait(30)
    text, events = _status(made.folder.parent, watch=0.05)
    driver.join()
    assert 2 <= text.count("trials done") <= 4, "nothing is shown twice"
    assert "unet-2  val IoU 0.600" not in text.split("trials done")[1]
    assert "unet-2  val IoU 0.600 of whole val tiles" in text
    told = [event for event in events if event["event"] == "trial" and event["attempt"] == "unet-2"]
    assert list(dict.fromkeys(event["state"] for event in told)) == ["running", "finished"]
    news = [{key: value for key, value in event.items() if key != "time"} for event in told]
    assert all(one != other for one, other in pairwise(news)), "nothing is said twice"  # reports come before the state
    assert _next(text).startswith("python -m sweep.score")


def test_a_sweep_that_ends_during_a_look_has_ended(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease.of_driver(made.storage, NAME)
    look = Lease.look

    def end_then_look(self: Lease) -> Sighting | None:
        made.describe(ended=True)
        lease._storage.delete(lease._file)
        return look(self)

    with lease.held():
        monkeypatch.setattr(Lease, "look", end_then_look)
        assert SnapshotReader(made.experiment).look().state == "ended"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_watching_wants_seconds(made: Made, seconds: float) -> None:
    with pytest.raises(ExperimentError, match="--watch"):
        _status(made.folder.parent, watch=seconds)


def test_reports_of_ended_trials_are_read_once(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = SnapshotReader(made.experiment)
    watcher.look()
    read: list[str] = []
    original = Storage.read

    def noted(self: Storage, relative: str, limit: int | None = None) -> bytes:
        read.append(relative)
        return original(self, relative, limit)

    monkeypatch.setattr(Storage, "read", noted)
    assert watcher.look().best[0].attempt == "unet-1"
    assert f"{NAME}/unet-2/reports.jsonl" in read and f"{NAME}/unet-1/reports.jsonl" not in read


def test_a_thousand_trials_take_seconds(tmp_path: Path) -> None:
    made = Made(tmp_path, 1000, group=lambda name: "unet")
    lines = "".join(f"{json.dumps(report)}\n" for report in (report(1), end(2, 0.5)))
    records = [{**plan.to_dict(), "state": "finished", "reason": ""} for plan in made.plans]
    (made.folder / "trials.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    for plan in made.plans:
        (made.folder / plan.attempt).mkdir()
        (made.folder / plan.attempt / "reports.jsonl").write_text(lines)
    started = time.process_time()
    text, _ = _status(tmp_path)
    assert "1000 of 1000 trials done" in text
    assert time.process_time() - started < 10


class _Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_events_hold_no_nan_and_a_reader_that_has_gone_stops_nothing() -> None:
    stream = io.StringIO()
    Events(stream).emit("epoch", val_iou=float("nan"), tiles={"a": float("inf")}, more=[1.0])
    event = json.loads(stream.getvalue())
    assert (event["val_iou"], event["tiles"], event["more"]) == (None, {"a": None}, [1.0])
    events = Events(_Gone())
    events.emit("epoch")
    events.emit("epoch")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no test meet this checkout's own ray_results."""
    monkeypatch.chdir(tmp_path)
    yield
