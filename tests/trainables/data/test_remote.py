"""Tiles that lie at a URI are fetched once, whole, and without the test split."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import WriteDataset
from trainables.data.remote import dataset_address, local_copy
from trainables.data.tiles import TuningData
from trainables.errors import DataError, ExperimentError


@pytest.fixture
def uri(write_scenes: WriteDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    return f"file://{write_scenes(tmp_path / 'bucket' / 'tiles')}"


def test_the_same_tiles_come_from_a_uri(uri: str, tmp_path: Path) -> None:
    there, here = TuningData.read(Path(uri)), TuningData.read(tmp_path / "bucket" / "tiles")
    assert there.fingerprint == here.fingerprint and there.name == here.name
    assert dataset_address(Path(uri)) == uri, "what is stored can be read again"
    assert TuningData.read(Path(dataset_address(Path(uri)))).fingerprint == here.fingerprint


def test_whoever_trains_holds_no_test_tiles(uri: str, tmp_path: Path) -> None:
    copy = local_copy(Path(uri), ("train", "val"))
    assert sorted(path.name for path in copy.iterdir()) == ["manifest.json", "train", "val"]
    assert (local_copy(Path(uri), ("test",)) / "test" / "images").is_dir()
    assert not (copy / "test").exists()


def test_a_copy_is_used_again_until_something_changes(uri: str, tmp_path: Path) -> None:
    first = local_copy(Path(uri), ("train", "val"))
    changed = first.stat().st_mtime_ns
    assert local_copy(Path(uri), ("train", "val")) == first and first.stat().st_mtime_ns == changed
    image = next((tmp_path / "bucket" / "tiles" / "train" / "images").iterdir())
    os.utime(image, ns=(0, 0))
    assert local_copy(Path(uri), ("train", "val")) != first


def test_a_copy_that_was_broken_off_is_no_copy(uri: str) -> None:
    whole = local_copy(Path(uri), ("val",))
    partial = whole.parent / f".{whole.name}.part"
    whole.rename(partial)
    (partial / "manifest.json").unlink()
    assert (local_copy(Path(uri), ("val",)) / "manifest.json").is_file() and not partial.exists()


def test_mistakes_name_the_flag(uri: str) -> None:
    with pytest.raises(DataError, match=r"--patches file://.*/nowhere: holds no train or val split"):
        TuningData.read(Path(f"{uri}/nowhere"))
    with pytest.raises(ExperimentError, match="--patches nowhere://x: "):
        TuningData.read(Path("nowhere://x"))
    with pytest.raises(ExperimentError, match=r"--patches s3://\*\*\*@bucket/tiles: would write its secret"):
        TuningData.read(Path("s3://key:secret@bucket/tiles"))


def test_a_folder_is_left_alone(tmp_path: Path) -> None:
    assert local_copy(tmp_path, ("train",)) == tmp_path
    assert dataset_address(Path("patches")) == str(Path("patches").resolve())
