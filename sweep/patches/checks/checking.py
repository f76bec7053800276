"""Reading every file of a dataset, reporting all faults at once, and describing it in a manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch, unwatched
from sweep.patches.checks.leaks import find_leaks
from sweep.patches.checks.tiles import CheckedTile, SeeTile, check_split, pictures, unseen
from sweep.patches.splits.scenes import KnownScenes, scenes_of_manifest
from trainables.class_balance import count_classes
from trainables.data.dataset_faults import absent_classes, class_faults, cross_split_faults, manifest_faults
from trainables.data.imagery import RGB, Imagery
from trainables.data.manifest import Leak, Manifest, SplitOrigin
from trainables.data.tiles import SPLITS, Tile
from trainables.errors import DataError
from trainables.task import Task
from trainables.wording import counted


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check found.

    Attributes:
        root: The dataset.
        splits: Split to the tiles that could be read.
        faults: One line a fault; empty for a sound dataset.
        manifest: The dataset's manifest, None where it has none or a damaged one.
        scenes: What is known of the tiles' scenes.
        leaks: Tiles of different splits that show the same ground; None where nobody has looked.
        same_ground: Tiles within train or within val, of different scenes, that show the same ground; None where nobody
            has looked.
        task: What the masks mean.
        imagery: What the images hold.
    """

    root: Path
    splits: dict[str, tuple[CheckedTile, ...]]
    faults: tuple[str, ...]
    manifest: Manifest | None
    scenes: KnownScenes
    leaks: tuple[Leak, ...] | None = None
    same_ground: tuple[Leak, ...] | None = None
    task: Task = field(default_factory=Task)
    imagery: Imagery = field(default_factory=Imagery)

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """The classes that no train tile shows."""
        return absent_classes(self.task, self.splits["train"])

    def read(self, tile: CheckedTile) -> Tile:
        """Read one of its tiles again.

        Raises:
            DataError: It has changed since.
        """
        return tile.read(self.root, self.task, self.imagery)

    def read_mask(self, tile: CheckedTile) -> NDArray[np.uint8]:
        """Read one of its masks again: (H, W) uint8.

        Raises:
            DataError: It has changed since.
        """
        return tile.read_mask(self.root, self.task)

    def pictures(self, tiles: Sequence[CheckedTile]) -> Iterator[Tile]:
        """Read some of its tiles again, in their order, a few at a time.

        Raises:
            DataError: One has changed since.
        """
        return pictures(tiles, self.root, self.task, self.imagery)

    def summary(self) -> str:
        """Describe a sound dataset in a line."""
        tiles = [tile for split in self.splits.values() for tile in split]
        counts = "/".join(str(len(self.splits[split])) for split in SPLITS)
        sizes = sorted({tile.size for tile in tiles})
        return (
            f"{counted(len(tiles), 'tile')} ({counts} train/val/test) of {', '.join(sizes[:4])} pixels, "
            f"{self._shares([class_shares(tile, self.task) for tile in tiles])}"
        )

    def _shares(self, tiles: Sequence[Mapping[str, float]]) -> str:
        if self.task.binary:
            shares = [tile[self.task.classes[1]] for tile in tiles]
            return f"{self.task.classes[1]} {min(shares):.1%} to {max(shares):.1%}"
        means = {name: sum(tile[name] for tile in tiles) / len(tiles) for name in self.task.classes}
        return ", ".join(f"{name} {share:.1%}" for name, share in means.items())


def class_shares(tile: CheckedTile, task: Task) -> dict[str, float]:
    """Return the share of a tile's labelled pixels per class, each in [0, 1]; they sum to 1."""
    counts = count_classes(tile, len(task.classes))
    return {name: float(count) / int(counts.sum()) for name, count in zip(task.classes, counts, strict=True)}


def check(
    root: Path,
    *,
    against_manifest: bool = True,
    leaks: bool = True,
    viewed: bool = False,
    task: Task | None = None,
    imagery: Imagery | None = None,
    scenes: Callable[[Sequence[str]], KnownScenes] | None = None,
    watch: Watch = unwatched,
    see: SeeTile = unseen,
) -> Report:
    """Read every file of every split.

    Args:
        root: The dataset.
        against_manifest: Also compare with the manifest.
        leaks: Also look for tiles of different splits or scenes that show the same ground, unless there are faults.
        viewed: Also keep what is needed to look for them later.
        task: What the masks mean; None is what the manifest says.
        imagery: What the images hold; None is what the manifest says.
        scenes: Gives the scenes of the tiles of these names; None is what the manifest says.
        watch: Shows how far it is.
        see: Is shown every sound tile while its pixels are in memory.

    Raises:
        DataError: What ``scenes`` raises.
    """
    faults: list[str] = []
    splits: dict[str, tuple[CheckedTile, ...]] = {}
    manifest = None
    if against_manifest:
        try:
            manifest = Manifest.read(root)
        except DataError as error:
            faults += error.faults
    task = task or (manifest.task if manifest else Task())
    imagery = imagery or (manifest.imagery if manifest else RGB)
    for split in SPLITS:
        splits[split], found = check_split(root, split, task, imagery, viewed=leaks or viewed, watch=watch, see=see)
        faults += found
    faults += cross_split_faults(root, splits)
    faults += class_faults(root, task, splits["train"])
    if manifest:
        faults += manifest_faults(root, manifest, splits)
    names = [tile.name for tiles in splits.values() for tile in tiles]
    known = scenes(names) if scenes else scenes_of_manifest(names, manifest)
    report = Report(
        root=root,
        splits=splits,
        faults=tuple(dict.fromkeys(faults)),
        manifest=manifest,
        task=task,
        imagery=imagery,
        scenes=known,
    )
    return _compared(report, watch) if leaks and not faults else report


def _compared(report: Report, watch: Watch) -> Report:
    """Look for tiles that show the same ground."""
    pairs = find_leaks(report.splits, report.scenes.of, watch)
    split_of = {files.image: split for split, tiles in report.splits.items() for files in tiles}
    leaks = tuple(pair for pair in pairs if split_of[pair.first] != split_of[pair.second])
    return replace(report, leaks=leaks, same_ground=tuple(one for one in pairs if one not in leaks))


def describe(
    report: Report,
    *,
    name: str,
    origin: str,
    licence: str,
    version: str = "1.0",
    synthetic: bool = False,
    ground_sample_distance_m: float | None = None,
    sources: Mapping[str, str] | None = None,
    places: Mapping[str, tuple[int, int]] | None = None,
    grounds: Mapping[str, Mapping[str, Any]] | None = None,
    notes: Mapping[str, Any] | None = None,
    split_origin: SplitOrigin | None = None,
) -> Manifest:
    """Describe a sound dataset; what ``check`` does not find goes into the ``Manifest`` as it is given."""
    entries: dict[str, dict[str, Any]] = {}
    for split in report.splits.values():
        for files in split:
            height, width = files.shape
            common = {"width": width, "height": height, "source": (sources or {}).get(files.name, "")}
            shares = {name: round(share, 6) for name, share in class_shares(files, report.task).items()}
            found = {"foreground": shares[report.task.classes[1]]} if report.task.binary else {"shares": shares}
            if place := (places or {}).get(files.name):
                common |= {"row": place[0], "column": place[1]}
            scene = report.scenes.of.get(files.name)
            ground = (grounds or {}).get(files.name, {})
            entries[files.image] = {"sha256": files.image_sha256, **common, **ground}
            entries[files.image] |= {"scene": scene} if scene else {}
            entries[files.mask] = {"sha256": files.mask_sha256, **found, **common}
    return Manifest(
        name=name,
        origin=origin,
        licence=licence,
        version=version,
        synthetic=synthetic,
        ground_sample_distance_m=ground_sample_distance_m,
        splits={split: [files.name for files in tiles] for split, tiles in report.splits.items()},
        files=entries,
        notes=notes or {},
        leaks=report.leaks,
        same_ground=report.same_ground,
        split_origin=split_origin,
        task=report.task,
        imagery=report.imagery,
    )
