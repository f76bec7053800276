"""``--out``: what may be there before, and how it is replaced whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from typing_extensions import TypedDict

from sweep.records.choice import CHOICE_FILE
from sweep.records.outputs import is_sealed, require_no_tiles, sealed, sha256_of, unused_beside, unwritable
from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError

LABELS = ".json"
WRITTEN_FILE = ".written.json"
"""Hashes of all other files of a choice: what a person has changed or added is never replaced."""


class WrittenFiles(TypedDict):
    """What ``WRITTEN_FILE`` holds: path within the folder to sha256."""

    files: dict[str, str]


def require_ours(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds anything but an earlier choice that nobody has worked on.

    Raises:
        ExperimentError: As said.
    """
    require_no_tiles(out, f"--out {out}")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ExperimentError(f"--out {out}: exists already and is no folder; name a folder")
    if not out.exists() or not any(out.iterdir()):
        return
    another = f"say --out {quote(str(unused_beside(out)))}"
    if not (out / CHOICE_FILE).is_file():
        raise ExperimentError(f"--out {out}: holds what this command has not written; {another}")
    if touched := touched_files(out):
        raise ExperimentError(
            f"--out {out}: holds files that somebody has worked on, such as {touched[0].relative_to(out)}; {another}"
        )
    if not overwrite:
        raise ExperimentError(f"--out {out}: holds an earlier choice; {another}, or --overwrite replaces it")


def touched_files(out: Path) -> list[Path]:
    """Return the files that are not as they were written, and those that somebody has added.

    Earlier versions kept no hashes: of their folders, labels alone are looked at, by their seals.
    """
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.name != WRITTEN_FILE)
    written = _read_written(out / WRITTEN_FILE)
    if written is None:
        labels = [path for path in files if path.suffix == LABELS and path.parent.parent == out]
        return [path for path in labels if not is_sealed(path.read_bytes(), LABELS)]
    return [path for path in files if written.get(path.relative_to(out).as_posix()) != sha256_of(path)]


def _read_written(path: Path) -> dict[str, str] | None:
    """Return the hashes of a folder's files as they were written; None where they are gone or edited."""
    try:
        content = read_bounded(path, MIB)
        return parse_json(content, WrittenFiles)["files"] if is_sealed(content, LABELS) else None
    except (OSError, DamagedError):
        return None


def _write_written(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    (folder / WRITTEN_FILE).write_bytes(sealed(json.dumps({"files": hashes}).encode(), LABELS))


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Give a folder to write into, and put it into the place of another one when the block ends well.

    Raises:
        ExperimentError: It cannot be written.
    """
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _write_written(temporary)
        if out.exists():
            shutil.rmtree(out)
        temporary.rename(out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
