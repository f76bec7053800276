"""``Experiment``: reads and writes everything under one experiment's folder."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainables.errors import ExperimentError, nearest
from trainables.invocation import call
from trainables.invocation import words as call_words
from trainables.storage import DEFAULT_STORAGE, Storage

DESCRIPTION_FILE = "sweep.json"
FORMAT = 1
REQUIRED = ("phase", "profile", "ended", "data", "plan")
"""What every description holds."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def is_name(name: str) -> bool:
    """Whether an experiment can be called so; other folders of a storage are none of ours."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, flag: str = "--name") -> str:
    """Return the name if it can be a folder's and cannot leave its parent.

    Raises:
        ExperimentError: It cannot.
    """
    if not is_name(name):
        raise ExperimentError(
            f"{flag} {name!r}: a name starts with a letter or digit and holds up to 100 letters, digits, '.', '_', '-'"
        )
    return name


class Experiment:
    """One Ray Tune run: a folder under a storage, local or remote.

    Args:
        storage: The folder that holds experiments.
        name: The experiment's name.
    """

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage = storage
        self.name = check_name(name)

    @classmethod
    def find(cls, storage: Storage, name: str | None, flag: str = "") -> Experiment:
        """Open an existing experiment.

        Args:
            storage: The folder that holds experiments.
            name: Its name, or None for the one that changed last.
            flag: What the user typed before the name, for the message.

        Raises:
            ExperimentError: There is none; the nearest name is suggested.
        """
        if name is None:
            for recent in storage.names():
                if _NAME.fullmatch(recent) and cls(storage, recent).exists:
                    return cls(storage, recent)
            raise ExperimentError(f"{storage.address}: holds no experiment; run {call('phase1')} --profile demo first")
        experiment = cls(storage, name)
        if not experiment.exists:
            known = [other for other in storage.names() if not other.startswith(".")]
            hint = nearest(name, known) if known else "there is none yet"
            said = f"{flag} {name}: " if flag else ""
            raise ExperimentError(f"{said}{storage.address} holds no experiment {name!r}; {hint}")
        return experiment

    def require_own(self, *, trusted: bool) -> None:
        """Refuse to go on with what another user wrote.

        Args:
            trusted: The user wants it all the same.

        Raises:
            ExperimentError: The folder belongs to somebody else; a remote storage does not say whose it is.
        """
        if self.storage.is_local and not trusted and (owner := Path(self.path()).stat().st_uid) != os.getuid():
            raise ExperimentError(
                f"{self.address}: belongs to another user ({owner}); look at its sweep.json, then say --trust-owner"
            )

    @property
    def address(self) -> str:
        """The experiment's folder or URI, for people and for Ray."""
        return self.storage.child(self.name).address

    def folder(self, attempt: str) -> Storage:
        """Return the folder of one trial."""
        return self.storage.child(self.name).child(attempt)

    def command(self, name: str, *arguments: str) -> str:
        """Return a command on this experiment, ready to be pasted: ``python -m sweep.score NAME``."""
        words = [*call_words(name), *arguments, self.name]
        if self.storage.address != Storage.open(DEFAULT_STORAGE).address:
            words += ["--storage", self.storage.address]
        return shlex.join(words)

    @property
    def exists(self) -> bool:
        """Whether its description has been written."""
        return self.has(DESCRIPTION_FILE)

    def path(self, relative: str = "") -> str:
        """Return the path of a file of the experiment on the storage's filesystem."""
        return self.storage.path(f"{self.name}/{relative}".rstrip("/"))

    def has(self, relative: str) -> bool:
        """Whether a file or folder is there."""
        return self.storage.has(f"{self.name}/{relative}")

    def read(self, relative: str) -> bytes:
        """Read a file whole; an ``ExperimentError`` where that fails."""
        return self.storage.read(f"{self.name}/{relative}")

    def find_file(self, relative: str) -> bytes | None:
        """Read a file whole; None where there is none."""
        return self.storage.find(f"{self.name}/{relative}")

    def write(self, relative: str, data: bytes) -> None:
        """Write a file, whole or not at all; an ``ExperimentError`` where that fails."""
        self.storage.write(f"{self.name}/{relative}", data)

    def write_table(self, relative: str, table: pa.Table) -> None:
        """Write a Parquet file."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self.write(relative, sink.getvalue().to_pybytes())

    def read_table(self, relative: str) -> pa.Table:
        """Read a Parquet file."""
        # pq.read_table starts a thread even for these small tables, which can abort a process that ends right after it
        # (apache/arrow#34314).
        return pq.ParquetFile(pa.BufferReader(self.read(relative))).read(use_threads=False)

    def describe(self, description: dict[str, Any]) -> None:
        """Write what the experiment is: its trials, data, options, environment."""
        text = json.dumps({"format": FORMAT, **description}, indent=2)
        self.write(DESCRIPTION_FILE, text.encode())

    @property
    def description(self) -> dict[str, Any]:
        """What ``describe`` wrote.

        Raises:
            ExperimentError: It is damaged or from a newer version.
        """
        try:
            description: dict[str, Any] = json.loads(self.read(DESCRIPTION_FILE))
            newer = description["format"] > FORMAT
            if missing := [name for name in REQUIRED if name not in description]:
                raise KeyError(missing[0])
        except (ValueError, KeyError, TypeError) as error:
            raise ExperimentError(f"{self.address}/{DESCRIPTION_FILE}: damaged ({error}); restore it") from error
        if newer:
            raise ExperimentError(f"{self.address}: written by a newer tilesweep; update tilesweep")
        return description
