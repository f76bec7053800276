"""What a killed process leaves behind is removed by the next command, and nothing that anybody may still need."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from sweep.patches.folders import new_dataset
from sweep.records.lease import Holder, Lease
from sweep.records.leftovers import OWNER_FILE, dataset_name, mark_session, remove_leases, remove_leftovers
from tests.conftest import ROOT, WriteDataset
from tests.reports import begin_experiment
from trainables.errors import DataError
from trainables.features import FeatureCache
from trainables.owners import Owner, scratch_folder, start_ticks, unfinished_name
from trainables.storage import Storage
from trainables.trial_states import TrialStates


@pytest.fixture
def dead() -> Owner:
    """A process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(Owner.here(), pid=child.pid, ticks=start_ticks(child.pid) or 0)
    assert not owner.is_gone
    child.kill()
    child.wait()
    return owner


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TMPDIR."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _others() -> Iterator[Owner]:
    """Processes that live, or of which nothing is known here."""
    here = Owner.here()
    yield here
    yield replace(here, pid=2**22 + 1, space="0" * 12)  # of another machine or container
    yield replace(here, pid=2**22 + 1, ticks=0)  # of a system that does not say


def test_an_owner_is_known_by_more_than_its_number(dead: Owner) -> None:
    here = Owner.here()
    assert Owner.read(here.tag) == here and not here.is_gone
    assert replace(here, ticks=here.ticks - 1).is_gone, "the number was used again"
    assert dead.is_gone and not any(one.is_gone for one in _others())
    assert Owner.read("1-2") is None and Owner.read("") is None and Owner.read(f"x{here.tag}") is None


def test_a_process_that_nobody_has_waited_for_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(Owner.here(), pid=child.pid, ticks=start_ticks(child.pid) or 0)
    os.kill(child.pid, 9)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_gone
    child.wait()


def test_scratch_folders_of_the_dead_are_removed(temporary: Path, dead: Owner, tmp_path: Path) -> None:
    gone = temporary / f"tilesweep-{dead.tag}-abc_d"
    (gone / "inner").mkdir(parents=True)
    kept = [temporary / f"tilesweep-{owner.tag}-abcd" for owner in _others()]
    kept += [temporary / "tilesweep-abcd", temporary / f"other-{dead.tag}-abcd"]
    for folder in kept:
        folder.mkdir()
    target = tmp_path / "target"
    target.mkdir()
    link = temporary / f"tilesweep-{dead.tag}-link"
    link.symlink_to(target)
    assert remove_leftovers(tmp_path / "none") == [gone]
    assert sorted(temporary.iterdir()) == sorted([*kept, link]) and target.is_dir()


def test_what_a_link_inside_points_to_is_kept(temporary: Path, dead: Owner, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    gone = temporary / f"tilesweep-{dead.tag}-abcd"
    gone.mkdir()
    (gone / "link").symlink_to(precious)
    remove_leftovers(tmp_path / "none")
    assert not gone.exists() and (precious / "file").read_text() == "mine"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_kept(temporary: Path, dead: Owner, tmp_path: Path) -> None:
    folder = temporary / f"tilesweep-{dead.tag}-abcd"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    assert remove_leftovers(tmp_path / "none") == [] and folder.is_dir()


def test_a_process_that_is_killed_leaves_a_folder_that_the_next_one_removes(temporary: Path, tmp_path: Path) -> None:
    code = "from trainables.owners import scratch_folder\nwith scratch_folder(): print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout and child.stdout.readline()
    (left,) = temporary.iterdir()
    assert remove_leftovers(tmp_path / "none") == [], "it lives"
    child.kill()
    child.wait()
    assert remove_leftovers(tmp_path / "none") == [left] and not left.exists()


def test_a_scratch_folder_goes_with_its_block(temporary: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == temporary and Owner.here().tag in folder.name
    assert not folder.exists()


def test_sessions_of_ray_that_we_started_are_removed_when_their_driver_is_dead(
    temporary: Path, dead: Owner, tmp_path: Path
) -> None:
    ray = tmp_path / "ray"
    ours, own, strange, damaged = (ray / f"session_2026-01-0{day}_00-00-00_000000_{day}" for day in (1, 2, 3, 4))
    for folder in (ours, own, strange, damaged):
        (folder / "logs").mkdir(parents=True)
    (ours / OWNER_FILE).write_text(f"{dead.tag}\n")
    mark_session(own)
    (damaged / OWNER_FILE).write_bytes(bytes(10_000))
    (ray / "session_latest").symlink_to(ours)
    (ray / "prom_metrics_service_discovery.json").write_text("[]")
    assert remove_leftovers(ray) == [ours]
    left = {"session_latest", "prom_metrics_service_discovery.json", own.name, strange.name, damaged.name}
    assert {path.name for path in ray.iterdir()} == left


def test_a_half_made_dataset_is_removed_by_the_next_maker(tmp_path: Path, dead: Owner) -> None:
    half = tmp_path / dataset_name("tiles", dead, "new")
    living = tmp_path / dataset_name("tiles", Owner.here(), "new")
    for folder in (half, living):
        (folder / "train").mkdir(parents=True)
    with new_dataset(tmp_path / "others", force=False) as folder:
        (folder / "train" / "images" / "a.png").write_bytes(b"")
    assert {path.name for path in tmp_path.iterdir()} == {living.name, "others"}


def test_a_dataset_whose_replacement_died_is_brought_back(
    tmp_path: Path, dead: Owner, write_dataset: WriteDataset, caplog: pytest.LogCaptureFixture
) -> None:
    write_dataset(tmp_path / "tiles")
    (tmp_path / "tiles").rename(tmp_path / dataset_name("tiles", dead, "old"))
    (tmp_path / dataset_name("tiles", dead, "new")).mkdir()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(DataError, match="exists already"),
        new_dataset(tmp_path / "tiles", force=False),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["tiles"] and (tmp_path / "tiles" / "test").is_dir()
    assert f"{tmp_path / 'tiles'}: brought back" in caplog.text


def test_a_dataset_that_was_replaced_is_removed(tmp_path: Path, dead: Owner, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "tiles")
    old = tmp_path / dataset_name("tiles", dead, "old")
    old.mkdir()
    with new_dataset(tmp_path / "others", force=False):
        pass
    assert not old.exists() and (tmp_path / "tiles").is_dir()


def _lease(storage: Storage, name: str, holder: Holder) -> str:
    file = f".{name}.driver.json"
    storage.write(file, json.dumps(asdict(holder)).encode())
    return file


def test_leases_of_ended_experiments_go_with_their_dead_drivers(tmp_path: Path, dead: Owner) -> None:
    storage = Storage.open(str(tmp_path))
    gone = replace(Holder.here(), pid=dead.pid, ticks=dead.ticks)
    living = Holder.here()
    for name, ended in (("ended", True), ("unfinished", False), ("running", True)):
        begin_experiment(tmp_path, name=name, ended=ended)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "sweep.json").write_text("{")
    for name in ("ended", "unfinished", "damaged", "never-begun"):
        _lease(storage, name, gone)
    _lease(storage, "running", living)
    _lease(storage, "elsewhere", replace(gone, boot="another", host="another"))
    assert sorted(remove_leases(storage)) == ["ended", "never-begun"]
    left = {path.name for path in tmp_path.glob(".*.driver.json")}
    assert left == {f".{name}.driver.json" for name in ("unfinished", "damaged", "running", "elsewhere")}


def test_a_state_that_was_being_written_is_removed_when_the_trial_starts_again(tmp_path: Path, dead: Owner) -> None:
    states = TrialStates(Storage.open(str(tmp_path)))
    (tmp_path / "state").mkdir()
    name = "epoch-00003-0123456789abcdef.pt"
    half = tmp_path / "state" / f"{name}.{dead.tag}.tmp"
    living = Path(unfinished_name(str(tmp_path / "state" / name)))
    for path in (half, living):
        path.write_bytes(b"half")
    assert states.newest() == (None, [])
    assert list((tmp_path / "state").iterdir()) == [living]
    states.clear()
    assert list((tmp_path / "state").iterdir()) == [], "the trial will never go on"


def test_features_that_were_being_written_are_removed(tmp_path: Path, dead: Owner) -> None:
    half, other = tmp_path / f"key.{dead.tag}.tmp", tmp_path / "key.tmp"
    for path in (half, other):
        path.write_bytes(b"half")
    store = FeatureCache(tmp_path, limit_bytes=10**6)
    store.get("other", lambda: {"other": [torch.zeros(3)]})
    assert {path.name for path in tmp_path.iterdir()} == {other.name, "other.safetensors"}


def test_a_hundred_experiments_leave_sixteen_lock_files_at_most(temporary: Path, tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path / "results"))
    storage.create()
    for number in range(100):
        with Lease.of_driver(storage, f"sweep-{number}").held():
            pass
    assert len(list(temporary.iterdir())) <= 16
