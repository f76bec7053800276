"""Benchmarks of photographs and medical images, and masks as labelling programs export them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.sweep.patches.layouts.replicas import SPLITS, Mask, areas, make, make_as_it_is, photo, put, run, shown, text

Truth = dict[str, dict[str, Mask]]
CAMVID = {"Animal": (64, 128, 64), "Archway": (192, 0, 128), "Sky": (128, 128, 128), "Void": (0, 0, 0)}
PARTS = {"red": (10, 128, 0), "green": (0, 108, 128)}


def one_each(names: str, values: list[int]) -> Truth:
    return {
        split: {name: areas(seed, values)} for seed, (split, name) in enumerate(zip(SPLITS, names.split(), strict=True))
    }


def tiles(truth: Truth) -> list[tuple[int, str, str, Mask]]:
    return [(seed, split, *item) for seed, split in enumerate(truth) for item in truth[split].items()]


def test_kvasir(tmp_path: Path) -> None:
    names = "cju0qkwl35piu0993l0dewei2 cju0qoxqj9q6s0835b43399p4 cju0qx73cjw570799j4n5cjze"
    truth = {
        split: {name: np.roll(areas(7, [0, 1]), 3, (0, 1))} for split, name in zip(SPLITS, names.split(), strict=True)
    }
    for seed, _, name, mask in tiles(truth):
        put(tmp_path / f"Kvasir-SEG/images/{name}.jpg", photo(seed))
        put(tmp_path / f"Kvasir-SEG/masks/{name}.jpg", (mask * 255)[..., None].repeat(3, -1), quality=75)
        assert len(np.unique(np.asarray(Image.open(tmp_path / f"Kvasir-SEG/masks/{name}.jpg")))) > 2
    text(tmp_path / "Kvasir-SEG/kavsir_bboxes.json", "{}")
    assert "Kvasir-SEG: 3 images, 3 masks" in make(tmp_path, tmp_path / "Kvasir-SEG", truth)


@pytest.mark.parametrize("form", ["folders of splits", "as filmed", "images and labels"])
def test_camvid(tmp_path: Path, form: str) -> None:
    truth = one_each("0001TP_006690 0016E5_07959 Seq05VD_f00000", [0, 1, 2, 255])
    for seed, split, name, mask in tiles(truth):
        images, labels = {
            "folders of splits": (split, f"{split}_labels"),
            "as filmed": ("701_StillsRaw_full", "LabeledApproved_full"),
            "images and labels": ("images", "labels"),
        }[form]
        put(tmp_path / f"CamVid/{images}/{name}.png", photo(seed))
        put(tmp_path / f"CamVid/{labels}/{name}_L.png", shown(mask, [*CAMVID.values()][:3]))
    if form == "as filmed":
        text(tmp_path / "CamVid/label_colors.txt", *(f"{r} {g} {b}\t\t{name}" for name, (r, g, b) in CAMVID.items()))
    else:
        rows = (f"{name},{r},{g},{b}" for name, (r, g, b) in CAMVID.items())
        text(tmp_path / "CamVid/class_dict.csv", "name,r,g,b", *rows)
    said = make(tmp_path, tmp_path / "CamVid", truth)
    assert "CamVid: 3 images, 3 masks, 3 classes (Animal, Archway, Sky)" in said


def test_camvid_of_segnet(tmp_path: Path) -> None:
    truth = one_each("0001TP_006690 0016E5_07959 Seq05VD_f00000", [*range(11), 255])
    for seed, split, name, mask in tiles(truth):
        put(tmp_path / f"CamVid/{split}/{name}.png", photo(seed))
        put(tmp_path / f"CamVid/{split}annot/{name}.png", np.where(mask == 255, 11, mask).astype(np.uint8))
        text(
            tmp_path / f"CamVid/{split}.txt",
            f"/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png",
        )
    assert "CamVid as SegNet has it: 3 images, 3 masks, 11 classes" in make_as_it_is(
        tmp_path, tmp_path / "CamVid", truth
    )


def test_cityscapes(tmp_path: Path) -> None:
    ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    table = np.zeros(256, np.uint8)
    table[:19] = ids
    truth = one_each("aachen_000000_000019 bremen_000001_000019 frankfurt_000000_000294", [*range(19), 255])
    for seed, split, name, mask in tiles(truth):
        folder = f"{'val' if split == 'test' else 'train'}/{name.split('_')[0]}"
        put(tmp_path / f"city/leftImg8bit/{folder}/{name}_leftImg8bit.png", photo(seed))
        ignored = np.random.default_rng(seed).choice([0, 1, 4, 9, 16, 29], mask.shape)
        fine = tmp_path / f"city/gtFine/{folder}/{name}_gtFine_"
        put(Path(f"{fine}labelIds.png"), np.where(mask == 255, ignored, table[mask]).astype(np.uint8))
        put(Path(f"{fine}color.png"), photo(seed + 90))
        put(Path(f"{fine}instanceIds.png"), mask)
    put(tmp_path / "city/leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png", photo(9))
    put(tmp_path / "city/gtFine/test/berlin/berlin_000000_000019_gtFine_labelIds.png", areas(9, [3]))
    said = make(tmp_path, tmp_path / "city", truth)
    assert "Cityscapes: 3 images, 3 masks, 19 classes (road, sidewalk," in said
    assert "the publisher keeps the masks of test: left out: 1 image" in said


def voc_palette() -> list[int]:
    """Return the colours by which VOC shows its indices, as its development kit counts them."""
    return [
        sum(((index >> (3 * bit + band)) & 1) << (7 - bit) for bit in range(8))
        for index in range(256)
        for band in range(3)
    ]


def test_voc(tmp_path: Path) -> None:
    truth = one_each("2007_000032 2007_000033 2007_000039", [0, 1, 5, 15, 20, 255])
    root = tmp_path / "VOCdevkit/VOC2012"
    for seed, split, name, mask in tiles(truth):
        put(root / f"JPEGImages/{name}.jpg", photo(seed))
        put(root / f"SegmentationClass/{name}.png", mask, palette=voc_palette())
        put(root / f"SegmentationObject/{name}.png", mask % 7, palette=voc_palette())
        text(root / f"ImageSets/Segmentation/{split}.txt", name)
    put(root / "JPEGImages/2007_000027.jpg", photo(9))
    text(root / "ImageSets/Segmentation/trainval.txt", "2007_000032", "2007_000033")
    text(root / "Annotations/2007_000032.xml", "<annotation/>")
    said = make_as_it_is(tmp_path, tmp_path / "VOCdevkit", truth)
    assert "Pascal VOC: 3 images, 3 masks, 21 classes (background, aeroplane," in said
    assert "without masks, left out: 1 image" in said


def test_carvana(tmp_path: Path) -> None:
    truth = one_each("00087a6bd4dc_01 02159e548029_16 fff9b3a5373f_03", [0, 1])
    for seed, _, name, mask in tiles(truth):
        put(tmp_path / f"carvana/train/{name}.jpg", photo(seed))
        put(tmp_path / f"carvana/train_masks/{name}_mask.gif", mask, palette=[0, 0, 0, 255, 255, 255])
    put(tmp_path / "carvana/test/0004d4463b50_01.jpg", photo(9))
    said = make(tmp_path, tmp_path / "carvana", truth)
    assert "Carvana: 3 images, 3 masks, 2 classes" in said and "test: without masks, left out: 1 image" in said


@pytest.mark.parametrize("coded", ["colours", "palette"])
def test_cvat_masks(tmp_path: Path, coded: str) -> None:
    truth = one_each("a b c", [0, 1, 2])
    colours = [(0, 0, 0), *PARTS.values()]
    for seed, split, name, mask in tiles(truth):
        put(tmp_path / f"cvat/JPEGImages/{name}.png", photo(seed))
        flat = [one for colour in colours for one in colour]
        if coded == "palette":
            put(tmp_path / f"cvat/SegmentationClass/{name}.png", mask, palette=flat)
        else:
            put(tmp_path / f"cvat/SegmentationClass/{name}.png", shown(mask, colours))
        put(tmp_path / f"cvat/SegmentationObject/{name}.png", photo(seed + 60))
        subset = {"train": "Train", "val": "Validation", "test": "Test"}[split]
        text(tmp_path / f"cvat/ImageSets/Segmentation/{subset}.txt", name)
    rows = (f"{name}:{r},{g},{b}::" for name, (r, g, b) in {"background": (0, 0, 0), **PARTS}.items())
    text(tmp_path / "cvat/labelmap.txt", "# label:color_rgb:parts:actions", *rows)
    assert "3 classes (background, red, green)" in make_as_it_is(tmp_path, tmp_path / "cvat", truth)


def test_cvat_masks_without_their_images_say_what_to_export(tmp_path: Path) -> None:
    put(tmp_path / "cvat/SegmentationClass/a.png", shown(areas(0, [0, 1]), [(0, 0, 0), (9, 9, 9)]))
    text(tmp_path / "cvat/labelmap.txt", "background:0,0,0::", "roof:9,9,9::")
    code, _, error = run("make", "--src", tmp_path / "cvat", "--dst", tmp_path / "out")
    assert code == 2 and 'holds 1 mask of CVAT in SegmentationClass/ without images; export again with "Save' in error


def test_roboflow_masks(tmp_path: Path) -> None:
    truth = one_each("a_jpg.rf.1 b_jpg.rf.2 c_jpg.rf.3", [0, 1, 2])
    for seed, split, name, mask in tiles(truth):
        folder = tmp_path / "rf" / ("valid" if split == "val" else split)
        put(folder / f"{name}.jpg", photo(seed))
        put(folder / f"{name}_mask.png", mask)
        text(folder / "_classes.csv", "Pixel Value, Class", "0, background", "1, roof", "2, pool")
    assert "3 classes (background, roof, pool)" in make_as_it_is(tmp_path, tmp_path / "rf", truth)
    text(tmp_path / "rf/test/_classes.csv", "Pixel Value, Class", "0, background", "1, pool", "2, roof")
    code, _, error = run("make", "--src", tmp_path / "rf", "--dst", tmp_path / "other")
    assert code == 2 and "_classes.csv: names other classes than that of test/; export all splits together" in error
