"""What is wrong with tiles that can be read: files that belong to two splits, classes, what the manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.data.manifest import Manifest
from trainables.invocation import call
from trainables.task import Task


class NamedFiles(Protocol):
    """A tile's files: its name, their paths inside the dataset, and what their contents hash to."""

    @property
    def name(self) -> str:
        """The tile's name."""
        ...

    @property
    def image(self) -> str:
        """Path of the image inside the dataset, with ``/``."""
        ...

    @property
    def mask(self) -> str:
        """Path of the mask inside the dataset, with ``/``."""
        ...

    @property
    def image_sha256(self) -> str:
        """Hex digest of the image file."""
        ...

    @property
    def mask_sha256(self) -> str:
        """Hex digest of the mask file."""
        ...


class MaskValues(Protocol):
    """What a tile's mask holds."""

    @property
    def values(self) -> NDArray[np.int64]:
        """(256,) how many pixels of the mask have each value."""
        ...


def cross_split_faults(root: Path, splits: Mapping[str, Sequence[NamedFiles]]) -> list[str]:
    """Find names that occur in two splits, and images that occur twice in one."""
    faults = []
    names: dict[str, str] = {}
    contents: dict[tuple[str, str], str] = {}
    for split, tiles in splits.items():
        for files in tiles:
            place = f"{root / files.image}"
            other = names.setdefault(files.name, split)
            if other != split:
                faults.append(
                    f"{place}: the name is also in {other}; a tile belongs to one split, remove or rename one"
                )
            twin = contents.setdefault((split, files.image_sha256), place)
            if twin != place:
                faults.append(f"{place}: identical to {twin}; remove one")
    return faults


def absent_classes(task: Task, train: Sequence[MaskValues]) -> tuple[str, ...]:
    """Return the classes of a multi-class task that no train tile shows: nothing can learn them."""
    if task.binary or not train:
        return ()
    present = np.any([tile.values > 0 for tile in train], axis=0)
    return tuple(name for index, name in enumerate(task.classes) if not present[index])


def class_faults(root: Path, task: Task, train: Sequence[MaskValues]) -> list[str]:
    """Refuse train tiles that show one class of several, or none: there is nothing to tell apart.

    Classes of a published legend that few tiles do not show are no fault, see ``absent_classes``.
    """
    absent = absent_classes(task, train)
    shown = [name for name in task.classes if name not in absent]
    if not absent or len(shown) > 1:
        return []
    return [
        f"{root / 'train'}: shows {f'only class {shown[0]!r}' if shown else 'no class'} of {', '.join(task.classes)}; "
        f"move tiles that show another one there, or correct the task"
    ]


def manifest_faults(root: Path, manifest: Manifest, splits: Mapping[str, Sequence[NamedFiles]]) -> list[str]:
    """Compare the files of some splits with the manifest."""
    faults = []
    fix = f"restore the file, or run {call('patches')} check --update"
    for split, tiles in splits.items():
        for files in tiles:
            for path, digest in ((files.image, files.image_sha256), (files.mask, files.mask_sha256)):
                recorded = manifest.sha256(path)
                if recorded is None:
                    faults.append(f"{root / path}: is not in the manifest; {fix}")
                elif recorded != digest:
                    faults.append(f"{root / path}: differs from the manifest; {fix}")
        present = {path for files in tiles for path in (files.image, files.mask)}
        for path in manifest.files:
            if tiles and path.startswith(f"{split}/") and path not in present and not (root / path).exists():
                faults.append(f"{root / path}: is in the manifest but not on disk; {fix}")
    return faults
