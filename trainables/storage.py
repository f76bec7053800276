"""Where results are: a local folder or any URI that pyarrow's filesystems know."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from trainables.documents import DamagedError, read_bounded
from trainables.errors import ExperimentError, StorageError
from trainables.owners import write_whole
from trainables.secrets import hide_secret

DEFAULT_STORAGE = "ray_results"
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between the tries on a storage behind a network; a dropped connection is back by then, or it is gone."""
FLAT = ("s3", "gcs")
"""Stores that know no folders: to make those above a file took several requests, more than the file itself."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Storage:
    """A folder: the one that holds experiments, an experiment's, or a trial's.

    Attributes:
        filesystem: How to reach it.
        root: Its path on that filesystem.
        address: What ``open`` takes and users see.
    """

    filesystem: pafs.FileSystem
    root: str
    address: str

    @classmethod
    def open(cls, address: str, flag: str = "--storage") -> Storage:
        """Open a folder or URI.

        Args:
            address: ``ray_results``, ``/data/runs``, ``s3://bucket/path?endpoint_override=...``.
            flag: What the user gave it to, for messages.

        Raises:
            ExperimentError: An unknown kind of URI, or one with a secret.
        """
        if "://" not in address:
            try:
                path = str(Path(address).expanduser().resolve())
            except (OSError, ValueError, RuntimeError) as error:  # a null byte, no home, links in a circle
                raise ExperimentError(f"{flag} {address!r}: {_first_line(error)}; give a folder or a URI") from error
            return cls(pafs.LocalFileSystem(), path, path)
        if (shown := hide_secret(address)) != address:
            raise ExperimentError(
                f"{flag} {shown}: would write its secret into every record; give it by the environment, such as "
                f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        try:
            filesystem, root = _reach(address)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise ExperimentError(f"{flag} {address}: {_first_line(error)}; give a folder or s3://, gs://") from error
        return cls(filesystem, root, address)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def require_writable(self) -> None:
        """Create the folder if need be and try to write in it.

        Raises:
            StorageError: It cannot be written.
        """
        probe = f"{self.root}/.tilesweep-{os.getpid()}"
        try:
            self.filesystem.create_dir(self.root, recursive=True)
            with self.filesystem.open_output_stream(probe) as stream:
                stream.write(b"")
            self.filesystem.delete_file(probe)
        except OSError as error:
            raise StorageError(
                f"--storage {self.address}: cannot write there ({_first_line(error)}); choose another folder"
            ) from error

    def create(self) -> None:
        """Create the folder if need be.

        Raises:
            StorageError: It cannot be created.
        """
        self._insist(lambda: self.filesystem.create_dir(self.root, recursive=True), "", "created")

    def child(self, name: str) -> Storage:
        """Return a folder inside."""
        root = f"{self.root}/{name}"
        if self.is_local:
            return Storage(self.filesystem, root, root)
        base, _, query = self.address.partition("?")
        return Storage(self.filesystem, root, f"{base.rstrip('/')}/{name}" + (f"?{query}" if query else ""))

    def path(self, relative: str) -> str:
        """Return a file's path on the filesystem."""
        return f"{self.root}/{relative}"

    def has(self, relative: str) -> bool:
        """Whether a file or folder is there.

        Raises:
            StorageError: The storage cannot be reached; likewise below.
        """
        info = self._insist(lambda: self.filesystem.get_file_info(self.path(relative)), relative, "read")
        return bool(info.type != pafs.FileType.NotFound)

    def read(self, relative: str, limit: int | None = None) -> bytes:
        """Read a file whole.

        Args:
            relative: The file.
            limit: Bytes that it may hold; None for any number.

        Raises:
            StorageError: It is not there or cannot be read, is a pipe or a device, or holds more.
        """

        def read() -> bytes:
            if self.is_local:
                path = Path(self.path(relative))
                return read_bounded(path, max(1, path.stat().st_size) if limit is None else limit)
            with self.filesystem.open_input_stream(self.path(relative), compression=None) as stream:
                data: bytes = stream.read()
                return data

        try:
            return self._insist(read, relative, "read")
        except DamagedError as error:
            raise StorageError(f"{self.path(relative)}: {error}; restore the file") from error

    def find(self, relative: str, limit: int | None = None) -> bytes | None:
        """Read a file whole; None where there is none. See ``read``.

        Raises:
            StorageError: It is there and cannot be read.
        """
        try:
            return self.read(relative, limit)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def changed(self, relative: str) -> float | None:
        """Return when a file was written, in seconds since 1970 by the storage's clock; None where there is none."""
        info = self._insist(lambda: self.filesystem.get_file_info(self.path(relative)), relative, "read")
        return None if info.mtime_ns is None else info.mtime_ns / 1e9

    def write(self, relative: str, data: bytes, *, durable: bool = True) -> None:
        """Write a file; a reader sees the old or the new content and nothing between.

        Folders inside are made; this one is not: where it has vanished, an empty one in its place would hide that.

        Args:
            relative: The file.
            data: Its content.
            durable: Wait until a folder's disk has it, so that a power cut leaves the old or the new content, never an
                empty file. Object stores publish a file when it is whole.

        Raises:
            StorageError: It cannot be written.
        """
        path = self.path(relative)

        def write() -> None:
            if self.filesystem.type_name not in FLAT:
                self.filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(path, compression=None) as stream:
                stream.write(data)

        replace = partial(self._replace, Path(path), data, durable=durable)
        self._insist(replace if self.is_local else write, relative, "written")

    def _replace(self, path: Path, data: bytes, *, durable: bool) -> None:
        """Write a file of a folder under a temporary name and rename it."""
        if not Path(self.root).is_dir():
            raise FileNotFoundError(f"the folder {self.root} is gone")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, durable=durable)

    def append(self, relative: str, data: bytes, before: bytes) -> None:
        """Add to a file that nobody else writes. Object stores know no appending, so there it is written whole.

        Args:
            relative: The file, which need not be there yet.
            data: What to add.
            before: What it holds already.

        Raises:
            StorageError: It cannot be written.
        """
        if not self.is_local:
            self.write(relative, before + data)
            return
        path = self.path(relative)

        def append() -> None:
            if not Path(self.root).is_dir():
                raise FileNotFoundError(f"the folder {self.root} is gone")
            self.filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            with self.filesystem.open_append_stream(path, compression=None) as stream:
                stream.write(data)

        self._insist(append, relative, "written")

    def delete(self, relative: str) -> None:
        """Delete a file; one that is not there is no error."""

        def delete() -> None:
            with suppress(FileNotFoundError):
                self.filesystem.delete_file(self.path(relative))

        self._insist(delete, relative, "deleted")

    def files(self, relative: str) -> list[str]:
        """List the names of the files directly inside a folder, sorted; empty where there is no folder."""
        selector = pafs.FileSelector(self.path(relative), allow_not_found=True)
        infos = self._insist(lambda: self.filesystem.get_file_info(selector), relative, "listed")
        return sorted(info.base_name for info in infos if info.is_file)

    def names(self) -> list[str]:
        """List the folders directly inside, most recently changed first."""
        selector = pafs.FileSelector(self.root, allow_not_found=True)
        infos = self._insist(lambda: self.filesystem.get_file_info(selector), "", "listed")
        folders = [info for info in infos if info.type == pafs.FileType.Directory]
        return [info.base_name for info in sorted(folders, key=lambda info: info.mtime_ns or 0, reverse=True)]

    def size(self, relative: str) -> int:
        """Return the bytes of a file, or of everything below a folder; 0 where nothing is there."""
        itself = self._insist(lambda: self.filesystem.get_file_info(self.path(relative)), relative, "read")
        if itself.is_file:
            return int(itself.size)
        selector = pafs.FileSelector(self.path(relative), recursive=True, allow_not_found=True)
        infos = self._insist(lambda: self.filesystem.get_file_info(selector), relative, "listed")
        return sum(info.size for info in infos if info.is_file)

    def free_bytes(self) -> int | None:
        """Return the room that is left; None for a remote storage, which does not say."""
        if not self.is_local:
            return None
        place = Path(self.root)
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free

    def _insist(self, action: Callable[[], Result], relative: str, done: str) -> Result:
        """Do something with a file; where a network is between, again after a while if it fails."""
        for pause in (*(() if self.is_local else RETRY_SECONDS), None):
            try:
                return action()
            except OSError as error:
                if pause is None or isinstance(error, FileNotFoundError | PermissionError):
                    fix = "; make room or choose another --storage" if done == "written" else ""
                    raise StorageError(
                        f"{self.path(relative)}: cannot be {done} ({_first_line(error)}){fix}"
                    ) from error
                time.sleep(pause)
        raise AssertionError("unreachable")


def _reach(address: str) -> tuple[pafs.FileSystem, str]:
    """Return a URI's filesystem and path; S3's sends a small file in one request, where it would take three."""
    if address.startswith("s3://") and "allow_delayed_open" not in address:
        with suppress(pa.ArrowInvalid):  # an earlier pyarrow, which does not know it; or what the next line tells
            return _from_uri(f"{address}{'&' if '?' in address else '?'}allow_delayed_open=true")
    return _from_uri(address)


def _from_uri(uri: str) -> tuple[pafs.FileSystem, str]:
    filesystem, root = pafs.FileSystem.from_uri(uri)
    return filesystem, root


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
