"""Reading tiles: what is right is read exactly, what is wrong is one line that names file and mend."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.data.manifest import Leak, Manifest
from trainables.data.tiles import TuningData, natural_order
from trainables.errors import DataError

Break = Callable[[Path], Path]
"""Breaks a dataset; returns the file that is at fault."""
IMAGE, MASK = "train/images/t1.png", "train/masks/t1.png"


def _save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _put(place: str, pixels: np.ndarray) -> Break:
    return lambda root: _save(root / place, pixels)


def _pair(height: int, image: str = IMAGE) -> Break:
    """Put an image and its mask there."""

    def put(root: Path) -> Path:
        _save(root / image.replace("images", "masks"), np.zeros((height, 64), np.uint8))
        return _save(root / image, _noise(height, 64, 3))

    return put


def _palette_image(root: Path) -> Path:
    Image.fromarray(_noise(64, 64, 3)).quantize(8).save(root / IMAGE)
    return root / IMAGE


def _truncated_image(root: Path) -> Path:
    buffer = io.BytesIO()
    Image.fromarray(_noise(64, 64, 3)).save(buffer, "JPEG")
    (root / IMAGE).unlink()
    (path := root / "train/images/t1.jpg").write_bytes(buffer.getvalue()[:-400])
    return path


def _written(place: str, content: bytes) -> Break:
    def write(root: Path) -> Path:
        (root / place).write_bytes(content)
        return root / place

    return write


def _without(removed: str, at_fault: str) -> Break:
    def remove(root: Path) -> Path:
        for path in root.glob(removed):
            path.unlink()
        return root / at_fault

    return remove


def _missing_split(root: Path) -> Path:
    shutil.rmtree(root / "train")
    return root / "train"


def _same_name_twice(root: Path) -> Path:
    return _save(root / "train/images/t1.jpg", _noise(64, 64, 3)).with_suffix(".png")


def _folder_where_a_file_is_due(root: Path) -> Path:
    (root / IMAGE).unlink()
    (root / IMAGE).mkdir()
    return root / IMAGE


FAULTS: dict[str, tuple[Break, str]] = {
    "a grey image": (_put(IMAGE, _noise(64, 64)), "grey"),
    "an image with alpha": (_put(IMAGE, _noise(64, 64, 4)), "alpha"),
    "a deep image": (_put(IMAGE, _noise(64, 64).astype(np.uint16) * 257), "16-bit"),
    "an image with a palette": (_palette_image, "palette"),
    "a truncated image": (_truncated_image, "truncated"),
    "an empty image": (_written("val/images/t4.png", b""), "not a picture"),
    "an odd size": (_pair(70), "multiple of 32"),
    "a small size": (_pair(32), "from 64 up"),
    "a mask of another size": (_put(MASK, np.zeros((96, 64), np.uint8)), "64x96 but its image is 64x64"),
    "a mask of three values": (_put(MASK, np.arange(64 * 64, dtype=np.uint8).reshape(64, 64) % 3), "0, 1, 2"),
    "a mask of wrong values": (_put(MASK, np.full((64, 64), 7, np.uint8)), "values 7"),
    "a mask in colours": (_put(MASK, _noise(64, 64, 3)), "single-channel"),
    "an image without a mask": (_without("train/masks/t2.png", "train/images/t2.png"), "has no mask"),
    "a mask without an image": (_without("train/images/t2.png", "train/masks/t2.png"), "has no image"),
    "a missing split": (_missing_split, "missing"),
    "no tiles": (_without("train/*/*.png", "train"), "no tiles"),
    "one name twice": (_same_name_twice, "same name"),
    "a stray file": (_written("train/images/notes.txt", b"x"), "move it"),
    "a folder where a file is due": (_folder_where_a_file_is_due, "not a"),
    "one name in two splits": (_pair(64, "val/images/t1.png"), "also in train"),
    "one content twice in a split": (
        lambda root: Path(shutil.copy(root / IMAGE, root / "train/images/t2.png")),
        "identical to",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_with_file_and_mend(dataset: Path, name: str) -> None:
    breaks, said = FAULTS[name]
    path = breaks(dataset)
    with pytest.raises(DataError) as caught:
        TuningData.read(dataset)
    line = next(fault for fault in caught.value.faults if str(path) in fault)
    assert said in line and "\n" not in line and ";" in line


def test_all_faults_are_reported_at_once(dataset: Path) -> None:
    for name in ("a grey image", "a mask without an image", "an empty image"):
        FAULTS[name][0](dataset)
    with pytest.raises(DataError) as caught:
        TuningData.read(dataset)
    assert len(caught.value.faults) == 3


def test_pixels_are_read_exactly(dataset: Path) -> None:
    data = TuningData.read(dataset)
    assert [tile.name for tile in data.train] == ["t1", "t2", "t3"]
    with Image.open(dataset / "train/images/t2.png") as image, Image.open(dataset / "train/masks/t2.png") as mask:
        assert np.array_equal(data.train[1].image, np.asarray(image))
        assert np.array_equal(data.train[1].mask * 255, np.asarray(mask))
    assert data.train[0].image.dtype == data.train[0].mask.dtype == np.uint8
    assert (data.name, data.synthetic) == ("patches", False)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_uniform_masks_are_fine(dataset: Path, value: int) -> None:
    _save(dataset / "train/masks/t1.png", np.full((64, 64), value, np.uint8))
    assert set(np.unique(TuningData.read(dataset).train[0].mask)) == {int(value > 0)}


def test_names_sort_as_people_count() -> None:
    assert sorted(["t10", "t9", "t1", "a"], key=natural_order) == ["a", "t1", "t9", "t10"]


def test_the_fingerprint_follows_names_and_contents_of_train_and_val_alone(dataset: Path) -> None:
    before = TuningData.read(dataset).fingerprint
    assert TuningData.read(dataset).fingerprint == before
    shutil.rmtree(dataset / "test")
    assert TuningData.read(dataset).fingerprint == before
    _save(dataset / "val/masks/t4.png", np.zeros((64, 64), np.uint8))
    assert TuningData.read(dataset).fingerprint != before


def test_nothing_under_test_is_opened(dataset: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from trainables.data.tiles import TuningData\n"
        "seen = []\n"
        "events = ('open', 'os.listdir', 'os.scandir')\n"
        "sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event in events else None)\n"
        f"TuningData.read(pathlib.Path({str(dataset)!r}))\n"
        f"assert any({str(dataset / 'train')!r} in name for name in seen)\n"
        f"assert not [name for name in seen if {str(dataset / 'test')!r} in name], seen\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def _manifest(**changes: object) -> str:
    values = {
        "format": 1,
        "name": "n",
        "origin": "o",
        "licence": "l",
        "version": "1",
        "synthetic": True,
        "splits": {"train": ["t1", "t2", "t3"], "val": ["t4", "t5"], "test": []},
        "files": {},
    }
    return json.dumps({**values, **changes})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        (_manifest(format=99), "newer"),
        (_manifest(surprise=1), "damaged"),
        (_manifest(files={"../x": {"sha256": "0"}}), "outside"),
        (_manifest(files={"train/images/t1.png": 3}), "damaged"),
        (_manifest(splits={"train": ["t1"], "val": ["t1"], "test": []}), "two splits"),
        (_manifest(files={"train/images/t1.png": {"sha256": "0", "scene": 3}}), "damaged"),
        (_manifest(files={"train/images/t1.png": {"sha256": "0", "scene": ""}}), "damaged .scene is ''"),
        (_manifest(files={"train/images/t1.png": {"sha256": "0", "scene": "\x1b[2J"}}), "damaged .scene is"),
        (_manifest(files={"train/images/t1.png": {"sha256": "0", "scene": "n" * 10_001}}), "damaged .scene is"),
        (_manifest(same_ground=[{"first": "a", "second": "b"}]), "damaged"),
        (_manifest(split_origin="mine"), "damaged"),
    ],
)
def test_a_bad_manifest_is_one_line(dataset: Path, text: str, said: str) -> None:
    (dataset / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        TuningData.read(dataset)
    assert any("manifest.json" in fault and ";" in fault for fault in caught.value.faults)


def test_files_that_differ_from_the_manifest_are_named(dataset: Path) -> None:
    (dataset / "manifest.json").write_text(_manifest(files={"train/images/t1.png": {"sha256": "0" * 64}}))
    with pytest.raises(DataError) as caught:
        TuningData.read(dataset)
    text = "\n".join(caught.value.faults)
    assert "t1.png: differs from the manifest" in text and "t2.png: is not in the manifest" in text


def test_a_train_tile_that_the_manifest_knows_from_test_is_a_leak(dataset: Path) -> None:
    files = {
        path.relative_to(dataset).as_posix(): {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in dataset.glob("*/*/*.png")
        if path.parts[-3] != "test"
    }
    files["test/images/t6.png"] = files["train/images/t1.png"]
    (dataset / "manifest.json").write_text(_manifest(files=files))
    (leak,) = TuningData.read(dataset).leaks
    assert (leak.first, leak.second) == ("test/images/t6.png", "train/images/t1.png")


def test_a_picture_in_train_and_val_is_a_leak_whatever_the_manifest_says(dataset: Path) -> None:
    shutil.copy(dataset / "train/images/t1.png", dataset / "val/images/t4.png")
    data = TuningData.read(dataset)
    assert [str(leak) for leak in data.leaks] == ["train/images/t1.png and val/images/t4.png: identical files"]
    assert not data.leaks_checked


def _described(dataset: Path, **changes: object) -> None:
    """Write a manifest of all files, in which every image is of the scene that ``scenes`` gives its name."""
    scenes = changes.pop("scenes", {})
    assert isinstance(scenes, dict)
    files: dict[str, dict[str, str]] = {}
    for path in dataset.glob("*/*/*.png"):
        files[path.relative_to(dataset).as_posix()] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        if path.parent.name == "images" and path.stem in scenes:
            files[path.relative_to(dataset).as_posix()]["scene"] = scenes[path.stem]
    (dataset / "manifest.json").write_text(_manifest(files=files, **changes))


def test_what_the_manifest_says_of_scenes_reaches_a_sweep(dataset: Path) -> None:
    plain = TuningData.read(dataset)
    assert (plain.scenes, plain.same_ground, plain.same_ground_checked) == ({}, (), False)
    assert not plain.published_split
    first, second = "train/images/t1.png", "train/images/t3.png"
    _described(
        dataset,
        scenes={"t1": "north", "t4": "north", "t6": "north"},
        leaks=[
            {"first": "train/images/t2.png", "second": "val/images/t5.png", "how": "identical files"},
            {"first": "train/images/t2.png", "second": "test/images/t6.png", "how": "identical files"},
        ],
        same_ground=[{"first": first, "second": second, "how": "the same ground on 9% of the smaller one"}],
        split_origin="published",
    )
    data = TuningData.read(dataset)
    assert data.scenes == {"t1": "north", "t4": "north"}
    assert data.same_ground == (("t2", "t5"), ("t1", "t3")) and data.same_ground_checked
    assert data.published_split
    assert data.fingerprint == plain.fingerprint


@pytest.mark.parametrize("origin", ["chosen", "automatic", None])
def test_other_splits_are_not_published(dataset: Path, origin: str | None) -> None:
    _described(dataset, split_origin=origin)
    assert not TuningData.read(dataset).published_split


def test_identical_images_of_train_and_val_show_the_same_ground(dataset: Path) -> None:
    shutil.copy(dataset / "train/images/t1.png", dataset / "val/images/t4.png")
    assert TuningData.read(dataset).same_ground == (("t1", "t4"),)


def test_a_manifest_round_trips(tmp_path: Path) -> None:
    manifest = Manifest(
        name="n",
        origin="o",
        licence="CC0-1.0",
        version="1",
        synthetic=True,
        splits={"train": ["ü"]},
        files={"train/images/ü.png": {"sha256": "x", "scene": "Zürich"}, "val/images/v.png": {"sha256": "y"}},
        notes={"a": 1},
        leaks=(Leak(first="a", second="b", how="c"),),
        same_ground=(Leak(first="d", second="e", how="f"),),
        split_origin="published",
    )
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    assert manifest.scene("train/images/ü.png") == "Zürich" and manifest.scene("val/images/v.png") is None
    assert Manifest.read(tmp_path / "elsewhere") is None
