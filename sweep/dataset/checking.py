"""Reading every file of a dataset, reporting all faults at once, and describing it in a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.dataset.leaks import find_leaks
from trainables.data.manifest import Leak, Manifest
from trainables.data.tiles import SPLITS, TileFiles, cross_split_faults, manifest_faults, scan_split
from trainables.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check found.

    Attributes:
        splits: Split to the tiles that could be read.
        faults: One line a fault; empty for a sound dataset.
        manifest: The dataset's manifest, None where it has none or a damaged one.
        leaks: Tiles of different splits that show the same ground; None where nobody has looked.
    """

    splits: dict[str, tuple[TileFiles, ...]]
    faults: tuple[str, ...]
    manifest: Manifest | None
    leaks: tuple[Leak, ...] | None = None

    def summary(self) -> str:
        """Describe a sound dataset in a line."""
        tiles = [files.tile for split in self.splits.values() for files in split]
        counts = "/".join(str(len(self.splits[split])) for split in SPLITS)
        sizes = sorted({f"{tile.mask.shape[1]}x{tile.mask.shape[0]}" for tile in tiles})
        shares = [float(tile.mask.mean()) for tile in tiles]
        return (
            f"{len(tiles)} tiles ({counts} train/val/test) of {', '.join(sizes[:4])} pixels, "
            f"foreground {min(shares):.1%} to {max(shares):.1%}"
        )


def check(root: Path, *, against_manifest: bool = True, leaks: bool = True) -> Report:
    """Read every file of every split.

    Args:
        root: The dataset.
        against_manifest: Also compare with the manifest.
        leaks: Also look for tiles of different splits that show the same ground, unless there are faults.
    """
    faults: list[str] = []
    splits: dict[str, tuple[TileFiles, ...]] = {}
    manifest = None
    if against_manifest:
        try:
            manifest = Manifest.read(root)
        except DataError as error:
            faults += error.faults
    for split in SPLITS:
        splits[split], found = scan_split(root, split)
        faults += found
    faults += cross_split_faults(root, splits)
    if manifest:
        faults += manifest_faults(root, manifest, splits)
    return Report(
        splits=splits,
        faults=tuple(dict.fromkeys(faults)),
        manifest=manifest,
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
    """Describe a sound dataset.

    Args:
        report: What ``check`` returned.
        name: The dataset's name; likewise the rest, see ``Manifest``.
        sources: Tile name to where it was cut from.
        origin: See ``Manifest``.
        licence: See ``Manifest``.
        version: See ``Manifest``.
        synthetic: See ``Manifest``.
        ground_sample_distance_m: See ``Manifest``.
        notes: See ``Manifest``.
    """
    entries: dict[str, dict[str, Any]] = {}
    for split in report.splits.values():
        for files in split:
            height, width = files.tile.mask.shape
            common = {"width": width, "height": height, "source": (sources or {}).get(files.tile.name, "")}
            share = round(float(files.tile.mask.mean()), 6)
            entries[files.image] = {"sha256": files.image_sha256, **common}
            entries[files.mask] = {"sha256": files.mask_sha256, "foreground": share, **common}
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
    )
