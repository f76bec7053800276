"""``--optuna-storage`` and the studies' journal: a database that is locked or away for a while, or for good."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution

from sweep.records.experiment import Experiment
from sweep.search import journal, patient_storage
from sweep.search.journal import JOURNAL_FILE, open_studies, require_new_studies
from trainables.errors import ExperimentError, StorageError
from trainables.storage import Storage

SPACE = {"learning_rate": FloatDistribution(1e-4, 1e-1)}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for two seconds in all."""
    for module in (journal, patient_storage):
        monkeypatch.setattr(module, "RETRY_SECONDS", (0.2,) * 10)


@contextmanager
def _locked(file: Path, seconds: float) -> Iterator[None]:
    """Hold an SQLite file for so long, as a backup or a dashboard does."""
    held = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(file, timeout=10)
        connection.execute("BEGIN EXCLUSIVE")
        held.set()
        time.sleep(seconds)
        connection.rollback()
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        thread.join()


def _url(file: Path) -> str:
    return f"sqlite:///{file}?timeout=0.1"


def _experiment(folder: Path) -> Experiment:
    (folder / "e").mkdir(parents=True, exist_ok=True)
    return Experiment(Storage.open(str(folder)), "e")


def test_a_database_that_is_locked_for_a_while_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    storage = open_studies(_experiment(tmp_path), _url(file))
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize")
    trial = study.ask(SPACE)
    with _locked(file, 1.0):
        trial.report(0.5, 1)
        study.tell(trial, 0.7)
    with _locked(file, 1.0):
        again = optuna.load_study(study_name="s", storage=open_studies(_experiment(tmp_path), _url(file)))
    assert [(one.value, one.intermediate_values) for one in again.trials] == [(0.7, {1: 0.5})]


def test_a_database_that_stays_locked_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    storage = open_studies(_experiment(tmp_path), _url(file))
    trial = optuna.create_study(study_name="s", storage=storage).ask(SPACE)
    with _locked(file, 5.0):
        with pytest.raises(StorageError, match=r"--optuna-storage sqlite.*: is out of reach \(database is locked\)"):
            trial.report(0.5, 1)
        with pytest.raises(ExperimentError, match=r"cannot be opened \(database is locked\)"):
            require_new_studies(_url(file), "e", ["unet"])


def test_a_wrong_address_is_refused_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(ExperimentError, match=r"cannot be opened \(unable to open database file\)"):
        require_new_studies(f"sqlite:///{tmp_path}/none/studies.db", "e", ["unet"])
    assert time.monotonic() - started < 15, "Optuna alone waits for 30 s"


def test_a_lock_that_a_killed_driver_left_costs_a_second(tmp_path: Path) -> None:
    experiment = _experiment(tmp_path)
    (tmp_path / "e" / f"{JOURNAL_FILE}.lock").touch()
    started = time.monotonic()
    optuna.create_study(study_name="s", storage=open_studies(experiment, None))
    assert time.monotonic() - started < 15, "Optuna alone waits for 30 s"
    assert not (tmp_path / "e" / f"{JOURNAL_FILE}.lock").exists()


@pytest.mark.parametrize("planted", ["folder", "link"])
def test_a_planted_lock_is_one_line_or_is_removed(tmp_path: Path, planted: str) -> None:
    experiment = _experiment(tmp_path)
    lock, other = tmp_path / "e" / f"{JOURNAL_FILE}.lock", tmp_path / "other"
    other.write_text("not ours")
    if planted == "folder":
        lock.mkdir()
        with pytest.raises(StorageError, match="cannot be used"):
            open_studies(experiment, None)
    else:
        lock.symlink_to(other)
        open_studies(experiment, None)
        assert not lock.is_symlink()
    assert other.read_text() == "not ours"


def test_a_journal_that_is_deleted_during_a_run_is_one_line(tmp_path: Path) -> None:
    study = optuna.create_study(study_name="s", storage=open_studies(_experiment(tmp_path), None))
    trial = study.ask(SPACE)
    before = (tmp_path / "e" / JOURNAL_FILE).read_bytes()
    (tmp_path / "e" / JOURNAL_FILE).unlink()
    with pytest.raises(StorageError, match=rf"{JOURNAL_FILE}: cannot be used \(No such file or directory\)"):
        trial.report(0.5, 1)
    assert not (tmp_path / "e" / JOURNAL_FILE).exists(), "no new one takes its place"
    (tmp_path / "e" / JOURNAL_FILE).write_bytes(before[:-50])
    with pytest.raises(StorageError, match="replaced by a shorter one"):
        trial.report(0.5, 1)
