"""``--task FILE``: what masks mean, as a person writes it down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from trainables.errors import DataError
from trainables.task import IGNORE, Task


def read_task(path: Path) -> Task:
    """Read a task from a JSON file: the object that a manifest's ``task`` holds.

    Args:
        path: The file.

    Raises:
        DataError: Not there, no JSON, or no task.
    """
    shape = 'it reads {"kind": "multiclass", "classes": ["land", "road"], ...}, see docs/your-data.md'
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"--task {path}: no such file; {shape}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"--task {path}: not readable as JSON ({error}); {shape}") from error
    if not isinstance(values, dict):
        raise DataError(f"--task {path}: holds no object; {shape}")
    try:
        return Task.from_dict(values)
    except DataError as error:
        raise DataError(f"--task {path}: {fault.removeprefix('task: ')}" for fault in error.faults) from error
    except (TypeError, ValueError) as error:
        raise DataError(f"--task {path}: makes no task ({error}); {shape}") from error


def as_written(task: Task) -> Task:
    """Return the task of masks that were read by another one and written as indices: nothing is left to remap."""
    ignores = task.ignores or IGNORE in task.remap.values()
    return replace(task, remap={}, ignores=ignores)
