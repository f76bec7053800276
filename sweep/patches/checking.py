"""Reading every file of a dataset, reporting all faults at once, and describing it in a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.patches.leaks import find_leaks
from trainables.class_balance import count_classes
from trainables.data.manifest import Leak, Manifest
from trainables.data.tiles import (
    SPLITS,
    Tile,
    TileFiles,
    absent_classes,
    class_faults,
    cross_split_faults,
    manifest_faults,
    scan_split,
)
from trainables.errors import DataError
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check found.

    Attributes:
        splits: Split to the tiles that could be read.
        faults: One line a fault; empty for a sound dataset.
        manifest: The dataset's manifest, None where it has none or a damaged one.
        leaks: Tiles of different splits that show the same ground; None where nobody has looked.
        task: What the masks mean.
    """

    splits: dict[str, tuple[TileFiles, ...]]
    faults: tuple[str, ...]
    manifest: Manifest | None
    leaks: tuple[Leak, ...] | None = None
    task: Task = field(default_factory=Task)

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """The classes that no train tile shows."""
        return absent_classes(self.task, [files.tile for files in self.splits["train"]])

    def summary(self) -> str:
        """Describe a sound dataset in a line."""
        tiles = [files.tile for split in self.splits.values() for files in split]
        counts = "/".join(str(len(self.splits[split])) for split in SPLITS)
        sizes = sorted({f"{tile.mask.shape[1]}x{tile.mask.shape[0]}" for tile in tiles})
        return (
            f"{len(tiles)} tiles ({counts} train/val/test) of {', '.join(sizes[:4])} pixels, "
            f"{self._shares([class_shares(tile, self.task) for tile in tiles])}"
        )

    def _shares(self, tiles: Sequence[Mapping[str, float]]) -> str:
        if self.task.binary:
            shares = [tile[self.task.classes[1]] for tile in tiles]
            return f"{self.task.classes[1]} {min(shares):.1%} to {max(shares):.1%}"
        means = {name: sum(tile[name] for tile in tiles) / len(tiles) for name in self.task.classes}
        return ", ".join(f"{name} {share:.1%}" for name, share in means.items())


def class_shares(tile: Tile, task: Task) -> dict[str, float]:
    """Return the share of a tile's labelled pixels a class, each in [0, 1]; they sum to 1."""
    counts = count_classes(tile, len(task.classes))
    return {name: float(count) / int(counts.sum()) for name, count in zip(task.classes, counts, strict=True)}


def check(root: Path, *, against_manifest: bool = True, leaks: bool = True, task: Task | None = None) -> Report:
    """Read every file of every split.

    Args:
        root: The dataset.
        against_manifest: Also compare with the manifest.
        leaks: Also look for tiles of different splits that show the same ground, unless there are faults.
        task: What the masks mean; None is what the manifest says.
    """
    faults: list[str] = []
    splits: dict[str, tuple[TileFiles, ...]] = {}
    manifest = None
    if against_manifest:
        try:
            manifest = Manifest.read(root)
        except DataError as error:
            faults += error.faults
    task = task or (manifest.task if manifest else Task())
    for split in SPLITS:
        splits[split], found = scan_split(root, split, task)
        faults += found
    faults += cross_split_faults(root, splits)
    faults += class_faults(root, task, splits["train"])
    if manifest:
        faults += manifest_faults(root, manifest, splits)
    return Report(
        splits=splits,
        faults=tuple(dict.fromkeys(faults)),
        manifest=manifest,
        task=task,
        leaks=tuple(find_leaks(splits)) if leaks and not faults else None,
    )


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
    notes: Mapping[str, Any] | None = None,
) -> Manifest:
    """Describe a sound dataset; what ``check`` does not find goes into the ``Manifest`` as it is given."""
    entries: dict[str, dict[str, Any]] = {}
    for split in report.splits.values():
        for files in split:
            height, width = files.tile.mask.shape
            common = {"width": width, "height": height, "source": (sources or {}).get(files.tile.name, "")}
            shares = {name: round(share, 6) for name, share in class_shares(files.tile, report.task).items()}
            found = {"foreground": shares[report.task.classes[1]]} if report.task.binary else {"shares": shares}
            entries[files.image] = {"sha256": files.image_sha256, **common}
            entries[files.mask] = {"sha256": files.mask_sha256, **found, **common}
    return Manifest(
        name=name,
        origin=origin,
        licence=licence,
        version=version,
        synthetic=synthetic,
        ground_sample_distance_m=ground_sample_distance_m,
        splits={split: [files.tile.name for files in tiles] for split, tiles in report.splits.items()},
        files=entries,
        notes=notes or {},
        leaks=report.leaks,
        task=report.task,
    )
