"""Published datasets in other forms: unpacked side by side, packed again by libraries, or called otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweep.patches.splits.chosen import split_called
from tests.sweep.patches.layouts.replicas import areas, make, make_as_it_is, photo, put, run, shown
from tests.sweep.patches.layouts.test_aerial import ISPRS, LAND, blurred


def test_loveda_with_the_same_number_in_town_and_country(tmp_path: Path) -> None:
    for area, seed in (("Urban", 0), ("Rural", 1)):
        for split, number in (("Train", 0), ("Val", 2)):
            mask = areas(seed + number, [255, *range(7)])
            put(tmp_path / f"l/{split}/{area}/images_png/01.png", photo(seed + number))
            put(tmp_path / f"l/{split}/{area}/masks_png/01.png", np.where(mask == 255, 0, mask + 1).astype(np.uint8))
    every = [255, *range(7)]
    truth = {
        "train": {"Train_Urban_01": areas(0, every), "Train_Rural_01": areas(1, every)},
        "val": {"Val_Urban_01": areas(2, every), "Val_Rural_01": areas(3, every)},
    }
    make_as_it_is(tmp_path, tmp_path / "l", truth)


@pytest.mark.parametrize(
    ("image", "mask", "layout"),
    [
        ("4_Ortho_RGBIR/top_potsdam_{}_RGBIR.tif", "top_potsdam_{}_label.tif", "ISPRS Potsdam"),
        ("top/top_mosaic_09cm_area{}.tif", "top_mosaic_09cm_area{}.tif", "ISPRS Vaihingen"),
    ],
)
def test_isprs_with_the_labels_unpacked_beside_the_folders(tmp_path: Path, image: str, mask: str, layout: str) -> None:
    numbers = ("2_10", "3_11", "7_13") if "potsdam" in image else ("1", "3", "5")
    truth = {}
    for seed, (split, number) in enumerate(zip(("train", "val", "test"), numbers, strict=True)):
        expected = areas(seed, range(6))
        put(tmp_path / "i" / image.format(number), photo(seed))
        put(tmp_path / "i" / mask.format(number), shown(expected, ISPRS))
        name = Path(image.format(number)).stem.removesuffix("_RGBIR")
        truth[split] = {name: expected}
    assert f"{layout}: 3 images, 3 masks, 6 classes" in make(tmp_path, tmp_path / "i", truth)


def test_deepglobe_as_libraries_pack_it(tmp_path: Path) -> None:
    truth: dict[str, dict[str, np.ndarray]] = {"train": {}, "test": {}}
    for split, number in (("train", 1), ("train", 2), ("test", 3)):
        truth[split][str(number)] = areas(number, [*range(6), 255])
        folder = tmp_path / "d/data" / {"train": "training_data", "test": "test_data"}[split]
        put(folder / f"images/{number}_sat.jpg", photo(number))
        put(folder / f"masks/{number}_mask.png", blurred(shown(truth[split][str(number)], LAND), number))
    assert "DeepGlobe roads and land cover" in make_as_it_is(tmp_path, tmp_path / "d", truth)


def test_folders_of_openmmlab_whose_masks_have_an_ending_of_their_own(tmp_path: Path) -> None:
    names = {
        "train": ("GF2_PMS1__L1A0000564539-MSS1", "GF2_PMS2__L1A0000575925-MSS2"),
        "val": ("GF2_PMS1__L1A01-MSS1",),
    }
    truth = {split: {f"{split}_{name}": areas(len(name), [0, 1]) for name in found} for split, found in names.items()}
    for seed, (split, found) in enumerate(names.items()):
        for place, name in enumerate(found):
            put(tmp_path / f"GID/img_dir/{split}/{name}.tif", photo(10 * seed + place))
            put(tmp_path / f"GID/ann_dir/{split}/{name}_15label.png", truth[split][f"{split}_{name}"])
    put(tmp_path / "GID/img_dir/test/GF2_PMS1__L1A0001680857-MSS1.tif", photo(99))
    said = make_as_it_is(tmp_path, tmp_path / "GID", truth)
    assert "ann_dir/train/ *_15label for it" in said


def test_images_and_masks_of_one_number_and_two_words(tmp_path: Path) -> None:
    truth: dict[str, dict[str, np.ndarray]] = {}
    for split, numbers in (("train", (2, 10, 11)), ("val", (1,)), ("test", (4, 40))):
        truth[split] = {}
        for number in numbers:
            mask = areas(number, [0, 1])
            truth[split][f"{split}_img({number})"] = mask
            put(tmp_path / f"s/{split}/input/img({number}).tif", photo(number))
            put(tmp_path / f"s/{split}/labels/target({number}).tif", mask)
    said = make_as_it_is(tmp_path, tmp_path / "s", truth)
    assert "train/input/ holds img(*), and train/labels/ target(*) for it" in said


def test_names_that_share_nothing_are_not_paired(tmp_path: Path) -> None:
    for seed, (image, mask) in enumerate((("paris", "lisbon"), ("prague", "london"))):
        put(tmp_path / f"s/images/{image}.png", photo(seed))
        put(tmp_path / f"s/masks/{mask}.png", areas(seed, [0, 1]))
    code, _, error = run("make", "--src", tmp_path / "s", "--dst", tmp_path / "o")
    assert code == 2 and "whose names do not match (paris, lisbon)" in error


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("training_data", "train"),
        ("test_images", "test"),
        ("validation-set", "val"),
        ("train2017", "train"),
        ("trained", ""),
        ("data", ""),
        ("test_area", ""),
    ],
)
def test_what_publishers_call_splits(folder: str, split: str) -> None:
    assert split_called(folder) == split
