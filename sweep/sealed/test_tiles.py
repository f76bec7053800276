"""The test split, opened: the only place that reads its images and masks for a score."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sweep.sealed.admission import Attempt
from sweep.sealed.known_test import tile_hashes
from trainables.data.dataset_faults import manifest_faults
from trainables.data.imagery import RGB
from trainables.data.manifest import Manifest
from trainables.data.remote import local_copy
from trainables.data.tiles import Tile, TileFiles, TuningData, scan_split
from trainables.errors import DataError
from trainables.task import Task


class NoTestError(DataError):
    """A dataset without a test split: nothing of it can be scored."""


class TestTiles:
    """The test split, readable only for attempts that the ledger has admitted.

    Attributes:
        tiles: The test tiles.
        fingerprint: Hex sha256 over their names and decoded pixels.
        hashes: What a reading records of each of them.

    Raises:
        DataError: The split is missing or damaged.
    """

    __test__ = False  # not a test case, whatever its name

    def __init__(self, patches: Path, admitted: Sequence[Attempt]) -> None:
        assert admitted, "no attempt may read the test split"
        root, files = _read(patches)
        self.tiles = tuple(one.tile for one in files)
        self.fingerprint = _fingerprint(self.tiles)
        self.hashes = tile_hashes(files, root)


def fingerprints(patches: Path) -> tuple[str, str]:
    """Return the hashes of a dataset's train and val tiles, and of its test tiles: what an audit compares.

    Raises:
        DataError: A split is missing or damaged.
    """
    test = _fingerprint([one.tile for one in _read(patches)[1]])
    return TuningData.read(patches).fingerprint, test


def _read(patches: Path) -> tuple[Path, tuple[TileFiles, ...]]:
    """Return the dataset's folder on this machine, and its test split."""
    patches = local_copy(patches, ("test",))
    manifest = Manifest.read(patches)
    task, imagery = (manifest.task, manifest.imagery) if manifest else (Task(), RGB)
    files, faults = scan_split(patches, "test", task, imagery)
    if manifest:
        faults += manifest_faults(patches, manifest, {"test": files})
    if not files and not faults:
        raise NoTestError(
            f"{patches / 'test'}: holds no tiles, so there is no score of test; sweep.report shows val's, or make a "
            f"dataset with a test split"
        )
    if faults:
        raise DataError(dict.fromkeys(faults))
    return patches, files


def _fingerprint(tiles: Sequence[Tile]) -> str:
    digest = hashlib.sha256()
    for tile in tiles:
        digest.update(tile.name.encode())
        digest.update(tile.image.tobytes())
        digest.update(tile.mask.tobytes())
    return digest.hexdigest()
