"""A driver that is alive is never taken for dead: other containers, clocks that are set, files of older versions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from sweep.records import lease as lease_module
from sweep.records.lease import Holder, Lease, TakenError, start_ticks
from trainables.storage import Storage

FILE = "holder.json"
TAKE = """
import sys
from sweep.records import lease
from trainables.storage import Storage
lease.BEAT_SECONDS, lease.SILENT_SECONDS = 0.2, 2.0
try:
    with lease.Lease(Storage.open(sys.argv[1]), "holder.json").held():
        print("took it")
except lease.TakenError as error:
    print("refused:", error)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beat five times a second."""
    monkeypatch.setattr(lease_module, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease_module, "SILENT_SECONDS", 1.0)


def _lease(folder: Path) -> Lease:
    return Lease(Storage.open(str(folder)), FILE)


def _take(folder: Path, *before: str) -> str:
    command = [*before, sys.executable, "-c", TAKE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def _can_unshare() -> bool:
    command = ["unshare", "-p", "-f", "--mount-proc", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not _can_unshare(), reason="may not make a PID namespace here")
def test_a_driver_in_another_pid_namespace_is_alive(tmp_path: Path) -> None:
    with _lease(tmp_path).held() as lease:
        said = _take(tmp_path, "unshare", "-p", "-f", "--mount-proc")
        assert said == f"refused: process {os.getpid()} on {Holder.here().host}"
        assert not lease.lost


def test_a_process_number_of_another_pid_namespace_is_judged_by_its_beat(tmp_path: Path) -> None:
    boot, _, namespace = Holder.here().boot.partition("/")
    assert namespace == str(Path("/proc/self/ns/pid").readlink())
    elsewhere = replace(Holder.here(), boot=f"{boot}/pid:[1]")
    (tmp_path / FILE).write_text(json.dumps(asdict(elsewhere)))
    seen = _lease(tmp_path).look()
    assert seen is not None and seen.alive and not seen.is_here
    started = time.monotonic()
    with _lease(tmp_path).held():
        assert time.monotonic() - started >= 1.0, "it was watched for signs of life"


@pytest.mark.parametrize("step", [-3600.0, 2.0, 3600.0])
def test_a_clock_that_is_set_kills_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    with _lease(tmp_path).held(), monkeypatch.context() as patch:
        real = psutil._pslinux.boot_time()  # type: ignore[attr-defined]
        patch.setattr(psutil._pslinux, "boot_time", lambda: real + step)  # type: ignore[attr-defined]
        clock = time.time
        patch.setattr(time, "time", lambda: clock() + step)
        seen = _lease(tmp_path).look()
        assert seen is not None and seen.alive and seen.is_here
        with pytest.raises(TakenError), _lease(tmp_path).held():
            pass


def test_a_file_without_ticks_is_judged_by_its_beat(tmp_path: Path) -> None:
    values = asdict(Holder.here())
    del values["ticks"]
    (tmp_path / FILE).write_text(json.dumps(values))
    started = time.monotonic()
    with _lease(tmp_path).held():
        assert time.monotonic() - started >= 1.0


def test_a_process_that_has_ended_and_waits_for_its_parent_is_dead(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(Holder.here(), pid=child.pid, ticks=start_ticks(child.pid) or 0)
    (tmp_path / FILE).write_text(json.dumps(asdict(holder)))
    seen = _lease(tmp_path).look()
    assert seen is not None and seen.alive
    child.kill()
    deadline = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    seen = _lease(tmp_path).look()
    assert seen is not None and not seen.alive
    child.wait()


def test_start_ticks_are_those_of_the_process() -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    started = psutil.boot_time() + ticks / os.sysconf("SC_CLK_TCK")
    assert abs(started - psutil.Process().create_time()) < 2
    assert start_ticks(2**22 + 1) is None


@pytest.mark.parametrize(
    "text",
    ["[" * 9_000, '{"pid": ' + "9" * 400 + "}", "5", "null", "\x00" * 20_000, '{"pid": -1, "host": "a"}'],
    ids=["deep", "huge", "number", "null", "large", "negative"],
)
def test_a_damaged_file_keeps_nobody_out(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with _lease(tmp_path).held():
        pass
