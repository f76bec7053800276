"""Whether source files stayed as they were while they were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from trainables.errors import DataError

Stamps = Mapping[Path, tuple[int, int]]
"""File to its size and the time of its last change, in nanoseconds."""


def stamps_of(files: Iterable[Path]) -> Stamps:
    """Return what tells whether files change; those that are not there, and folders, are left out."""
    return {path: stamp for path in dict.fromkeys(files) if (stamp := _stamp(path))}


def require_unchanged(stamps: Stamps) -> None:
    """Refuse files that have changed.

    Raises:
        DataError: Which ones.
    """
    if changed := [path for path, stamp in stamps.items() if _stamp(path) != stamp]:
        raise DataError(
            f"{path}: changed while it was read; wait until whatever writes it has ended, and run again"
            for path in changed
        )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if path.is_file() else None
