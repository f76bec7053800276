"""One holder at a time: alive ones are named, dead ones are followed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sweep.records import lease as lease_module
from sweep.records.lease import Holder, Lease, TakenError
from trainables.storage import Storage

FILE = "holder.json"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beat every tenth of a second."""
    monkeypatch.setattr(lease_module, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(lease_module, "SILENT_SECONDS", 0.5)


def _lease(folder: Path) -> Lease:
    return Lease(Storage.open(str(folder)), FILE)


def _write(folder: Path, holder: Holder) -> None:
    (folder / FILE).write_text(json.dumps(asdict(holder)))


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    with _lease(tmp_path).held(), pytest.raises(TakenError) as caught, _lease(tmp_path).held():
        pass
    assert caught.value.holder.pid == Holder.here().pid
    assert not (tmp_path / FILE).exists(), "it is given back"
    with _lease(tmp_path).held():
        pass


def test_a_dead_process_does_not_keep_it(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    _write(tmp_path, replace(Holder.here(), pid=child.pid))
    with _lease(tmp_path).held():
        pass


def test_another_process_with_the_same_number_does_not_keep_it(tmp_path: Path) -> None:
    _write(tmp_path, replace(Holder.here(), ticks=Holder.here().ticks - 1))
    with _lease(tmp_path).held():
        pass


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"boot": "before the power failed"}])
def test_a_silent_holder_of_another_machine_is_taken_for_dead(tmp_path: Path, elsewhere: dict[str, str]) -> None:
    _write(tmp_path, replace(Holder.here(), **elsewhere))
    started = time.monotonic()
    with _lease(tmp_path).held():
        assert time.monotonic() - started >= 0.5


def test_a_holder_of_another_machine_that_shows_life_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _lease(tmp_path).held(), monkeypatch.context() as patch:
        patch.setattr(lease_module, "_lives_here", lambda holder: None)
        with pytest.raises(TakenError), _lease(tmp_path).held():
            pass


def test_a_torn_file_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"host": "a", "pi')
    with _lease(tmp_path).held():
        pass


def test_a_holder_notices_that_it_was_followed_and_leaves_the_other_alone(tmp_path: Path) -> None:
    with _lease(tmp_path).held() as lease:
        _write(tmp_path, replace(Holder.here(), token="another", host="far"))
        deadline = time.monotonic() + 5
        while not lease.lost and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "far took over" in lease.lost
    assert (tmp_path / FILE).exists()


def test_a_vanished_storage_is_noticed(tmp_path: Path) -> None:
    with _lease(tmp_path).held() as lease:
        (tmp_path / FILE).unlink()
        deadline = time.monotonic() + 5
        while not lease.lost and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "vanished" in lease.lost
