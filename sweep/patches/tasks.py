"""``--task FILE``: what masks mean, as a person writes it down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.errors import DataError
from trainables.task import IGNORE, Task

MAX_BYTES = MIB


def read_task(path: Path) -> Task:
    """Read a task from a JSON file: the object that a manifest's ``task`` holds.

    Raises:
        DataError: Not there, no JSON, or no task.
    """
    shape = 'it reads {"kind": "multiclass", "classes": ["land", "road"], ...}, see docs/your-data.md'
    try:
        values = parse_json(read_bounded(path, MAX_BYTES), dict[str, object], MAX_BYTES)
    except FileNotFoundError as error:
        raise DataError(f"--task {path}: no such file; {shape}") from error
    except OSError as error:
        raise DataError(f"--task {path}: cannot be read ({error.strerror}); {shape}") from error
    except DamagedError as error:
        raise DataError(f"--task {path}: not readable as JSON ({error}); {shape}") from error
    try:
        return Task.from_dict(values)
    except DataError as error:
        raise DataError(f"--task {path}: {fault.removeprefix('task: ')}" for fault in error.faults) from error


def as_written(task: Task) -> Task:
    """Return the task of masks that were read by another one and written as indices: nothing is left to remap."""
    ignores = task.ignores or IGNORE in task.remap.values()
    return replace(task, remap={}, ignores=ignores)
