"""``next.json``: which windows were chosen to be labelled, from which rasters, and how."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired

from typing_extensions import TypedDict

from sweep.records.outputs import sealed
from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError

CHOICE_FILE = "next.json"
FORMAT = 1
MAX_BYTES = 64 * 2**20


class ChosenWindow(TypedDict):
    """A window that was chosen.

    ``source`` is what a manifest says of a tile's origin; ``transform`` and ``crs`` as there.
    """

    name: str
    source: str
    scene: str
    transform: NotRequired[list[float]]
    crs: NotRequired[str]
    metres_per_pixel: NotRequired[float]


class Choice(TypedDict):
    """The file."""

    format: int
    strategy: str
    model: str
    patches: str
    windows: list[ChosenWindow]


def choice_bytes(strategy: str, model: str, patches: str, windows: Sequence[ChosenWindow]) -> bytes:
    """Return the file's content, sealed."""
    values = Choice(format=FORMAT, strategy=strategy, model=model, patches=patches, windows=list(windows))
    return sealed(json.dumps(values).encode(), ".json")


def read_choice(folder: Path) -> Choice | None:
    """Read a folder's file; None where there is none.

    Raises:
        ExperimentError: It is damaged, or of a newer version.
    """
    path = folder / CHOICE_FILE
    if not path.is_file():
        return None
    try:
        found = parse_json(read_bounded(path, MAX_BYTES), Choice, MAX_BYTES)
    except (OSError, DamagedError) as error:
        raise ExperimentError(f"{path}: damaged ({error}); restore it: it says where tiles are") from error
    if found["format"] > FORMAT:
        raise ExperimentError(f"{path}: written by a newer tilesweep; update tilesweep")
    return found
