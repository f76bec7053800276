"""``next_replay.json`` in a dataset's folder: what a replay found, which later choices on that dataset follow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired

from typing_extensions import TypedDict

from sweep.next.replay.curves import StrategyCurve
from sweep.records.outputs import sealed, write_files
from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError

REPLAY_FILE = "next_replay.json"
FORMAT = 1


class RecordedCurve(TypedDict):
    """A strategy's curve."""

    name: str
    ious: list[float]
    gain: NotRequired[list[float | None]]
    worth: NotRequired[list[float | None]]


class ReplayRecord(TypedDict):
    """The file."""

    format: int
    fingerprint: str
    strategy: str
    student: str
    draws: int
    folds: int
    seed: int
    budgets: list[int]
    curves: list[RecordedCurve]


def write_replay(
    root: Path,
    curves: Sequence[StrategyCurve],
    *,
    fingerprint: str,
    strategy: str,
    student: str,
    draws: int,
    folds: int,
    seed: int,
    budgets: Sequence[int],
) -> Path:
    """Write the record into a dataset's folder; returns its path.

    Raises:
        ExperimentError: It cannot be written there.
    """
    found: list[RecordedCurve] = []
    for curve in curves:
        one = RecordedCurve(name=curve.name, ious=list(curve.ious))
        if curve.gain is not None:
            one["gain"] = [curve.gain.mean, curve.gain.low, curve.gain.high]
            one["worth"] = list(curve.worth)
        found.append(one)
    record = ReplayRecord(
        format=FORMAT,
        fingerprint=fingerprint,
        strategy=strategy,
        student=student,
        draws=draws,
        folds=folds,
        seed=seed,
        budgets=list(budgets),
        curves=found,
    )
    path = root / REPLAY_FILE
    write_files({path: sealed(json.dumps(record).encode(), ".json")}, flag="", make_folders=False)
    return path


def read_replay(root: Path) -> ReplayRecord | None:
    """Read a dataset's record; None where there is none.

    Raises:
        ExperimentError: It is damaged, or of a newer version.
    """
    path = root / REPLAY_FILE
    if not path.is_file():
        return None
    try:
        found = parse_json(read_bounded(path), ReplayRecord)
    except (OSError, DamagedError) as error:
        raise ExperimentError(f"{path}: damaged ({error}); delete it, and replay again") from error
    if found["format"] > FORMAT:
        raise ExperimentError(f"{path}: written by a newer tilesweep; update tilesweep")
    return found
