"""``--out``: what may be there before, and how it is replaced whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.records.choice import CHOICE_FILE
from sweep.records.outputs import is_sealed, require_no_tiles, unwritable
from trainables.errors import ExperimentError

LABELS = ".json"


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
    if not (out / CHOICE_FILE).is_file():
        raise ExperimentError(f"--out {out}: holds what this command has not written; choose another folder")
    if touched := touched_labels(out):
        raise ExperimentError(
            f"--out {out}: holds labels that somebody has worked on, such as {touched[0].name}; choose another folder"
        )
    if not overwrite:
        raise ExperimentError(f"--out {out}: holds an earlier choice; choose another folder, or say --overwrite")


def touched_labels(out: Path) -> list[Path]:
    """Return the files of labels that are not as they were written."""
    found = sorted(path for path in out.glob(f"*/*{LABELS}") if path.is_file())
    return [path for path in found if not is_sealed(path.read_bytes(), LABELS)]


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
        if out.exists():
            shutil.rmtree(out)
        temporary.rename(out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
