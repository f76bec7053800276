"""Pretrained weights on the nodes of a cluster: brought to a storage once, fetched once per node."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from trainables.errors import WeightsError
from trainables.locks import lock_file
from trainables.models.sources import cache
from trainables.models.weights import Weights
from trainables.storage import Storage

FOLDER = ".weights"
"""Where the files are in a storage, each under the name of its sha256."""


def upload(weights: Iterable[Weights], storage: Storage) -> list[str]:
    """Put the files of weights into a storage, unless they are there.

    Args:
        weights: Resolved on this machine; those without a file are passed over.
        storage: Every node reaches it.

    Returns:
        The paths of the files that were copied now.

    Raises:
        StorageError: It cannot be written.
    """
    copied = []
    for digest, path in {one.sha256: one.path for one in weights if one.path}.items():
        if storage.size(_name(digest)) != Path(path).stat().st_size:
            storage.write(_name(digest), Path(path).read_bytes())
            copied.append(path)
    return copied


def fetch_to_node(weights: Weights, storage: Storage | None) -> Weights:
    """Return weights whose file is on this machine, as the driver's digest has it.

    A file that is here at the driver's path is used; else one process of the node fetches it into the cache, the
    others wait, and all use that copy.

    Args:
        weights: Resolved by the driver.
        storage: What ``upload`` filled; None where the driver's files are this machine's.

    Raises:
        WeightsError: The storage's file is not what it should be, or the cache cannot be written.
        StorageError: The storage cannot be read.
    """
    if storage is None or not weights.path or _is_whole(Path(weights.path), weights.sha256):
        return weights
    copy = cache() / "weights" / weights.sha256
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(copy.with_suffix(".lock")):
            if not _is_whole(copy, weights.sha256):
                _fetch(weights, storage, copy)
    except OSError as error:
        raise WeightsError(f"{copy}: cannot be written ({error}); name another cache by TILESWEEP_CACHE") from error
    return replace(weights, path=str(copy))


def _fetch(weights: Weights, storage: Storage, copy: Path) -> None:
    data = storage.read(_name(weights.sha256))
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise WeightsError(f"{storage.path(_name(weights.sha256))}: is damaged; delete it and start the sweep again")
    partial = copy.with_suffix(".part")
    partial.write_bytes(data)
    partial.replace(copy)


def _name(digest: str) -> str:
    return f"{FOLDER}/{digest}"


def _is_whole(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    state = path.stat()
    return _digest(path, state.st_size, state.st_mtime_ns) == sha256


@lru_cache
def _digest(path: Path, _size: int, _changed: int) -> str:
    """Return a file's digest, which is read once per process and state of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
