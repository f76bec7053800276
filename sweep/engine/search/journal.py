"""Where Optuna's studies lie: a journal in the experiment's folder, or any storage that Optuna knows."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock

from sweep.engine.experiment import Experiment
from trainables.errors import ExperimentError, StorageError

JOURNAL_FILE = "studies.log"
PART_BYTES = 256_000
"""Of a remote journal, which is written in parts: each entry writes the last one anew."""


class RemoteJournal(BaseJournalBackend):
    """A journal in a remote experiment's folder: ``studies.log``, ``studies.log.1``, ``studies.log.2`` and so on.

    One driver writes it, so it is read once.

    Args:
        experiment: Whose folder.
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


def open_studies(experiment: Experiment, url: str | None) -> BaseStorage:
    """Open the storage of an experiment's studies.

    Args:
        experiment: Its folder holds the journal.
        url: An Optuna storage URL to be used instead.

    Raises:
        ExperimentError: The URL cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url:
        return _open_url(url)
    if not experiment.storage.is_local:
        return _open_journal(experiment.path(JOURNAL_FILE), RemoteJournal(experiment))
    path = Path(experiment.path(JOURNAL_FILE))
    path.parent.mkdir(parents=True, exist_ok=True)
    drop_torn_line(path)
    # Symbolic links, the other kind of lock, do not exist on mounted drives.
    return _open_journal(path, JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))


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
            f"{path}: damaged ({type(error).__name__}: {error}); restore the file, or start anew under another --name"
        ) from error


def _open_url(url: str) -> BaseStorage:
    try:
        return optuna.storages.get_storage(url)
    except Exception as error:  # SQLAlchemy's, the driver's and Optuna's own
        raise ExperimentError(
            f"--optuna-storage {hide_password(url)}: cannot be opened ({type(error).__name__}); "
            f"give an Optuna storage URL such as sqlite:///studies.db"
        ) from error


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
            f"--optuna-storage {hide_password(url)}: holds a study {taken[0]!r} already; choose another --name"
        )


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that was being written when its process was killed."""
    if path.exists():
        with path.open("rb+") as file:
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)


def hide_password(url: str) -> str:
    """Return a storage URL that can be shown and stored."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def dashboard_command(experiment: Experiment, url: str | None) -> str:
    """Return the command that shows the studies in a browser."""
    where = hide_password(url) if url else experiment.path(JOURNAL_FILE)
    return f"pip install optuna-dashboard && optuna-dashboard {shlex.quote(where)}"
