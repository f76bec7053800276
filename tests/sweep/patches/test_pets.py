"""Oxford-IIIT Pet through the command: a made folder of the published layout, and five real images without lists."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweep.patches.pets import PetsSettings, binary_mask, fit_tile
from tests.conftest import SHARED
from tests.sweep.patches.test_patches import _refused, _run
from trainables.data.manifest import Manifest
from trainables.data.tiles import SPLITS, TuningData, scan_split
from trainables.task import Task

REAL = SHARED / "pets"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="real pets are not here")


def _trimap(height: int, width: int) -> np.ndarray:
    """Draw a pet with a border around it."""
    trimap = np.full((height, width), 2, np.uint8)
    trimap[height // 4 : -height // 4, width // 4 : -width // 4] = 3
    trimap[height // 3 : -height // 3, width // 3 : -width // 3] = 1
    return trimap


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """The published layout with 20 images in trainval and 10 in test, of several sizes."""
    root = tmp_path / "pets"
    (root / "annotations" / "trimaps").mkdir(parents=True)
    (root / "images").mkdir()
    for list_name, numbers in (("trainval", range(20)), ("test", range(20, 30))):
        lines = []
        for number in numbers:
            height, width = (100, 140) if number % 2 else (120, 90)
            noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / "images" / f"cat_{number}.jpg")
            Image.fromarray(_trimap(height, width)).save(root / "annotations" / "trimaps" / f"cat_{number}.png")
            lines.append(f"cat_{number} 1 1 1\n")
        (root / "annotations" / f"{list_name}.txt").write_text("".join(lines))
    return root


def _import(pets: Path, *more: object) -> tuple[object, ...]:
    return ("import-pets", "--src", pets, "--dst", pets.parent / "out", "--size", "128", *more)


def _splits(root: Path) -> dict[str, list[str]]:
    manifest = Manifest.read(root)
    assert manifest is not None
    return dict(manifest.splits)


def test_the_lists_decide_the_splits(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(pets.rglob("*"))
    assert _run(*_import(pets)) == 0
    sheet = pets.parent / "out" / "contact_sheet.html"
    assert sheet.read_text().count('<article class="card"') == 30
    assert f"contact sheet  {sheet}" in capsys.readouterr().out
    splits = _splits(pets.parent / "out")
    assert [len(splits[split]) for split in SPLITS] == [17, 3, 10]
    assert set(splits["test"]) == {f"cat_{number}" for number in range(20, 30)}
    assert sorted(pets.rglob("*")) == before
    manifest = Manifest.read(pets.parent / "out")
    assert manifest is not None and manifest.licence == "CC-BY-SA-4.0" and not manifest.synthetic
    assert manifest.task == Task(classes=("background", "pet")) and manifest.leaks == ()


def test_the_seed_alone_decides_who_is_val(pets: Path) -> None:
    seen = []
    for seed in (0, 0, 1):
        assert _run(*_import(pets, "--seed", seed, "--val-share", "0.3", "--force")) == 0
        seen.append(_splits(pets.parent / "out"))
    assert seen[0] == seen[1] != seen[2] and seen[0]["test"] == seen[2]["test"]
    assert len(seen[0]["val"]) == 6


def test_a_count_is_divided_as_the_lists_are(pets: Path) -> None:
    assert _run(*_import(pets, "--subset", "15")) == 0
    splits = _splits(pets.parent / "out")
    assert [len(splits[split]) for split in SPLITS] == [8, 2, 5]
    assert _run(*_import(pets, "--counts", "3,1,1", "--force")) == 0
    splits = _splits(pets.parent / "out")
    assert [len(splits[split]) for split in SPLITS] == [3, 1, 1]
    assert int(splits["test"][0].removeprefix("cat_")) >= 20


def _reading(**changes: object) -> PetsSettings:
    fields = {"size": 64, "fit": "pad", "uncertain": "foreground", "seed": 0} | changes
    return PetsSettings(**fields)  # type: ignore[arg-type]


def test_uncertain_pixels_become_what_was_asked() -> None:
    trimap = np.array([[1, 2, 3]], np.uint8).repeat(3000, 0)
    for uncertain, value in (("foreground", 1), ("background", 0), ("ignore", 255)):
        mask = binary_mask("a", trimap, _reading(uncertain=uncertain))
        assert mask.tolist() == [[1, 0, value]] * 3000
    first, again, other, moved = (
        binary_mask(name, trimap, _reading(uncertain="random", seed=seed))
        for name, seed in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other) and not np.array_equal(first, moved)
    assert (first[:, :2] == [1, 0]).all() and set(first[:, 2]) == {0, 1}
    assert first[:, 2].mean() == pytest.approx(0.5, abs=0.03)  # three standard deviations


def test_larger_sides_are_cropped_around_the_centre_and_smaller_ones_padded() -> None:
    pixels = np.arange(100 * 50, dtype=np.int64).reshape(100, 50).astype(np.uint8)
    tile = fit_tile(pixels, _reading(), 255)
    assert tile.shape == (64, 64)
    assert np.array_equal(tile[:, 7:57], pixels[18:82])
    assert not tile[:, :7].any() and not tile[:, 57:].any()
    ignored = fit_tile(pixels, _reading(uncertain="ignore"), 255)
    assert (ignored[:, :7] == 255).all()
    assert fit_tile(np.ones((64, 70, 3), np.uint8), _reading(), 0).shape == (64, 64, 3)


def test_crop_leaves_small_images_out(pets: Path) -> None:
    assert _run(*_import(pets, "--fit", "crop", "--size", "96")) == 0
    splits = _splits(pets.parent / "out")
    kept = [int(name.removeprefix("cat_")) for names in splits.values() for name in names]
    assert sorted(kept) == list(range(1, 30, 2))  # the others are 90 wide
    manifest = Manifest.read(pets.parent / "out")
    assert manifest is not None and manifest.notes["left_out"] == 15


def test_ignored_pixels_are_written_and_read_again(pets: Path) -> None:
    assert _run(*_import(pets, "--uncertain", "ignore")) == 0
    tile = TuningData.read(pets.parent / "out").train[0]
    assert set(np.unique(tile.mask)) == {0, 1, 255}
    assert (tile.mask[:, 0] == 255).all() or (tile.mask[0] == 255).all()  # the padding


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "100"], "--size 100"),
        (["--seed", "-1"], "--seed -1"),
        (["--val-share", "1"], "--val-share 1"),
        (["--val-share", "nan"], "--val-share nan"),
        (["--subset", "2"], "--subset 2: must be at least 3"),
        (["--subset", "31"], "--subset 31"),
        (["--subset", "5", "--counts", "3,1,1"], "does not go with --counts"),
        (["--counts", "3,1"], "--counts 3,1: give three counts"),
        (["--counts", "3,0,1"], "--counts 3,0,1"),
        (["--counts", "20,1,1"], "there are only 20 in trainval and 10 in test"),
        (["--fit", "crop", "--size", "256"], "leaves a split without images"),
        (["--src", "nowhere"], "has no images/"),
    ],
)
def test_import_refuses_in_one_line_and_writes_nothing(arguments: list[str], said: str, pets: Path) -> None:
    _refused(said, *_import(pets, *arguments))
    assert [path.name for path in pets.parent.iterdir()] == ["pets"]


@pytest.mark.parametrize("value", [0, 4, 255])
def test_a_trimap_of_other_values_is_named(value: int, pets: Path) -> None:
    path = pets / "annotations" / "trimaps" / "cat_3.png"
    trimap = _trimap(100, 140)
    trimap[5, 5] = value
    Image.fromarray(trimap).save(path)
    _refused(f"{path}: holds the value {value}", *_import(pets))


def test_damaged_and_missing_files_are_all_named(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pets / "images" / "cat_1.jpg").unlink()
    (pets / "annotations" / "trimaps" / "cat_2.png").unlink()
    (pets / "images" / "cat_4.jpg").write_bytes(b"no picture")
    (pets / "annotations" / "trimaps" / "cat_5.png").write_bytes((pets / "images" / "cat_6.jpg").read_bytes()[:200])
    Image.fromarray(_trimap(80, 80)).save(pets / "annotations" / "trimaps" / "cat_7.png")
    assert _run(*_import(pets)) == 2
    errors = capsys.readouterr().err
    assert "Traceback" not in errors and errors.count("error: ") == 5
    for said in (
        "images/cat_1.jpg: no such file",
        "trimaps/cat_2.png: no such file",
        "images/cat_4.jpg: damaged",
        "trimaps/cat_5.png: damaged",
        "cat_7.png: is no 8-bit trimap of its image's size",
    ):
        assert f"{pets}/" in errors and said in errors, said


def test_lists_that_are_missing_or_damaged(pets: Path) -> None:
    (pets / "annotations" / "test.txt").write_text("cat_20\n")
    _refused("test.txt: no list of lines", *_import(pets))
    (pets / "annotations" / "test.txt").write_text("")
    _refused("test.txt: names no image", *_import(pets))
    (pets / "annotations" / "test.txt").unlink()
    _refused("test.txt: no such file, but the other list", *_import(pets))
    (pets / "annotations" / "trainval.txt").unlink()
    _refused("give --counts N,N,N", *_import(pets))
    assert _run(*_import(pets, "--counts", "5,2,3")) == 0
    _refused("there are only 30 in all", *_import(pets, "--counts", "25,3,3", "--force"))
    shutil.rmtree(pets / "annotations" / "trimaps")
    _refused("has no annotations/trimaps/", *_import(pets, "--force"))


@needs_real
def test_real_pets_without_lists(tmp_path: Path) -> None:
    common = ("import-pets", "--src", REAL, "--dst", tmp_path / "out")
    _refused("give --counts N,N,N", *common)
    assert _run(*common, "--counts", "3,1,1", "--size", "512") == 0
    seen = {}
    for split in SPLITS:
        tiles, faults = scan_split(tmp_path / "out", split, Task(classes=("background", "pet")))
        assert not faults
        seen |= {files.tile.name: files.tile for files in tiles}
    assert len(seen) == 5
    for name, tile in seen.items():  # nothing is cropped at 512: every pixel of the pet and its border is there
        trimap = np.asarray(Image.open(REAL / "annotations" / "trimaps" / f"{name}.png"))
        assert int(tile.mask.sum()) == int((trimap != 2).sum())
