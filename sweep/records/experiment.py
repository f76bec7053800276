"""``Experiment``: reads and writes everything under one experiment's folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sweep.records.shapes import MAX_DESCRIPTION, MAX_TABLE, DescriptionShape, VersionShape, parse_table
from trainables.documents import DamagedError, parse_json
from trainables.errors import ExperimentError, nearest
from trainables.invocation import command
from trainables.storage import DEFAULT_STORAGE, Storage

DESCRIPTION_FILE = "sweep.json"
LEDGER_FILE = "test_ledger.jsonl"
FORMAT = 1
SUGGESTED = 50
"""Folders that are looked at, the last ones first, for an experiment that may have been meant."""
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
    """One Ray Tune run: a folder under a storage, local or remote."""

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
            raise ExperimentError(
                f"{storage.address}: holds no experiment; run {command('phase1', '--profile', 'demo')} first"
            )
        experiment = cls(storage, name)
        if not experiment.exists:
            said = f"{flag} {name}: " if flag else ""
            if storage.has(name):
                raise ExperimentError(
                    f"{said}{experiment.address} lacks {DESCRIPTION_FILE}, which says what it is; restore it"
                )
            folders = [one for one in storage.names() if _NAME.fullmatch(one)][:SUGGESTED]
            known = [one for one in folders if cls(storage, one).exists]
            hint = nearest(name, known) if known else "there is none yet"
            raise ExperimentError(f"{said}{storage.address} holds no experiment {name!r}; {hint}")
        return experiment

    def require_own(self, *, trusted: bool) -> None:
        """Refuse to resume what another user wrote.

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
        return command(name, *arguments, self.name, *self.storage_words)

    @property
    def storage_words(self) -> list[str]:
        """The words of a command that name the storage; none for the default one."""
        is_default = self.storage.address == Storage.open(DEFAULT_STORAGE).address
        return [] if is_default else ["--storage", self.storage.address]

    @property
    def exists(self) -> bool:
        """Whether its description has been written."""
        return self.has(DESCRIPTION_FILE)

    @property
    def has_ended(self) -> bool:
        """Whether it has begun, and nothing of it is left to do."""
        return self.exists and bool(self.description["ended"])

    def path(self, relative: str = "") -> str:
        """Return the path of a file of the experiment on the storage's filesystem."""
        return self.storage.path(f"{self.name}/{relative}".rstrip("/"))

    def has(self, relative: str) -> bool:
        """Whether a file or folder is there."""
        return self.storage.has(f"{self.name}/{relative}")

    def changed(self, relative: str) -> float | None:
        """Return when a file was written, in seconds since 1970 by the storage's clock; None where there is none."""
        return self.storage.changed(f"{self.name}/{relative}")

    def read(self, relative: str, limit: int | None = None) -> bytes:
        """Read a file whole; an ``ExperimentError`` where that fails, or where it holds more than a limit of bytes."""
        return self.storage.read(f"{self.name}/{relative}", limit)

    def find_file(self, relative: str, limit: int | None = None) -> bytes | None:
        """Read a file whole; None where there is none."""
        return self.storage.find(f"{self.name}/{relative}", limit)

    def write(self, relative: str, data: bytes, *, durable: bool = True) -> None:
        """Write a file, whole or not at all; an ``ExperimentError`` where that fails. See ``Storage.write``."""
        self.storage.write(f"{self.name}/{relative}", data, durable=durable)

    def write_table(self, relative: str, table: pa.Table, *, durable: bool = False) -> None:
        """Write a Parquet file; most are gathered again whenever they are needed, so that they may be lost."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self.write(relative, sink.getvalue().to_pybytes(), durable=durable)

    def read_table(self, relative: str, schema: pa.Schema | None = None, required: Collection[str] = ()) -> pa.Table:
        """Read a Parquet file.

        Raises:
            ExperimentError: It cannot be read, is none, or its columns are others.
        """
        try:
            return parse_table(self.read(relative, MAX_TABLE), schema, required)
        except DamagedError as error:
            raise ExperimentError(f"{self.path(relative)}: damaged: {error}; restore the file") from error

    def describe(self, description: dict[str, Any]) -> None:
        """Write what the experiment is: its trials, data, options, environment."""
        text = json.dumps({"format": FORMAT, **description}, indent=2)
        self.write(DESCRIPTION_FILE, text.encode())

    def describe_again(self, description: dict[str, Any]) -> bool:
        """Write the description where it has been deleted or damaged since; returns whether that was so."""
        try:
            _ = self.description
        except ExperimentError:
            self.describe(description)
            return True
        return False

    @property
    def description(self) -> dict[str, Any]:
        """What ``describe`` wrote; what an earlier version did not write is empty.

        Raises:
            ExperimentError: It is damaged or from a newer version.
        """
        data = self.read(DESCRIPTION_FILE, MAX_DESCRIPTION)
        try:
            found = parse_json(data, DescriptionShape, MAX_DESCRIPTION)
            newer = found["format"] > FORMAT
        except DamagedError as error:
            newer = _is_newer(data)
            if not newer:
                raise ExperimentError(f"{self.address}/{DESCRIPTION_FILE}: damaged ({error}); restore it") from error
        if newer:
            raise ExperimentError(f"{self.address}: written by a newer tilesweep; update tilesweep")
        origin = {"command": "", "gpus": [], "packages": {}, **found.get("provenance", {})}
        return {"options": {}, "optuna_storage": None, "code": {}, **found, "provenance": origin}


def _is_newer(data: bytes) -> bool:
    try:
        return parse_json(data, VersionShape, MAX_DESCRIPTION)["format"] > FORMAT
    except DamagedError:
        return False
