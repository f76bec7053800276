"""Where Optuna's studies are: a journal in the experiment's folder, or any storage that Optuna knows."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock

from sweep.records.experiment import Experiment
from sweep.search.patient_storage import AWAY, first_cause, patient
from trainables.errors import ExperimentError, StorageError
from trainables.secrets import hide_secret
from trainables.storage import RETRY_SECONDS

JOURNAL_FILE = "studies.log"
LOCK_SUFFIX = ".lock"
"""What Optuna adds to a journal's name for its lock."""
PART_BYTES = 256_000
"""Of a remote journal, which is written in parts: each entry writes the last one again."""


class RemoteJournal(BaseJournalBackend):
    """A journal in a remote experiment's folder: ``studies.log``, ``studies.log.1``, ``studies.log.2`` and so on.

    One driver writes it, so it is read once.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._lines: list[str] = []
        self._part = 0
        self._text = ""  # of the last part
        while (data := experiment.find_file(self._file)) is not None:
            self._text = data.decode()
            self._lines += self._text.splitlines()
            self._part += 1
        self._part = max(0, self._part - 1)

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the entries from a number on."""
        return (json.loads(line) for line in self._lines[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries; object stores know no appending, so the last part is written whole."""
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        self._lines += lines
        if len(self._text) > PART_BYTES:
            self._part, self._text = self._part + 1, ""
        self._text += "".join(f"{line}\n" for line in lines)
        self._experiment.write(self._file, self._text.encode())

    @property
    def _file(self) -> str:
        return f"{JOURNAL_FILE}.{self._part}" if self._part else JOURNAL_FILE


class LocalJournal(JournalFileBackend):
    """A journal on this machine, whose loss is a storage's loss and no bug."""

    def __init__(self, path: Path) -> None:
        # Symbolic links, the other kind of lock, do not exist on mounted drives.
        super().__init__(str(path), lock_obj=JournalFileOpenLock(str(path)))
        self._path = path
        self._size = 0

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Return the entries from a number on.

        Raises:
            StorageError: The file is gone or cannot be read.
        """
        try:
            yield from super().read_logs(log_number_from)
        except OSError as error:
            raise _unusable(self._path, error) from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries.

        Raises:
            StorageError: The file cannot be written.
        """
        try:
            if self._path.stat().st_size < self._size:
                raise OSError("it was replaced by a shorter one")
            super().append_logs(logs)  # would make a new file in place of one that is gone
            self._size = self._path.stat().st_size
        except OSError as error:
            raise _unusable(self._path, error) from error


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be used ({error.strerror or error}); bring the file back")


def _release_stale_lock(lock: Path) -> None:
    """Remove the lock of a process that was killed while it wrote.

    The experiment's lease says that no other driver is alive. Another program, such as optuna-dashboard, holds the lock
    for milliseconds; one that stays for a second is nobody's.
    """
    if not os.path.lexists(lock):
        return
    seen = lock.lstat().st_mtime_ns
    time.sleep(1.0)
    with suppress(FileNotFoundError):
        if lock.lstat().st_mtime_ns == seen:
            lock.unlink()


def open_studies(experiment: Experiment, url: str | None) -> BaseStorage:
    """Open the storage of an experiment's studies.

    Args:
        experiment: Its folder holds the journal.
        url: An Optuna storage URL to be used instead.

    Raises:
        ExperimentError: The journal is damaged, or the URL is none of Optuna's.
        StorageError: The journal or the database cannot be used; it may come back.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url:
        return _open_known_url(url)
    if not experiment.storage.is_local:
        return _open_journal(experiment.path(JOURNAL_FILE), RemoteJournal(experiment))
    path = Path(experiment.path(JOURNAL_FILE))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        drop_torn_line(path)
        _release_stale_lock(Path(f"{path}{LOCK_SUFFIX}"))
        return _open_journal(path, LocalJournal(path))
    except OSError as error:
        raise _unusable(path, error) from error


def _open_journal(path: object, backend: BaseJournalBackend) -> BaseStorage:
    """Read a journal.

    Raises:
        ExperimentError: It is damaged.
    """
    try:
        return JournalStorage(backend)
    except StorageError:
        raise
    except Exception as error:  # whatever its replay stumbles over
        raise ExperimentError(
            f"{path}: damaged ({type(error).__name__}: {error}); restore the file, or start again under another --name"
        ) from error


def _open_url(url: str) -> BaseStorage:
    """Open a database that must be there now: a wrong address is no reason to wait.

    Raises:
        ExperimentError: It cannot be opened.
    """
    name = f"--optuna-storage {hide_secret(url)}"
    try:
        return patient(optuna.storages.get_storage(url), name)
    except Exception as error:  # SQLAlchemy's, the driver's and Optuna's own
        raise ExperimentError(
            f"{name}: cannot be opened ({first_cause(error)}); give an Optuna storage URL such as sqlite:///studies.db"
        ) from error


def _open_known_url(url: str) -> BaseStorage:
    """Open a database that was there before, again after a while where it is locked or away.

    Raises:
        StorageError: It does not come back.
    """
    for pause in RETRY_SECONDS:
        try:
            return _open_url(url)
        except ExperimentError as error:
            if not isinstance(error.__cause__, AWAY):
                raise
            time.sleep(pause)
    try:
        return _open_url(url)
    except ExperimentError as error:
        raise StorageError(str(error)) from error


def study_name(experiment: str, group: str) -> str:
    """Return the name of a group's study; one storage may serve many experiments."""
    return f"{experiment}/{group}"


def require_new_studies(url: str, experiment: str, groups: Iterable[str]) -> None:
    """Refuse a storage that cannot be opened, or that has studies of these names from elsewhere.

    Raises:
        ExperimentError: As said.
    """
    known = set(optuna.get_all_study_names(_open_url(url)))
    if taken := [name for group in groups if (name := study_name(experiment, group)) in known]:
        raise ExperimentError(
            f"--optuna-storage {hide_secret(url)}: holds a study {taken[0]!r} already; choose another --name"
        )


def holds_studies(url: str, experiment: str) -> bool:
    """Whether a storage holds studies of an experiment.

    Raises:
        ExperimentError: It cannot be opened.
    """
    return any(name.startswith(study_name(experiment, "")) for name in optuna.get_all_study_names(_open_url(url)))


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that was being written when its process was killed."""
    if path.exists():
        with path.open("rb+") as file:
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)


def dashboard_command(experiment: Experiment, url: str | None) -> str:
    """Return the command that shows the studies in a browser."""
    where = hide_secret(url) if url else experiment.path(JOURNAL_FILE)
    return f"pip install optuna-dashboard && optuna-dashboard {shlex.quote(where)}"
