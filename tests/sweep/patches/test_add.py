"""``make --add``: a dataset's next version has its tiles as they were, new ones in train, and says what happened."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweep.next.labelling.labelme import labelme_json
from sweep.next.labelling.outlines import PreLabel
from sweep.records.choice import CHOICE_FILE, ChosenWindow, choice_bytes
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from trainables.data.manifest import Manifest
from trainables.data.tiles import TuningData

SIDE = 64


@pytest.fixture
def patches(tmp_path: Path, write_dataset: WriteDataset) -> Path:
    root = write_dataset(tmp_path / "patches")
    assert run_here("patches", "check", "--patches", root).returncode == 0
    return root


def write_labelled(folder: Path, names: tuple[str, ...], *, label: str = "foreground", side: int = SIDE) -> Path:
    """Write images whose labels a model wrote: a square each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        image = np.random.default_rng(90 + number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(image).resize((side, side)).save(folder / f"{name}.png")
        square = PreLabel(label=label, points=np.array([[8.0, 8], [40, 8], [40, 40], [8, 40]]))
        (folder / f"{name}.json").write_bytes(labelme_json(f"{name}.png", (side, side), [square]))
    return folder


def save(path: Path) -> None:
    """Save a file of labels as LabelMe does, with the image's data."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"imageData": ""}))


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*.png")
        if path.parent.name in ("images", "masks")
    }


def add(src: Path, patches: Path, dst: Path, *more: object) -> Any:
    return run_here("patches", "make", "--src", src, "--add", patches, "--dst", dst, *more)


def test_old_tiles_are_as_they_were_and_new_ones_are_in_train(patches: Path, tmp_path: Path) -> None:
    src = write_labelled(tmp_path / "new", ("n1", "n2"))
    before = contents(patches)
    done = add(src, patches, tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert contents(patches) == before and before.items() <= contents(tmp_path / "two").items()
    data = TuningData.read(tmp_path / "two")
    assert [tile.name for tile in data.train] == ["n1", "n2", "t1", "t2", "t3"]
    assert [tile.name for tile in data.val] == ["t4", "t5"]
    new = data.train[0].mask
    assert new[20, 20] == 1 and new[60, 60] == 0 and abs(int(new.sum()) - 32 * 32) < 100
    assert "2 tiles to train; the 7 of" in done.stdout


def test_the_manifest_has_the_history(patches: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((patches / "manifest.json").read_bytes()).hexdigest()
    assert add(write_labelled(tmp_path / "a", ("n1",)), patches, tmp_path / "two").returncode == 0
    assert add(write_labelled(tmp_path / "b", ("n2",), side=96), tmp_path / "two", tmp_path / "three").returncode == 0
    manifest = Manifest.read(tmp_path / "three")
    assert manifest is not None and manifest.version == "3.0"
    first, second = manifest.history
    assert (first.version, first.manifest_sha256, first.added) == ("1.0", digest, ("n1",))
    assert first.tiles == {"train": 3, "val": 2, "test": 2} and second.added == ("n2",)
    before = Manifest.read(patches)
    assert before is not None and (manifest.name, manifest.origin) == (before.name, before.origin)


def test_labels_as_the_model_wrote_them_are_left_out_until_somebody_has_looked(patches: Path, tmp_path: Path) -> None:
    src = write_labelled(tmp_path / "next" / "tiles", ("n1", "n2"))
    windows = [
        ChosenWindow(name="n1", source="west/scene.tif x=64 y=0", scene="west"),
        ChosenWindow(name="n2", source="west/scene.tif x=128 y=0", scene="west"),
    ]
    (tmp_path / "next" / CHOICE_FILE).write_bytes(choice_bytes("both", "m", str(patches), windows))
    refused = add(src, patches, tmp_path / "two")
    assert_refused(refused, "2 images whose labels are as the model wrote them", "--take-prelabels")
    save(src / "n1.json")
    done = add(src, patches, tmp_path / "two")
    assert done.returncode == 0 and "left out 1 image whose labels" in done.stdout
    manifest = Manifest.read(tmp_path / "two")
    assert manifest is not None and "n2" not in manifest.splits["train"]
    entry = manifest.files["train/images/n1.jpg"]
    assert (entry["source"], entry["scene"]) == ("west/scene.tif x=64 y=0", "west")
    assert manifest.history[0].chosen_by == "both"
    taken = add(src, patches, tmp_path / "all", "--take-prelabels")
    assert taken.returncode == 0 and (tmp_path / "all/train/images/n2.jpg").is_file()


def test_a_split_that_is_said_is_taken(patches: Path, tmp_path: Path) -> None:
    src = write_labelled(tmp_path / "new", ("n1", "n2", "n3"))
    (tmp_path / "split.toml").write_text('train = ["n1", "n3"]\nval = ["n2"]\ntest = []\n')
    assert add(src, patches, tmp_path / "two", "--split", tmp_path / "split.toml").returncode == 0
    assert [tile.name for tile in TuningData.read(tmp_path / "two").val] == ["n2", "t4", "t5"]


def test_pixels_that_do_not_count_in_new_tiles_change_no_old_mask_s_meaning(patches: Path, tmp_path: Path) -> None:
    src = write_labelled(tmp_path / "new", ("n1",), side=80)
    done = add(src, patches, tmp_path / "two", "--size", "96")
    assert done.returncode == 0, done.stderr
    before, after = TuningData.read(patches), TuningData.read(tmp_path / "two")
    assert after.task.ignores_pixels and not before.task.ignores_pixels
    masks = {tile.name: tile.mask for tile in (*after.train, *after.val)}
    assert (masks["n1"] == 255).any()
    for tile in (*before.train, *before.val):
        assert np.array_equal(masks[tile.name], tile.mask)


@pytest.mark.parametrize("label", ["roof", "foreground"])
def test_any_label_is_foreground_in_a_binary_dataset(patches: Path, tmp_path: Path, label: str) -> None:
    assert add(write_labelled(tmp_path / "new", ("n1",), label=label), patches, tmp_path / "two").returncode == 0
    assert TuningData.read(tmp_path / "two").train[0].mask.any()


def test_classes_are_those_of_the_dataset(write_scenes: WriteDataset, tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes")
    assert add(write_labelled(tmp_path / "new", ("n1",), label="tree"), scenes, tmp_path / "two").returncode == 0
    assert TuningData.read(tmp_path / "two").train[0].mask[20, 20] == 2
    other = write_labelled(tmp_path / "other", ("n1",), label="tre")
    assert_refused(add(other, scenes, tmp_path / "three"), "'tre'", "did you mean 'tree'")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "manifest.json").unlink(), "has no manifest.json; write it by"),
        (lambda root: (root / "train/masks/t1.png").unlink(), "has no mask"),
    ],
)
def test_a_dataset_that_is_not_sound_is_refused(change: Any, said: str, patches: Path, tmp_path: Path) -> None:
    change(patches)
    assert_refused(add(write_labelled(tmp_path / "new", ("n1",)), patches, tmp_path / "two"), said)
    assert not (tmp_path / "two").exists()


def test_names_and_places_that_are_taken_are_refused(patches: Path, tmp_path: Path) -> None:
    new = write_labelled(tmp_path / "new", ("t1",))
    assert_refused(add(new, patches, tmp_path / "two"), "t1: ", "has a tile of this name")
    assert_refused(add(new, patches, patches), "is the dataset that tiles are added to", "--dst patches-2")
    assert_refused(add(new, tmp_path / "none", tmp_path / "two"), "no such folder")


def test_images_of_other_bands_are_refused_with_both_numbers(
    write_scenes: WriteDataset, patches: Path, tmp_path: Path
) -> None:
    src = tmp_path / "new"
    write_labelled(src, ("n1",))
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).convert("LA").save(src / "n1.png")
    done = add(src, patches, tmp_path / "two", "--bands", "1")
    assert_refused(done, "n1.png", "3 bands")


def test_a_new_tile_on_the_ground_of_a_val_tile_is_a_leak(patches: Path, tmp_path: Path) -> None:
    src = write_labelled(tmp_path / "new", ("n1",))
    Image.open(patches / "val/images/t4.png").save(src / "n1.png")
    done = add(src, patches, tmp_path / "two")
    assert done.returncode == 0 and "leaks between splits" in done.stdout
    manifest = Manifest.read(tmp_path / "two")
    assert manifest is not None and manifest.leaks and {manifest.leaks[0].first, manifest.leaks[0].second} == {
        "train/images/n1.jpg", "val/images/t4.png",
    }  # fmt: skip
