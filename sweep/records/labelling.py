"""``label_audit.json`` and ``next.json``: which labels are probably wrong, and which tiles to label next."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, NotRequired, TypeVar, cast

from typing_extensions import TypedDict

from sweep.records.experiment import Experiment
from sweep.records.outputs import is_sealed, sealed
from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError, StorageError
from trainables.storage import Storage

LABEL_AUDIT_FILE, NEXT_FILE = "label_audit.json", "next.json"
AUDIT_FOLDER = "_label_audit"
"""What the folder of a label audit is called after its dataset's name, beside it."""
FORMAT = 1
LARGEST = MIB
MOST_KEPT = 20
"""Findings, and tiles to label, that the files hold, the first ones."""


class FindingShape(TypedDict):
    """A label that is probably wrong; ``score`` is in [0, 1]."""

    tile: str
    split: str
    kind: str
    score: float
    reason: str


class LabelAuditRecord(TypedDict):
    """Which labels are probably wrong: how many of each kind, and the surest.

    ``written`` are the hashes of the files beside it that have no seal of their own, as they were written.
    """

    format: int
    made: str
    fingerprint: str
    model: str
    tiles: int
    kinds: dict[str, int]
    first: list[FindingShape]
    page: str
    written: NotRequired[dict[str, str]]


class ChosenShape(TypedDict):
    """A tile to label; ``entropy`` is in [0, 1]."""

    name: str
    raster: str
    x: int
    y: int
    size: str
    entropy: float


class NextRecord(TypedDict):
    """Which tiles to label next, the first ones; ``chosen`` counts all, ``windows`` what they were chosen from."""

    format: int
    made: str
    fingerprint: str
    strategy: str
    windows: int
    chosen: int
    first: list[ChosenShape]
    page: str


Shape = TypeVar("Shape", LabelAuditRecord, NextRecord)


def audit_folder(patches: Path) -> Path:
    """Return where the label audit of a local dataset is, unless another place was named."""
    return patches.parent / f"{patches.resolve().name}{AUDIT_FOLDER}"


def parse_labelling(content: bytes, shape: type[Shape], name: str) -> Shape:
    """Return what a file holds.

    Args:
        content: Of the file.
        shape: ``LabelAuditRecord`` or ``NextRecord``.
        name: What to call it in an error.

    Raises:
        ExperimentError: It is damaged, or from a newer version.
    """
    try:
        found = parse_json(content, dict[str, Any], LARGEST).get("format")
        if isinstance(found, int) and found > FORMAT:
            raise ExperimentError(f"{name}: written by a newer tilesweep; update tilesweep")
        return cast(Shape, parse_json(content, cast(Any, shape), LARGEST))
    except DamagedError as error:
        raise ExperimentError(f"{name}: damaged ({error}); delete it, and run its command again") from error


def hashes_as_written(path: Path) -> dict[str, str]:
    """Return the hashes of the files that were written with a label audit.

    Args:
        path: Of the record; where it is not there, or not as it was written, nothing is known.

    Returns:
        Name to sha256.
    """
    try:
        content = read_bounded(path, LARGEST)
        if is_sealed(content, path.suffix):
            return parse_labelling(content, LabelAuditRecord, str(path)).get("written", {})
    except (OSError, DamagedError, ExperimentError):
        pass
    return {}


def read_label_audit(patches: Path) -> LabelAuditRecord | None:
    """Return the label audit beside a local dataset; None where there is none.

    Raises:
        ExperimentError: It is damaged, or from a newer version.
    """
    path = audit_folder(patches) / LABEL_AUDIT_FILE
    if not path.is_file():
        return None
    try:
        content = read_bounded(path, LARGEST)
    except (OSError, DamagedError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExperimentError(f"{path}: cannot be read ({reason}); delete it, and run its command again") from error
    return parse_labelling(content, LabelAuditRecord, str(path))


def keep_with(storage: str, name: str, file: str, content: bytes) -> Experiment | None:
    """Write what was found by an experiment's model beside it, so that its report shows it.

    Args:
        storage: As ``--storage`` names it.
        name: The experiment's.
        file: What to call it there.
        content: JSON, which is sealed.

    Returns:
        The experiment; None where there is none of that name, or it cannot be written.
    """
    with suppress(ExperimentError, StorageError):
        experiment = Experiment(Storage.open(storage), name)
        if experiment.exists:
            experiment.write(file, sealed(content, ".json"))
            return experiment
    return None
