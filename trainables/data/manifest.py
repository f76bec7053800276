"""``manifest.json``: what a dataset is, and the hash of every file in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from trainables.errors import DataError
from trainables.invocation import call
from trainables.task import Task

MANIFEST_FILE = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Two tiles of different splits that show the same ground.

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
        ground_sample_distance_m: Metres a pixel, or None where unknown.
        splits: Split to tile names.
        files: Path inside the dataset to ``sha256``, ``width``, ``height``, ``source`` and, for a mask, ``foreground``
            (share of foreground pixels, in [0, 1]) or, in a multi-class task, ``shares`` a class.
        notes: Anything else worth knowing, such as what a colour threshold reaches.
        leaks: Tiles of different splits that show the same ground; None where nobody has looked.
        task: What the masks mean.
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
    task: Task = field(default_factory=Task)

    @property
    def sheet(self) -> dict[str, str]:
        """What a reader of results has to know of the data; what is unknown is left out."""
        distance = self.ground_sample_distance_m
        known = {
            "origin": self.origin,
            "licence": self.licence,
            "version": self.version,
            "metres a pixel": "" if distance is None else f"{distance:g}",
        }
        return {name: text for name, text in known.items() if text}

    def sha256(self, path: str) -> str | None:
        """Return the recorded hash of a file, None where there is none."""
        return self.files.get(path, {}).get("sha256")

    def write(self, root: Path) -> None:
        """Write it into a dataset's folder."""
        text = json.dumps(
            {"format": FORMAT, **asdict(self), "task": self.task.to_dict()},
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        )
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
        mend = f"restore it, or delete it and run {call('patches')} check"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("format") > FORMAT:
                raise DataError(f"{path}: written by a newer tilesweep; update tilesweep")
            if (leaks := values.pop("leaks", None)) is not None:
                values["leaks"] = tuple(Leak(**leak) for leak in leaks)
            if "task" in values:
                values["task"] = _read_task(path, values["task"])
            manifest = cls(**values)
            files = [(PurePosixPath(name), entry["sha256"]) for name, entry in manifest.files.items()]
            names = [name for split in manifest.splits.values() for name in split]
        except DataError as error:
            raise DataError(
                f"{path}: {fault}" if not fault.startswith(str(path)) else fault for fault in error.faults
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{path}: damaged ({type(error).__name__}: {error}); {mend}") from error
        for name, _ in files:
            if name.is_absolute() or ".." in name.parts:
                raise DataError(f"{path}: names {str(name)!r}, which lies outside the dataset; {mend}")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DataError(f"{path}: tile {twice[0]!r} is listed in two splits; keep it in one")
        return manifest


def _read_task(path: Path, values: Any) -> Task:
    if not isinstance(values, dict):
        raise DataError(f"{path}: task is {values!r}; it is an object with kind and classes, see docs/your-data.md")
    try:
        return Task.from_dict(values)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
