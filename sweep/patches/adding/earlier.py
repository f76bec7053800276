"""The dataset that tiles are added to: its tiles are copied as they are, each into its own split."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainables.data.decoding import decode_mask, read_file
from trainables.data.manifest import MANIFEST_FILE, DatasetVersion, Manifest
from trainables.data.tiles import SPLITS, ListedTile, list_split
from trainables.errors import DataError
from trainables.invocation import command
from trainables.task import IGNORE, REST, Task


@dataclass(frozen=True, kw_only=True)
class EarlierDataset:
    """A dataset as it is before tiles are added.

    Attributes:
        root: Where it is; nothing in it is changed.
        manifest: What it says of itself.
        tiles: Split to its tiles.
    """

    root: Path
    manifest: Manifest
    tiles: Mapping[str, Sequence[ListedTile]]

    @classmethod
    def open(cls, root: Path, destination: Path) -> EarlierDataset:
        """Open a dataset, to write its next version elsewhere.

        Raises:
            DataError: It is none, has no manifest, or would be written over.
        """
        if not root.is_dir():
            raise DataError(f"--add {root}: no such folder; name the dataset that the tiles are added to")
        if root.resolve() == destination.resolve():
            raise DataError(
                f"--dst {destination}: is the dataset that tiles are added to, which stays as it is; name another "
                f"folder for its next version, such as --dst {destination.name}-2"
            )
        manifest = Manifest.read(root)
        if manifest is None:
            fix = command("patches", "check", "--patches", str(root))
            raise DataError(f"--add {root}: has no {MANIFEST_FILE}; write it by {fix}")
        tiles: dict[str, Sequence[ListedTile]] = {}
        faults: list[str] = []
        for split in SPLITS:
            tiles[split], found = list_split(root, split)
            faults += found
        if faults:
            raise DataError(faults)
        return cls(root=root, manifest=manifest, tiles=tiles)

    @property
    def names(self) -> frozenset[str]:
        """Of all its tiles."""
        return frozenset(tile.name for tiles in self.tiles.values() for tile in tiles)

    @property
    def meaning(self) -> Task:
        """What the labels of new tiles mean: its classes by name; in a binary task any other label is foreground."""
        task = self.manifest.task
        if not task.binary:
            return replace(task, remap={}, ignores=True)
        background, foreground = task.classes
        names = {name: background for name in ("background", "_background_") if name not in task.classes}
        return replace(task, remap={**names, "__ignore__": IGNORE, REST: foreground}, ignores=True)

    def merged_task(self, new: Task, *, ignored: bool) -> Task:
        """Return what all masks mean.

        Args:
            new: What those of the new tiles mean.
            ignored: Whether a pixel of these does not count.

        Raises:
            DataError: They are of other classes.
        """
        task = self.manifest.task
        if new.kind != task.kind or (not task.binary and new.classes != task.classes):
            raise DataError(
                f"--src: its masks are {new.summary}, and those of {self.root} {task.summary}; give --task with the "
                f"classes of the dataset"
            )
        return replace(task, remap={}, ignores=task.ignores or ignored)

    def copy(self, destination: Path, task: Task) -> None:
        """Copy its tiles.

        Args:
            destination: The next version's folder.
            task: What masks will mean; where that is not what they mean now, they are written again.

        Raises:
            DataError: A mask is damaged.
        """
        before = self.manifest.task
        for split, tiles in self.tiles.items():
            for tile in tiles:
                shutil.copyfile(tile.image, destination / split / "images" / tile.image.name)
                target = destination / split / "masks" / tile.mask.name
                if before.ignores_pixels == task.ignores_pixels and not before.remap:
                    shutil.copyfile(tile.mask, target)
                else:
                    mask = decode_mask(read_file(tile.mask), tile.mask, before)
                    Image.fromarray(mask.astype(np.uint8)).save(target)

    @property
    def entries(self) -> Mapping[str, Mapping[str, Any]]:
        """What its manifest says of each tile's image."""
        return {
            tile.name: self.manifest.files.get(f"{split}/images/{tile.image.name}", {})
            for split, tiles in self.tiles.items()
            for tile in tiles
        }

    def history(self, added: Sequence[str], chosen_by: str) -> tuple[DatasetVersion, ...]:
        """Return the next version's history: its own, and what was done to it.

        Args:
            added: Names of the new tiles.
            chosen_by: Who chose them; empty where nobody has said.
        """
        digest = hashlib.sha256((self.root / MANIFEST_FILE).read_bytes()).hexdigest()
        step = DatasetVersion(
            version=self.manifest.version,
            manifest_sha256=digest,
            tiles={split: len(tiles) for split, tiles in self.tiles.items()},
            added=tuple(added),
            chosen_by=chosen_by,
        )
        return (*self.manifest.history, step)

    @property
    def next_version(self) -> str:
        """The next version's name: ``2.0`` after ``1.0``."""
        number, _, _ = self.manifest.version.partition(".")
        return f"{int(number) + 1}.0" if number.isdecimal() else f"{self.manifest.version} + 1"
