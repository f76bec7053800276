"""A dataset that is at a URI: each split is fetched once into this machine's cache."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.fs as pafs

from trainables.data.manifest import MANIFEST_FILE
from trainables.errors import DataError, StorageError
from trainables.locks import lock_file
from trainables.models.sources import cache
from trainables.storage import Storage

_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/+(?P<rest>.+)")


def is_remote(patches: Path) -> bool:
    """Whether a dataset is at a URI."""
    return _uri(patches) is not None


def dataset_address(patches: Path) -> str:
    """Return where a dataset is, as it is stored: its URI, else its absolute path."""
    return _uri(patches) or str(patches.resolve())


def count_files(patches: Path, splits: Sequence[str]) -> int:
    """Return how many files, the manifest left out, the splits of a dataset at a URI have; fetches none.

    Raises:
        DataError: It cannot be listed.
        ExperimentError: An unknown kind of URI, or one with a password.
    """
    uri = dataset_address(patches)
    try:
        return sum(info.base_name != MANIFEST_FILE for info in _listed(Storage.open(uri, "--patches"), splits))
    except (OSError, StorageError) as error:
        raise DataError(f"--patches {uri}: cannot be listed ({' '.join(str(error).split())})") from error


def local_copy(patches: Path, splits: Sequence[str]) -> Path:
    """Return a folder of this machine that holds some splits of a dataset, and its manifest.

    A folder is returned as it is. What is at a URI is fetched whole under a temporary name and then renamed, one
    process at a time. The copy is found again by names, sizes and times of the files there, so what has changed is
    fetched again, and nothing else is. Only these splits are fetched: whoever trains never holds the test tiles.

    Args:
        patches: A folder, or a URI that pyarrow knows, such as ``s3://bucket/tiles``. A ``Path`` keeps one of the two
            slashes, which does.
        splits: Which splits are needed.

    Raises:
        DataError: There is nothing, or it cannot be fetched.
        ExperimentError: An unknown kind of URI, or one with a password.
    """
    if (uri := _uri(patches)) is None:
        return patches
    storage = Storage.open(uri, "--patches")
    try:
        files = _listed(storage, splits)
        if not files:
            raise DataError(f"--patches {uri}: holds no {' or '.join(splits)} split; fix the URI")
        listing = "\n".join(f"{info.path} {info.size} {info.mtime_ns}" for info in files)
        key = hashlib.sha256(f"{uri}\n{listing}".encode()).hexdigest()[:16]
        copy = cache() / "tiles" / key / Path(storage.root).name
        copy.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(copy.parent.with_suffix(".lock")):
            if not copy.is_dir():
                _fetch(storage, files, copy)
    except OSError as error:
        raise DataError(f"--patches {uri}: cannot be fetched ({' '.join(str(error).split())})") from error
    except StorageError as error:
        raise DataError(f"--patches {uri}: cannot be fetched ({error})") from error
    return copy


def _uri(patches: Path) -> str | None:
    matched = _URI.fullmatch(str(patches))
    if matched is None or patches.exists():
        return None
    slashes = ":///" if matched["scheme"] == "file" else "://"  # file:// names no host
    return f"{matched['scheme']}{slashes}{matched['rest']}"


def _listed(storage: Storage, splits: Sequence[str]) -> list[pafs.FileInfo]:
    """List the splits' files and the manifest, sorted by path."""
    found = []
    for split in splits:
        selector = pafs.FileSelector(storage.path(split), recursive=True, allow_not_found=True)
        found += [info for info in storage.filesystem.get_file_info(selector) if info.is_file]
    manifest = storage.filesystem.get_file_info(storage.path(MANIFEST_FILE))
    if found and manifest.is_file:
        found.append(manifest)
    return sorted(found, key=lambda info: info.path)


def _fetch(storage: Storage, files: Sequence[pafs.FileInfo], copy: Path) -> None:
    partial = copy.parent / f".{copy.name}.part"
    shutil.rmtree(partial, ignore_errors=True)
    for info in files:
        target = partial / Path(info.path).relative_to(storage.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = storage.read(target.relative_to(partial).as_posix())
        if len(content) != info.size:
            raise OSError(f"{info.path} changed while it was read; try again")
        target.write_bytes(content)
    partial.rename(copy)
