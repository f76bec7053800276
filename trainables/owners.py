"""Which process owns a file or folder that it did not live to delete, and whether that process is gone."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

TAG = r"(?P<pid>[1-9][0-9]{0,9})-(?P<ticks>[0-9]{1,20})-(?P<space>[0-9a-f]{12})"
"""What ``Owner.tag`` looks like, in a file's name or in a file."""
SCRATCH = "tilesweep-"


def process_space() -> str:
    """Return which boot of which machine this is, and which PID namespace: containers share the first two."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = str(int(psutil.boot_time()))
    with suppress(OSError):
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    return boot


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the boot.

    ``psutil.Process.create_time`` is that plus the boot time by the wall clock, which moves when the clock is set.

    Args:
        pid: A process id of this PID namespace.

    Returns:
        None where there is no such process, or where the system does not say.

    Source: proc_pid_stat(5), field 22; the name in field 2 may hold blanks and brackets.
    """
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def lives(pid: int, ticks: int) -> bool | None:
    """Whether the process lives that had an id of this PID namespace and started so many ticks after the boot.

    Returns:
        None where that is not known, as where ``ticks`` is 0: the id may be another process's by now.
    """
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False  # has ended; nobody has asked for its exit code yet
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return None
    now = start_ticks(pid)
    return None if now is None or not ticks else now == ticks


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process, known for good.

    Attributes:
        pid: Its process id, at least 1.
        ticks: When it started, in clock ticks since the boot; 0 where the system does not say.
        space: Hash of where its process id means something: host, boot and PID namespace.
    """

    pid: int
    ticks: int
    space: str

    @classmethod
    def here(cls) -> Owner:
        """Return this process."""
        return cls(pid=os.getpid(), ticks=start_ticks(os.getpid()) or 0, space=_space())

    @classmethod
    def read(cls, tag: str) -> Owner | None:
        """Return the process that a tag names; None where it is no tag."""
        found = re.fullmatch(TAG, tag.strip())
        if found is None:
            return None
        return cls(pid=int(found["pid"]), ticks=int(found["ticks"]), space=found["space"])

    @property
    def tag(self) -> str:
        """The process in the letters of a file's name, at most 45 of them."""
        return f"{self.pid}-{self.ticks}-{self.space}"

    @property
    def is_gone(self) -> bool:
        """Whether the process has certainly ended; one of another machine or container never has, seen from here."""
        return self.space == _space() and bool(self.ticks) and lives(self.pid, self.ticks) is False


@cache
def _space() -> str:
    return hashlib.sha256(f"{socket.gethostname()}/{process_space()}".encode()).hexdigest()[:12]


def unfinished_name(path: str) -> str:
    """Return the name under which this process writes a file before it takes its place."""
    return f"{path}.{Owner.here().tag}.tmp"


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file of a folder that is there; a reader sees the old or the new content and nothing between.

    Args:
        path: The file.
        data: Its content.
        durable: Wait until the disk has it.

    Raises:
        OSError: It cannot be written; what was written of it is removed.
    """
    temporary = Path(unfinished_name(str(path)))
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()  # a full disk gets its room back
        raise


def is_abandoned(name: str) -> bool:
    """Whether a file's name is one of ``unfinished_name``, of a process that has certainly ended."""
    found = re.fullmatch(rf".*\.(?P<tag>{TAG})\.tmp", name)
    owner = Owner.read(found["tag"]) if found else None
    return owner is not None and owner.is_gone


def is_own(path: Path, *, folder: bool) -> bool:
    """Whether a path is this user's, and a folder or a plain file as asked for; a link is neither."""
    try:
        status = path.lstat()
    except OSError:
        return False
    kind = stat.S_ISDIR if folder else stat.S_ISREG
    return status.st_uid == os.getuid() and kind(status.st_mode)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder that names its owner, and delete it when the block ends."""
    prefix = f"{SCRATCH}{Owner.here().tag}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
