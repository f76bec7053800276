"""``manifest.json``: what a dataset is, and the hash of every file in it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NotRequired, TypeVar

from typing_extensions import TypedDict

from trainables.data.imagery import Imagery
from trainables.documents import DamagedError, check, parse_json, read_bounded
from trainables.errors import DataError
from trainables.escaping import visible
from trainables.invocation import call
from trainables.task import Task

MANIFEST_FILE = "manifest.json"
METRES, _METRES_BEFORE = "metres per pixel", "metres a pixel"
"""Key of a dataset's sheet that says how large its pixels are, and how older experiments have it."""
FORMAT = 1
MAX_BYTES = 512 * 2**20
"""Bytes of a manifest; one of 300,000 files has some 90 million."""
MAX_TEXT = 10_000
"""Letters of a name or a sentence in it."""
MAX_PATH = 1_000
"""Letters of a file's path inside the dataset; of each part filesystems allow 255 bytes."""
MAX_PART = 255
_Part = TypeVar("_Part", Task, Imagery)
SplitOrigin = Literal["published", "chosen", "automatic"]
"""Who divided the tiles: whoever published them, whoever made the dataset, or a program."""


class _Entry(TypedDict):
    sha256: str
    scene: NotRequired[str]
    width: NotRequired[int]
    height: NotRequired[int]
    source: NotRequired[str]
    row: NotRequired[int]
    column: NotRequired[int]
    transform: NotRequired[list[float]]
    crs: NotRequired[str]
    metres_per_pixel: NotRequired[float]
    foreground: NotRequired[float]
    shares: NotRequired[dict[str, float]]


class _Leak(TypedDict):
    first: str
    second: str
    how: str


class _Version(TypedDict):
    version: str
    manifest_sha256: str
    tiles: dict[str, int]
    added: list[str]
    chosen_by: str


class _Values(TypedDict):
    """What the file holds."""

    format: int
    name: str
    origin: str
    licence: str
    version: str
    synthetic: bool
    splits: dict[str, list[str]]
    files: dict[str, _Entry]
    ground_sample_distance_m: NotRequired[float | None]
    notes: NotRequired[dict[str, object]]
    leaks: NotRequired[list[_Leak] | None]
    same_ground: NotRequired[list[_Leak] | None]
    split_origin: NotRequired[SplitOrigin | None]
    task: NotRequired[dict[str, object]]
    imagery: NotRequired[dict[str, object]]
    history: NotRequired[list[_Version]]


@dataclass(frozen=True, kw_only=True)
class DatasetVersion:
    """A dataset as it was, and what the next version has in addition.

    Attributes:
        version: Its name.
        manifest_sha256: Hex digest of its manifest.
        tiles: Split to how many tiles it had.
        added: Names of the tiles that came next.
        chosen_by: The strategy that chose them; empty where a person did, or nobody has said.
    """

    version: str
    manifest_sha256: str
    tiles: Mapping[str, int]
    added: tuple[str, ...]
    chosen_by: str


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Two tiles that show the same ground and should not: they are of different splits, or of different scenes.

    Attributes:
        first: Path of one image inside the dataset.
        second: Path of the other.
        how: What they have in common.
    """

    first: str
    second: str
    how: str

    def __str__(self) -> str:
        return f"{self.first} and {self.second}: {self.how}"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A dataset's description.

    Attributes:
        name: The dataset's name, for tables.
        origin: Where the tiles come from, in a sentence.
        licence: Under which terms, as an SPDX name where there is one.
        version: The dataset's version.
        synthetic: Whether a program drew the tiles.
        ground_sample_distance_m: Metres per pixel, or None where unknown.
        splits: Split to tile names.
        files: Path inside the dataset to ``sha256``, ``width``, ``height``, ``source``, and of several tiles of one
            raster ``row`` and ``column``; for an image ``scene``, where that is known, and where it is georeferenced
            ``transform`` (six numbers, from the tile's columns and rows to the ground: x = a col + b row + c, y = d col
            + e row + f), ``crs`` and ``metres_per_pixel``; for a mask ``foreground`` (share
            of foreground pixels, in [0, 1]) or, in a multi-class task, ``shares`` a class.
        notes: Anything else worth knowing.
        leaks: Tiles of different splits that show the same ground; None where nobody has looked.
        same_ground: Tiles of train and val, of one split and different scenes, that show the same ground; None where
            nobody has looked.
        split_origin: Who divided the tiles; None where nobody has said.
        task: What the masks mean.
        imagery: What the images hold; 8-bit RGB is not written down.
        history: The versions before this one, the first first; empty for the first one, and not written down then.
    """

    name: str
    origin: str
    licence: str
    version: str
    synthetic: bool
    splits: Mapping[str, list[str]]
    files: Mapping[str, Mapping[str, Any]]
    ground_sample_distance_m: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    leaks: tuple[Leak, ...] | None = None
    same_ground: tuple[Leak, ...] | None = None
    split_origin: SplitOrigin | None = None
    task: Task = field(default_factory=Task)
    imagery: Imagery = field(default_factory=Imagery)
    history: tuple[DatasetVersion, ...] = ()

    @property
    def sheet(self) -> dict[str, str]:
        """What a reader of results has to know of the data; what is unknown is left out."""
        distance = self.ground_sample_distance_m
        known = {
            "origin": self.origin,
            "licence": self.licence,
            "version": self.version,
            METRES: "" if distance is None else f"{distance:g}",
        }
        return {name: text for name, text in known.items() if text}

    def sha256(self, path: str) -> str | None:
        """Return the recorded hash of a file, None where there is none."""
        return self.files.get(path, {}).get("sha256")

    def scene(self, image: str) -> str | None:
        """Return the recorded scene of an image file, None where there is none."""
        return self.files.get(image, {}).get("scene")

    def write(self, root: Path) -> None:
        """Write it into a dataset's folder."""
        values = {"format": FORMAT, **asdict(self), "task": self.task.to_dict(), "imagery": self.imagery.to_dict()}
        if self.imagery == Imagery():
            del values["imagery"]
        if not self.history:
            del values["history"]
        text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False)
        (root / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, root: Path) -> Manifest | None:
        """Read a dataset's manifest; None where it has none.

        Raises:
            DataError: It is damaged, from a newer version, or names a file outside the dataset.
        """
        path = root / MANIFEST_FILE
        if not path.exists():
            return None
        fix = f"restore it, or delete it and run {call('patches')} check"
        try:
            found = parse_json(read_bounded(path, MAX_BYTES), dict[str, object], MAX_BYTES)
            if check(found, _Format)["format"] > FORMAT:
                raise DataError(f"{path}: written by a newer tilesweep; update tilesweep")
            if unknown := found.keys() - _Values.__annotations__.keys():
                raise DamagedError(f"{visible(min(unknown)[:40])!r} is no field of it")
            values: dict[str, Any] = {**check(found, _Values), "files": found["files"]}
            _require_plain(values)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); {fix}") from error
        except DamagedError as error:
            raise DataError(f"{path}: damaged ({error}); {fix}") from error
        del values["format"]
        for pairs in ("leaks", "same_ground"):
            if values.get(pairs) is not None:
                values[pairs] = tuple(Leak(**pair) for pair in values[pairs])
        values["history"] = tuple(
            DatasetVersion(**{**step, "added": tuple(step["added"])}) for step in values.get("history", ())
        )
        if "task" in values:
            values["task"] = _read(Task, path, values["task"])
        if "imagery" in values:
            values["imagery"] = _read(Imagery, path, values["imagery"])
        names = Counter(name for split in values["splits"].values() for name in split)
        if twice := next((name for name, count in names.items() if count > 1), None):
            raise DataError(f"{path}: tile {twice!r} is listed in two splits; keep it in one")
        return cls(**values)


class _Format(TypedDict):
    format: int


def _require_plain(values: Mapping[str, Any]) -> None:
    """Refuse values of the right type that nobody could use.

    Raises:
        DamagedError: A path that leads out of the dataset, a text that no terminal shows, a number that is none.
    """
    texts = [(name, values[name]) for name in ("name", "origin", "licence", "version")]
    texts += [(name, step[name]) for step in values.get("history", ()) for name in ("version", "chosen_by")]
    texts += [("history", name) for step in values.get("history", ()) for name in step["added"]]
    texts += [("splits", name) for split in values["splits"].values() for name in split]
    texts += [("scene", entry["scene"]) for entry in values["files"].values() if "scene" in entry]
    for name, text in texts:
        if len(text) > MAX_TEXT or not text.isprintable() or (name == "scene" and not text):
            raise DamagedError(f"{name} is {visible(text[:40])!r}, no printable text of at most {MAX_TEXT} letters")
    for text in values["files"]:
        parts = text.split("/")
        if not parts[0] or ".." in parts:
            raise DamagedError(f"names {visible(text[:80])!r}, which is outside the dataset")
        if len(text) > MAX_PATH or not text.isprintable() or max(len(part.encode()) for part in parts) > MAX_PART:
            raise DamagedError(f"names {visible(text[:40])!r}, which is no name of a file")
    for entry in values["files"].values():
        matrix = entry.get("transform", (1, 0, 0, 0, 1, 0))
        if len(matrix) != 6 or not all(map(math.isfinite, matrix)) or not matrix[0] * matrix[4] - matrix[1] * matrix[3]:
            raise DamagedError(f"transform is {visible(str(matrix)[:80])}, no six numbers that lead to the ground")
        if not 0 < entry.get("metres_per_pixel", 1.0) < math.inf:
            raise DamagedError(f"metres_per_pixel is {entry['metres_per_pixel']}, and must be more than 0")
    distance = values.get("ground_sample_distance_m")
    if distance is not None and not (math.isfinite(distance) and distance > 0):
        raise DamagedError(f"ground_sample_distance_m is {distance}, and must be more than 0")


def _read(kind: type[_Part], path: Path, values: Mapping[str, Any]) -> _Part:
    try:
        return kind.from_dict(values)
    except DataError as error:
        raise DataError(f"{path}: {fault}" for fault in error.faults) from error


def metres_said(sheet: Mapping[str, Any]) -> Any:
    """Return what a dataset's sheet says of its metres per pixel, as it stands there; None where nobody has said."""
    return sheet.get(METRES, sheet.get(_METRES_BEFORE))


def metres_in(sheet: Mapping[str, Any]) -> float | None:
    """Return the same as a number; None where it is none, as it is free text."""
    try:
        metres = float(metres_said(sheet))
    except (TypeError, ValueError):
        return None
    return metres if 0 < metres < math.inf else None
