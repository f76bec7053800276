"""Our own files, damaged or written by somebody else: one line each, bounded; and files of other versions are read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweep.cli.console import open_output
from sweep.cli.options import SweepOptions
from sweep.planning.plan import read_plan
from sweep.planning.resources import Resources
from sweep.ray_tune.runner import RunEnd
from sweep.records.experiment import DESCRIPTION_FILE, Experiment
from sweep.records.store import SCORES_SCHEMA, TEST_SCORES_FILE, ScoreRow, collect, read_test_scores
from sweep.records.trials import TRIALS_FILE, TrialRecords
from sweep.report.command import ReportOptions
from sweep.report.command import main as report
from sweep.session import driver, session
from sweep.status.snapshot import SnapshotReader
from tests.conftest import WriteDataset
from tests.reports import begin_experiment, data_of, plan_of
from trainables.errors import ExperimentError, StorageError, TilesweepError
from trainables.recipe import Recipe
from trainables.storage import Storage

REPORTS = "unet/reports.jsonl"
EPOCH = {
    "epoch": 1,
    "learning_rate": 0.001,
    "train_loss": 0.5,
    "val_loss": 0.5,
    "val_iou": 0.5,
    "val_f1": 0.6,
    "val_pixel_accuracy": 0.7,
    "val_frequency_weighted_iou": 0.5,
    "class_iou": {"roof": 0.5, "ground": None},
    "tile_iou": {"t4": 0.5},
    "worst_tile": "t4",
    "encoder_frozen": False,
    "step_seconds": 0.1,
    "images_per_second": 4.0,
    "data_share": 0.1,
    "seconds": 1.0,
    "peak_memory_bytes": 1,
    "memory_measures": "",
    "best_epoch": 1,
    "best_val_iou": 0.5,
    "gpu_joules": None,
    "done": False,
    "finished": False,
}
FINAL = {
    **EPOCH,
    "final_val_iou": 0.5,
    "final_val_f1": 0.6,
    "final_seconds": 0.1,
    "trainable_parameters": 9,
    "done": True,
    "finished": True,
    "final_tiles": {"t4": {"iou": 0.5, "f1": 0.6, "confusion": [[1, 2], [3, 4]]}},
}
DEEP = "[" * 200_000
HUGE = "9" * 5_000


@pytest.fixture
def experiment(write_dataset: WriteDataset, tmp_path: Path) -> Experiment:
    """A finished trial of an unfinished sweep, with scores of test."""
    root = write_dataset(tmp_path / "patches")
    plan = plan_of(recipe=Recipe(architecture="unet", model_size="tiny", crop_size=64))
    said = {"id": "1", "options": {"seed": 42}, "optuna_storage": None, "code": {}}
    said["provenance"] = {"command": "python -m sweep.phase1", "gpus": [], "packages": {"torch": "2"}, "git": {}}
    found = begin_experiment(tmp_path / "runs", plan, data=data_of(root), **said)
    TrialRecords(found).set_state("unet", "finished")
    found.write(REPORTS, f"{json.dumps(FINAL)}\n".encode())
    row = {"attempt": "unet", "tile": "t6", "iou": 0.5, "f1": 0.6, "confusion": [[1, 2], [3, 4]]}
    found.write_table(TEST_SCORES_FILE, pa.Table.from_pylist([row], schema=SCORES_SCHEMA))
    return found


def _use(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what status, report, score and a resume do with the files; nothing is trained."""
    SnapshotReader(experiment).look()
    read_plan(experiment)
    read_test_scores(experiment)
    monkeypatch.setattr(session, "drive", lambda *_, **__: 0)
    session.resume_sweep(SweepOptions(storage=experiment.storage.address), "e", open_output())
    out = Path(experiment.path()).parent.parent / "report.html"
    report(ReportOptions(names=("e",), storage=experiment.storage.address, out=out), open_output())


def _path(experiment: Experiment, name: str) -> Path:
    return Path(experiment.path(name))


def _set(experiment: Experiment, place: str, value: Any) -> None:
    """Put a value into a nested field of sweep.json; ``...`` removes the field."""
    whole = json.loads(experiment.read(DESCRIPTION_FILE))
    *outer, last = place.split(".")
    inner = whole
    for name in outer:
        inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    experiment.write(DESCRIPTION_FILE, json.dumps(whole).encode())


def test_whole_files_are_read(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(experiment, monkeypatch)


FIELDS: list[tuple[str, Any]] = [
    ("data.path", ...),
    ("data.path", ""),
    ("data.train", ...),
    ("data.val", 5),
    ("data.sheet", 5),
    ("data.task", []),
    ("data.leaks", 5),
    ("data", []),
    ("data", None),
    ("plan", {}),
    ("plan", []),
    ("plan.trials", 5),
    ("plan.trials.0.recipe", []),
    ("plan.trials.0.weights", {}),
    ("plan.trials.0.attempt", "../x"),
    ("plan.trials.0.tiles", 5),
    ("plan.halving", []),
    ("plan.studies", [{}]),
    ("provenance", 5),
    ("provenance.gpus", 5),
    ("provenance.packages", []),
    ("provenance.git", "x"),
    ("options", 5),
    ("options", []),
    ("code", 5),
    ("code", {"unet": 5}),
    ("optuna_storage", 5),
    ("phase", "phase4"),
    ("phase", 1),
    ("profile", []),
    ("ended", "perhaps"),
    ("ended", ...),
    ("stopped", 5),
    ("id", []),
    ("format", "x"),
    ("format", -1),
    ("packing", 5),
    ("costs", {"unet": 0}),
    ("costs", {"unet": "much"}),
]


@pytest.mark.parametrize(("place", "value"), FIELDS, ids=[f"{place}={value!r:.20}" for place, value in FIELDS])
def test_a_wrong_field_of_the_description_is_one_line(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, place: str, value: Any
) -> None:
    _set(experiment, place, value)
    with pytest.raises(TilesweepError) as caught:
        _use(experiment, monkeypatch)
    _assert_short(caught.value)


OPTIONAL = ("options", "optuna_storage", "code", "provenance", "id")


@pytest.mark.parametrize("place", OPTIONAL)
def test_what_earlier_versions_did_not_write_is_not_missed(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    _set(experiment, place, ...)
    _use(experiment, monkeypatch)


def test_what_later_versions_add_is_kept(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(experiment, "new", {"a": [1]})
    _set(experiment, "data.new", 7)
    experiment.write(REPORTS, f"{json.dumps({**FINAL, 'new': 3})}\n".encode())
    line = json.loads(experiment.read(TRIALS_FILE))
    experiment.write(TRIALS_FILE, f"{json.dumps({**line, 'new': 3})}\n".encode())
    _use(experiment, monkeypatch)
    assert experiment.description["new"] == {"a": [1]} and experiment.description["data"]["new"] == 7


TEXTS = {
    "deep": DEEP,
    "a deep object": '{"a":' * 200_000,
    "a huge number": f'{{"format": {HUGE}}}',
    "a list": "[]",
    "a word": "x",
    "null": "null",
    "cut off": '{"format": 1, "phase": "ph',
    "a null byte": "\0",
    "no UTF-8": "\udcff",
    "an empty object": "{}",
    "wrong types": '{"epoch": "x", "attempt": 5}',
    "numbers beyond": '{"epoch": 1e400, "peak_memory_bytes": ' + "9" * 400 + "}",
    "scores that are none": '{"epoch": 1, "final_tiles": {"t4": 5}}',
    "a matrix that is none": '{"epoch": 1, "final_tiles": {"t4": {"iou": 1, "f1": 1, "confusion": [["x"]]}}}',
}


@pytest.mark.parametrize("file", [DESCRIPTION_FILE, TRIALS_FILE, REPORTS])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_text_is_one_line(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    _path(experiment, file).write_text(text + "\n", errors="surrogateescape")
    begun = time.process_time()
    with pytest.raises(TilesweepError, match=file.rpartition("/")[2].replace(".", r"\.")) as caught:
        _use(experiment, monkeypatch)
    _assert_short(caught.value)
    assert time.process_time() - begun < 20


@pytest.mark.parametrize("file", [DESCRIPTION_FILE, TRIALS_FILE, REPORTS, TEST_SCORES_FILE])
@pytest.mark.parametrize("how", ["pipe", "device", "folder"])
def test_what_is_no_file_is_one_line_and_never_waited_for(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, file: str, how: str
) -> None:
    path = _path(experiment, file)
    path.unlink()
    make: dict[str, Callable[[], None]] = {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
    }
    make[how]()
    with pytest.raises(TilesweepError, match=path.name.replace(".", r"\.")) as caught:
        _use(experiment, monkeypatch)
    _assert_short(caught.value)


def _table(**columns: list[Any]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


TABLES = {
    "empty": b"",
    "text": b"x" * 100,
    "torn": _table(a=[1] * 1000)[:-20],
    "other columns": _table(a=[1]),
    "other types": _table(attempt=["unet"], tile=["t6"], iou=["x"], f1=[0.5]),
    "an empty cell": _table(attempt=["unet"], tile=["t6"], iou=pa.array([None], pa.float64()), f1=[0.5]),
}


@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES)
def test_a_damaged_table_is_one_line(experiment: Experiment, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    _path(experiment, TEST_SCORES_FILE).write_bytes(data)
    with pytest.raises(ExperimentError, match=r"test_scores\.parquet: damaged: .*; restore the file") as caught:
        _use(experiment, monkeypatch)
    _assert_short(caught.value)


def test_a_table_of_an_earlier_version_is_read(experiment: Experiment) -> None:
    _path(experiment, TEST_SCORES_FILE).write_bytes(_table(attempt=["unet"], tile=["t6"], iou=[0.5], f1=[0.5]))
    assert read_test_scores(experiment) == [ScoreRow(attempt="unet", tile="t6", iou=0.5, f1=0.5)]


@pytest.mark.parametrize("data", [None, b"", f"{json.dumps(EPOCH)}\n".encode()])
def test_a_finished_trial_without_its_final_scores_is_one_line(experiment: Experiment, data: bytes | None) -> None:
    if data is None:
        _path(experiment, REPORTS).unlink()
    else:
        _path(experiment, REPORTS).write_bytes(data)
    with pytest.raises(ExperimentError, match=r"unet/reports\.jsonl: lacks the final scores of a trial .*; restore"):
        collect(experiment)
    assert SnapshotReader(experiment).look().trials.rows["unet"].state == "finished"  # status works all the same


def test_a_description_that_vanishes_is_written_again_from_memory(experiment: Experiment) -> None:
    before = experiment.description
    assert not experiment.describe_again(before)
    for damage in (
        lambda: _path(experiment, DESCRIPTION_FILE).unlink(),
        lambda: experiment.write(DESCRIPTION_FILE, b""),
    ):
        damage()
        assert experiment.describe_again(before)
        assert experiment.description == before


@pytest.mark.parametrize("complete", [True, False])
def test_a_driver_whose_description_vanishes_ends_its_sweep_and_says_so(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], complete: bool
) -> None:
    before = experiment.description

    def run(*_: Any) -> RunEnd:
        _path(experiment, DESCRIPTION_FILE).unlink()
        return RunEnd(complete=complete, limit="" if complete else "--time")

    one = Resources(device="cpu", cpus_per_trial=1, gpus_per_trial=0.0, concurrent=1, total_cpus=1, total_gpus=0.0)
    monkeypatch.setattr(driver, "cluster_for", lambda *_: nullcontext(one))
    monkeypatch.setattr(driver, "_run_trials", run)
    options = SweepOptions(storage=experiment.storage.address, address="local")
    assert session.resume_sweep(options, "e", output := open_output()) == 0
    assert complete or "sweep.phase1 --address local --resume e --storage" in output.next_command
    assert "sweep.json: was gone or damaged; written again" in " ".join(capsys.readouterr().out.split())
    ending = {"ended": True} if complete else {"stopped": "--time"}
    assert experiment.description == {**before, "stopped": "", **ending, "data": experiment.description["data"]}
    assert experiment.description["data"]["path"] == before["data"]["path"]


def test_only_an_experiment_is_suggested_and_never_the_same_name(experiment: Experiment) -> None:
    storage, runs = experiment.storage, Path(experiment.path()).parent
    (runs / "phase1-demo").mkdir()
    with pytest.raises(
        ExperimentError, match=r"^--resume phase1-dem: .* holds no experiment 'phase1-dem'; .*known: e$"
    ):
        Experiment.find(storage, "phase1-dem", "--resume")
    with pytest.raises(ExperimentError, match=r"phase1-demo lacks sweep\.json, which says what it is; restore it"):
        Experiment.find(storage, "phase1-demo", "--resume")


def test_a_write_leaves_the_old_or_the_new_content_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is renamed into place has been handed to the disk before."""
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), sync(number)))
    monkeypatch.setattr(Path, "replace", lambda self, target: (calls.append("replace"), replace(self, target))[1])
    storage = Storage.open(str(tmp_path))
    storage.write("a/b", b"1")
    storage.write("a/b", b"2", durable=False)
    assert calls == ["fsync", "replace", "replace"]
    assert storage.read("a/b") == b"2" and storage.files("a") == ["b"]


def test_a_read_is_bounded(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    storage.write("a", b"x" * 11)
    assert storage.read("a", 11) == b"x" * 11 and storage.find("none", 5) is None
    with pytest.raises(StorageError, match="a: holds 11 bytes or more; at most 10 are read"):
        storage.read("a", 10)


def _assert_short(error: TilesweepError) -> None:
    for fault in error.faults:
        assert 20 < len(fault) < 400 and "\n" not in fault and fault.isprintable()


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    with suppress(FileNotFoundError):
        assert not list((tmp_path / "runs").rglob("*.tmp"))
