"""The code that goes with a driver to the nodes of a running cluster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweep.ray_tune.jobs import job_environment
from trainables.models.own_names import FILE
from trainables.models.own_source import CARRIED, carried, source_of
from trainables.owners import scratch_folder

PACKAGES = ("trainables", "search_spaces", "sweep")


@contextmanager
def code_modules(architectures: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Make the part of a Ray runtime environment that brings this process's code to every node.

    That is tilesweep itself (1 MB) and, for each architecture that a user wrote in a file, the Python files of its
    folder. Ray uploads them once and stores them by their content.

    Yields:
        ``py_modules``; nothing where the job that this process is in brings modules of its own.
    """
    if "py_modules" in job_environment():
        yield {}
        return
    root = Path(__file__).resolve().parents[2]
    with scratch_folder() as scratch:
        modules = [str(root / name) for name in PACKAGES]
        paths = {source_of(name).path for name in architectures if FILE.fullmatch(name)} - {None}
        for path in paths:
            assert path is not None
            _copy_sources(path.parent, (scratch / carried(path)).parent)
        if paths:
            modules.append(str(scratch / CARRIED))
        yield {"py_modules": modules}


def _copy_sources(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.py"):
        shutil.copy(path, target / path.name)
