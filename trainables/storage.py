"""Where results lie: a local folder or any URI that pyarrow's filesystems know."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

from trainables.errors import ExperimentError

DEFAULT_STORAGE = "ray_results"


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
    def open(cls, address: str) -> Storage:
        """Open a folder or URI.

        Args:
            address: ``ray_results``, ``/data/runs``, ``s3://bucket/path?endpoint_override=...``.

        Raises:
            ExperimentError: An unknown kind of URI.
        """
        if "://" not in address:
            path = str(Path(address).expanduser().resolve())
            return cls(pafs.LocalFileSystem(), path, path)
        try:
            filesystem, root = pafs.FileSystem.from_uri(address)
        except (pa.ArrowInvalid, OSError) as error:
            raise ExperimentError(
                f"--storage {address}: {_first_line(error)}; give a folder or s3://, gs://"
            ) from error
        return cls(filesystem, root, address)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def require_writable(self) -> None:
        """Create the folder if need be and try to write in it.

        Raises:
            ExperimentError: It cannot be written.
        """
        probe = f"{self.root}/.tilesweep-{os.getpid()}"
        try:
            self.filesystem.create_dir(self.root, recursive=True)
            with self.filesystem.open_output_stream(probe) as stream:
                stream.write(b"")
            self.filesystem.delete_file(probe)
        except OSError as error:
            raise ExperimentError(
                f"--storage {self.address}: cannot write there ({_first_line(error)}); choose another folder"
            ) from error

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
        """Whether a file or folder is there."""
        info = self.filesystem.get_file_info(self.path(relative))
        return bool(info.type != pafs.FileType.NotFound)

    def read(self, relative: str) -> bytes:
        """Read a file whole.

        Raises:
            ExperimentError: It is not there or cannot be read.
        """
        try:
            with self.filesystem.open_input_stream(self.path(relative), compression=None) as stream:
                data: bytes = stream.read()
                return data
        except OSError as error:
            raise ExperimentError(f"{self.path(relative)}: cannot be read ({_first_line(error)})") from error

    def write(self, relative: str, data: bytes) -> None:
        """Write a file; a reader sees the old or the new content and nothing between.

        Raises:
            ExperimentError: It cannot be written.
        """
        path = self.path(relative)
        # Object stores publish a file when it is closed; folders need the detour over a temporary name.
        target = f"{path}.{os.getpid()}.tmp" if self.is_local else path
        try:
            self.filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(target, compression=None) as stream:
                stream.write(data)
            if target != path:
                self.filesystem.move(target, path)
        except OSError as error:
            raise ExperimentError(
                f"{path}: cannot be written ({_first_line(error)}); make room or choose another --storage"
            ) from error

    def delete(self, relative: str) -> None:
        """Delete a file; one that is not there is no error."""
        with suppress(FileNotFoundError):
            self.filesystem.delete_file(self.path(relative))

    def files(self, relative: str) -> list[str]:
        """List the names of the files directly inside a folder, sorted; empty where there is no folder."""
        selector = pafs.FileSelector(self.path(relative), allow_not_found=True)
        return sorted(info.base_name for info in self.filesystem.get_file_info(selector) if info.is_file)

    def names(self) -> list[str]:
        """List the folders directly inside, most recently changed first."""
        selector = pafs.FileSelector(self.root, allow_not_found=True)
        folders = [info for info in self.filesystem.get_file_info(selector) if info.type == pafs.FileType.Directory]
        return [info.base_name for info in sorted(folders, key=lambda info: info.mtime_ns or 0, reverse=True)]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
