"""Lock files that follow no link and touch nothing that is not a lock."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class LockedError(Exception):
    """Somebody else holds the lock."""


class UnusableLockError(OSError):
    """Something that is no lock file has its name; the message names it and says what it is."""


@contextmanager
def lock_file(path: Path, timeout: float = -1) -> Iterator[None]:
    """Hold a lock among this machine's processes during the block.

    Args:
        path: The lock file, which is made where it is not there, and stays empty.
        timeout: Seconds to wait; negative for any time.

    Raises:
        LockedError: It is still held.
        UnusableLockError: A folder, a link or a file with content has its name; it is left as it is.
        OSError: It cannot be made.
    """
    _require_lock(path)
    lock = FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockedError(str(path)) from error
    try:
        yield
    finally:
        lock.release()


def _require_lock(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    what = ""
    if stat.S_ISLNK(found.st_mode):
        what = "a link"
    elif not stat.S_ISREG(found.st_mode):
        what = "a folder or a device"
    elif found.st_nlink > 1 or (found.st_size and not _is_marker(path)):
        what = "another file"
    if what:
        raise UnusableLockError(f"{path}: is {what} where an empty lock file belongs; remove it")


def _is_marker(path: Path) -> bool:
    """Whether it is what filelock writes on filesystems that know no locks: a process's id and its machine."""
    with path.open("rb") as file:
        first, line_end, _ = file.read(1024).partition(b"\n")
    return bool(line_end) and first.isdigit()
