"""What a process of ours leaves behind when it is killed, how its owner is known, and its removal by the next command.

| what | where | its owner is named by |
|---|---|---|
| scratch folder | TMPDIR/tilesweep-OWNER-XXXX | its name |
| session of a sweep's own Ray: logs, sockets, spilled objects | Ray's folder/session_* | a file in it |
| half-made dataset, and the one that it replaces | beside the dataset: .NAME.OWNER.new, .old | its name |
| state of a trial, cached features, half written | trial/state/NAME.OWNER.tmp, features/NAME.OWNER.tmp | its name |
| lease of a driver | the storage: .EXPERIMENT.driver.json | itself |

Half-written files are removed where such files are kept: ``trainables/trial_states.py``, ``trainables/features.py``.
Only what belongs to this user and to a process that has certainly ended is removed; links are never followed.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from sweep.records.experiment import Experiment
from sweep.records.lease import Lease
from trainables.documents import DamagedError, read_bounded
from trainables.errors import ExperimentError, StorageError
from trainables.owners import SCRATCH, TAG, Owner, is_own
from trainables.storage import Storage

OWNER_FILE = "tilesweep-owner"
"""In a session's folder of Ray: who started that Ray."""
_LEASE = re.compile(r"\.(?P<name>.+)\.driver\.json")
_MAX_BYTES = 200


def mark_session(folder: Path) -> None:
    """Write into the folder of a Ray session that this process owns it."""
    with suppress(OSError):  # nobody will remove it then
        (folder / OWNER_FILE).write_text(f"{Owner.here().tag}\n", encoding="ascii")


def remove_leftovers(ray_folder: Path) -> list[Path]:
    """Remove scratch folders and Ray's sessions whose owners are gone.

    Returns:
        What was removed.
    """
    abandoned = [*_scratch_folders(Path(tempfile.gettempdir())), *_sessions(ray_folder)]
    for folder in abandoned:
        shutil.rmtree(folder, ignore_errors=True)
    return abandoned


def _scratch_folders(temporary: Path) -> Iterator[Path]:
    name = re.compile(rf"{SCRATCH}(?P<tag>{TAG})-\w+")
    for folder in temporary.glob(f"{SCRATCH}*"):
        if (found := name.fullmatch(folder.name)) and _is_abandoned(folder, Owner.read(found["tag"])):
            yield folder


def _sessions(ray_folder: Path) -> Iterator[Path]:
    for folder in ray_folder.glob("session_*"):
        mark = folder / OWNER_FILE
        if not is_own(folder, folder=True) or not is_own(mark, folder=False):
            continue  # session_latest is a link; others' sessions are theirs
        with suppress(OSError, DamagedError):
            if _is_abandoned(folder, Owner.read(read_bounded(mark, _MAX_BYTES).decode(errors="replace"))):
                yield folder


def _is_abandoned(folder: Path, owner: Owner | None) -> bool:
    return owner is not None and owner.is_gone and is_own(folder, folder=True)


def dataset_name(name: str, owner: Owner, state: Literal["new", "old"]) -> str:
    """Return the name of a dataset that is not in its place: one that is being made, or that it replaces."""
    return f".{name}.{owner.tag}.{state}"


def settle_datasets(parent: Path) -> None:
    """Remove half-made datasets whose makers are gone, and bring back one that was about to be replaced."""
    name = re.compile(rf"\.(?P<name>.+)\.(?P<tag>{TAG})\.(?P<state>new|old)")
    for folder in parent.glob(".*") if parent.is_dir() else ():
        if not (found := name.fullmatch(folder.name)) or not _is_abandoned(folder, Owner.read(found["tag"])):
            continue
        place = parent / found["name"]
        if found["state"] == "old" and not place.exists():
            folder.rename(place)
            logging.getLogger(__name__).warning("%s: brought back; the command that was replacing it died", place)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def remove_leases(storage: Storage) -> list[str]:
    """Remove the leases of drivers that died after their experiment had ended, or before it began.

    That of an unfinished experiment stays: it says that its driver is gone.

    Args:
        storage: The folder that holds experiments; a remote one is left alone.

    Returns:
        The experiments' names.
    """
    if not storage.is_local:
        return []
    removed = []
    with suppress(StorageError):
        for file in storage.files(""):
            found = _LEASE.fullmatch(file)
            if found and _is_over(storage, found["name"]) and Lease.of_driver(storage, found["name"]).release_dead():
                removed.append(found["name"])
    return removed


def _is_over(storage: Storage, name: str) -> bool:
    try:
        experiment = Experiment(storage, name)
        return not experiment.exists or bool(experiment.description.get("ended"))
    except ExperimentError:  # damaged, or no name of an experiment
        return False
