"""Folders that are called in other ways: recognised by their words, said by hand, or described with what to say."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests.commands import run_here
from tests.sweep.patches.layouts.replicas import SPLITS, Mask, areas, compare, make, photo, put, run, shown, text

NAMES = ("a", "b", "c")
TRUTH: dict[str, dict[str, Mask]] = {
    split: {name: areas(seed, [0, 1])} for seed, (split, name) in enumerate(zip(SPLITS, NAMES, strict=True))
}


def lay(root: Path, image: str, mask: str, **how: object) -> Path:
    """Write the images and masks of ``TRUTH`` where two patterns say: {split}, {name}."""
    for seed, (split, tiles) in enumerate(TRUTH.items()):
        for name, values in tiles.items():
            put(root / image.format(split=split, name=name), photo(seed))
            put(root / mask.format(split=split, name=name), values * 255, **how)
    return root


def prefixed(*parts: str) -> dict[str, dict[str, Mask]]:
    return {split: {"_".join((*parts, name)): mask for name, mask in tiles.items()} for split, tiles in TRUTH.items()}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("imgs/{name}.tif", "msks/{name}.tif"),
        ("Images/{name}.png", "Annotations/{name}.tif"),
        ("image/{name}.png", "label/{name}_label.png"),
        ("photos/{name}.jpg", "photos_masks/{name}.png"),
        ("{name}.jpg", "{name}_mask.png"),
        ("{name}.jpg", "{name}_gt.tif"),
        ("data/set/{name}.png", "data/set/{name}_label.png"),
        ("{name}.tif", "{name}_m.png"),
    ],
)
def test_usual_names_are_recognised(tmp_path: Path, image: str, mask: str) -> None:
    said = make(tmp_path, lay(tmp_path / "in", image, mask), TRUTH)
    assert "3 images, 3 masks, 2 classes (background, foreground)" in said


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{split}/images/{name}.png", "{split}/masks/{name}.png"),
        ("img_dir/{split}/{name}.png", "ann_dir/{split}/{name}.png"),
    ],
)
def test_folders_of_splits_are_kept(tmp_path: Path, image: str, mask: str) -> None:
    source = lay(tmp_path / "in", image, mask)
    truth = {split: {f"{split}_{name}": one for name, one in tiles.items()} for split, tiles in TRUTH.items()}
    make(tmp_path, source, truth)
    assert json.loads((tmp_path / "tiles/manifest.json").read_text())["split_origin"] == "published"


@pytest.mark.parametrize(
    ("image", "mask", "flags"),
    [
        ("rgb_2020/{name}.png", "buildings/{name}.png", ["--images", "rgb_2020", "--masks", "buildings"]),
        ("x/{name}_rgb.png", "x/{name}_bld.png", ["--images", "x/*_rgb.png", "--masks", "x/*_bld.png"]),
        ("{split}/x/{name}.png", "{split}/y/{name}.png", ["--images", "*/x/*.png", "--masks", "*/y/*.png"]),
        ("x/{split}/{name}.png", "deep/y/{name}.png", ["--images", "x", "--masks", "deep/y"]),
        ("x/{name}.png", "x/{name}-roof.png", ["--mask-suffix=-roof"]),
        ("x/{name}.png", "y/{name}_roof.png", ["--images", "x", "--masks", "y", "--mask-suffix", "_roof"]),
        ("x/{name}.png", "y/{name}_roof.png", ["--masks", "y", "--mask-suffix", "_roof"]),
    ],
)
def test_what_is_said_by_hand_is_taken(tmp_path: Path, image: str, mask: str, flags: list[str]) -> None:
    stem = Path(image).stem.replace("{name}", "")
    truth = {split: {f"{name}{stem}": one for name, one in tiles.items()} for split, tiles in TRUTH.items()}
    said = make(tmp_path, lay(tmp_path / "in", image, mask), truth, *flags)
    assert "3 images, 3 masks" in said


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("first/{name}.tif", "second_labels_of_it/{name}.tif"),
        ("photo of it/{name}.tif", "drawn/{name}.tif"),
        ("a b/{name}.png", "b'c/{name}_roof.png"),
    ],
)
def test_an_unknown_folder_is_described_with_a_command_that_works(tmp_path: Path, image: str, mask: str) -> None:
    source = lay(tmp_path / "in", image, mask)
    code, _, error = run("make", "--src", source, "--dst", tmp_path / "no")
    assert code == 2 and "hold 3 and 3" in error and not (tmp_path / "no").exists()
    advised = re.search(r"; say (--images .*)$", error.strip())
    assert advised, error
    make(tmp_path, source, TRUTH, *shlex.split(advised[1]))


def test_a_folder_for_each_pair_is_described_with_a_command_that_works(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", "site {name}/photo.tif", "site {name}/drawn.tif")
    code, _, error = run("make", "--src", source, "--dst", tmp_path / "no")
    assert code == 2 and "each of 3 folders holds photo.tif and drawn.tif; say --images '*/photo.tif' --masks" in error
    truth = {split: {f"site {name}_photo": one for name, one in tiles.items()} for split, tiles in TRUTH.items()}
    make(tmp_path, source, truth, *shlex.split(error.partition("; say ")[2]))


def test_folders_of_other_names_are_described(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"in/first/a{number}.tif", photo(number))
        put(tmp_path / f"in/drawn_masks/b{number}.tif", areas(number, [0, 1]))
    code, _, error = run("make", "--src", tmp_path / "in", "--dst", tmp_path / "no")
    assert code == 2
    assert "first/ and drawn_masks/ hold 3 and 3 .tif files whose names do not match (a0, b0)" in error


def test_the_pets_are_sent_to_their_own_command(tmp_path: Path) -> None:
    put(tmp_path / "in/images/Abyssinian_1.jpg", photo(0))
    put(tmp_path / "in/annotations/trimaps/Abyssinian_1.png", areas(0, [1, 2, 3]))
    code, _, error = run("make", "--src", tmp_path / "in", "--dst", tmp_path / "no")
    assert code == 2 and f"is Oxford-IIIT Pet; say python -m sweep.patches import-pets --src {tmp_path}/in" in error


def test_an_empty_folder_and_one_without_rasters_are_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    code, _, error = run("make", "--src", tmp_path / "in", "--dst", tmp_path / "no")
    assert code == 2 and "holds no file; name the folder that holds the images" in error
    text(tmp_path / "in/x/a.npy", "")
    code, _, error = run("make", "--src", tmp_path / "in", "--dst", tmp_path / "no")
    assert code == 2 and "holds no raster (.tif," in error and "but x/: 1 .npy" in error


def test_labels_without_a_flag_are_pointed_at(tmp_path: Path) -> None:
    put(tmp_path / "in/images/a.png", photo(0))
    text(tmp_path / "in/what.xml", "{}")
    code, _, error = run("make", "--src", tmp_path / "in", "--dst", tmp_path / "no")
    assert code == 2 and f"say --labels {tmp_path}/in/what.xml" in error


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--images", "nowhere"], "--images nowhere: names no raster in"),
        (["--images", "x", "--masks", "x"], "3 files would be image and mask, such as x/a.png"),
        (["--mask-suffix", "_z"], "no raster of"),
        (["--images", "x"], "--masks *: 3 masks"),
        (["--masks", "y", "--labels", "a.json"], "--masks y: does not go with --labels"),
    ],
)
def test_wrong_flags_are_one_line(tmp_path: Path, flags: list[str], said: str) -> None:
    source = lay(tmp_path / "in", "x/{name}.png", "y/n_{name}.png")
    code, _, error = run("make", "--src", source, "--dst", tmp_path / "no", *flags)
    assert code == 2 and len(error.splitlines()) == 1
    assert said in error or (flags == ["--images", "x"] and "none of one name" in error)


def test_an_image_without_mask_says_what_was_looked_for(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", "images/{name}.png", "masks/{name}_mask.png")
    put(source / "images/d.png", photo(9))
    code, _, error = run("make", "--src", source, "--dst", tmp_path / "no")
    assert code == 2 and f"images/d.png: has no mask d_mask.* in {source}/masks; add it" in error
    code, _, error = run(
        "make",
        "--src",
        source,
        "--dst",
        tmp_path / "no",
        "--images",
        "images",
        "--masks",
        "masks",
        "--mask-suffix",
        "_mask",
    )
    assert code == 2 and "images/d.png: has no mask, looked for d_mask.* in masks; add it" in error


def test_two_masks_for_an_image_are_a_fault_that_names_both(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", "images/{name}.png", "masks/{name}.png")
    put(source / "masks/a.tif", areas(0, [0, 1]))
    code, _, error = run("make", "--src", source, "--dst", tmp_path / "no")
    assert code == 2 and "masks/a.tif: same name as a.png, and only one can be meant" in error
    source = lay(tmp_path / "austin", "images/austin{name}.tif", "gt/austin{name}.tif")
    for path in sorted(source.rglob("*.tif")):
        path.rename(path.with_name(f"austin{'abc'.index(path.stem[-1]) + 1}.tif"))
    put(source / "gt/austin1.png", areas(0, [0, 1]))
    code, _, error = run("make", "--src", source, "--dst", tmp_path / "no")
    assert code == 2 and "images/austin1.tif: has two masks, austin1.png and austin1.tif" in error


def test_two_folders_of_masks_are_told_apart_by_hand(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", "images/{name}.png", "masks/{name}.png")
    lay(tmp_path / "in", "images/{name}.png", "gt/{name}.png")
    code, _, error = run("make", "--src", source, "--dst", tmp_path / "no")
    advised = re.search(r"say which: (--images images --masks (masks|gt))", error)
    assert code == 2 and advised
    make(tmp_path, source, TRUTH, *advised[1].split())


def test_masks_are_taken_before_labels_and_it_is_said(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", "images/{name}.png", "masks/{name}.png")
    shape = {"label": "roof", "shape_type": "rectangle", "points": [[8, 8], [40, 40]]}
    for name in NAMES:
        size = {"imagePath": f"{name}.png", "imageWidth": 64, "imageHeight": 64}
        text(source / f"images/{name}.json", json.dumps({"version": "5.0.1", "flags": {}, "shapes": [shape], **size}))
    said = make(tmp_path, source, TRUTH)
    advised = re.search(r"the masks are taken; labels \(LabelMe, X-AnyLabeling\) are there, too: (--labels \S+)", said)
    assert advised, said
    drawn = np.zeros((64, 64), np.uint8)
    drawn[8:40, 8:40] = 1
    painted = {split: dict.fromkeys(tiles, drawn) for split, tiles in TRUTH.items()}
    make(tmp_path, source, painted, "--force", *shlex.split(advised[1]))


def test_a_legend_beside_the_masks_is_read(tmp_path: Path) -> None:
    colours = [(0, 0, 0), (255, 0, 0), (0, 0, 255)]
    truth = {
        split: {name: areas(seed, [0, 1, 2])} for seed, (split, name) in enumerate(zip(SPLITS, NAMES, strict=True))
    }
    for seed, tiles in enumerate(truth.values()):
        for name, mask in tiles.items():
            put(tmp_path / f"in/images/{name}.png", photo(seed))
            put(tmp_path / f"in/masks/{name}.png", shown(mask, colours))
    text(tmp_path / "in/class_dict.csv", "name,r,g,b", "soil,0,0,0", "roof,255,0,0", "pool,0,0,255")
    assert "3 classes (soil, roof, pool)" in make(tmp_path, tmp_path / "in", truth)
    text(tmp_path / "in/class_dict.csv", "name,r,g,b", "soil,0,0,0", "roof,1,0,0", "pool,0,0,255")
    flags = ("--split", tmp_path / "split.toml", "--size", 64)
    code, said, error = run("make", "--src", tmp_path / "in", "--dst", tmp_path / "no", *flags)
    assert code == 2 and "class_dict.csv names other colours than the masks show; it is not used" in said
    assert "is a mask in colours; say which colour is foreground" in error


def test_a_legend_of_two_classes_is_binary(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", "images/{name}.png", "masks/{name}.png")
    for path in (source / "masks").iterdir():
        put(path, shown(TRUTH[SPLITS[NAMES.index(path.stem)]][path.stem], [(0, 0, 0), (255, 255, 255)]))
    text(source / "class_dict.csv", "name,r,g,b", "road,255,255,255", "other,0,0,0")
    make(tmp_path, source, TRUTH)
    task = json.loads((tmp_path / "tiles/manifest.json").read_text())["task"]
    assert task["kind"] == "binary" and task["classes"] == ["other", "road"]


def test_jpeg_masks_are_divided_at_the_middle(tmp_path: Path) -> None:
    rolled = {split: {name: np.roll(mask, 3) for name, mask in tiles.items()} for split, tiles in TRUTH.items()}
    for seed, tiles in enumerate(rolled.values()):
        for name, mask in tiles.items():
            put(tmp_path / f"in/images/{name}.jpg", photo(seed))
            put(tmp_path / f"in/masks/{name}.jpg", mask * 255, quality=70)
    assert "blurred by their compression: above 127 is foreground" in make(tmp_path, tmp_path / "in", rolled)


def test_flags_go_before_what_a_publisher_says(tmp_path: Path) -> None:
    names = ("M-33-7-A-d-2-3", "M-34-5-D-d-4-2", "N-34-140-A-d-3-4")
    masks = [areas(seed, [0, 1, 2, 3]) for seed in range(3)]
    for seed, name in enumerate(names):
        put(tmp_path / f"in/images/{name}.tif", photo(seed))
        put(tmp_path / f"in/masks/{name}.tif", masks[seed])
    truth = {
        split: {name: (mask == 2).astype(np.uint8)} for split, name, mask in zip(SPLITS, names, masks, strict=True)
    }
    make(tmp_path, tmp_path / "in", truth, "--foreground", "2")


def test_a_dry_run_shows_pairs_and_split_and_writes_nothing(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", "images/{name}.png", "masks/{name}_mask.png")
    text(tmp_path / "s.toml", 'train = ["a"]', 'val = ["b"]', 'test = ["c"]')
    flags = ("--src", source, "--dst", tmp_path / "no", "--split", tmp_path / "s.toml", "--size", 64, "--dry-run")
    code, said, error = run("make", *flags)
    assert code == 0, error
    assert "3 images: train 1, val 1, test 1" in said and "nothing was written" in said
    assert not (tmp_path / "no").exists()
    events = [json.loads(line) for line in run_here("patches", "make", *flags, "--json").stdout.splitlines()]
    pairs = {one["name"]: one for one in events if one["event"] == "pair"}
    assert {name: one["split"] for name, one in pairs.items()} == {"a": "train", "b": "val", "c": "test"}
    assert pairs["a"]["image"].endswith("images/a.png") and pairs["a"]["mask"].endswith("masks/a_mask.png")
    (layout,) = [one for one in events if one["event"] == "layout"]
    assert (layout["images"], layout["masks"], layout["classes"]) == (3, 3, ["background", "foreground"])


def test_the_comparison_of_these_tests_can_fail(tmp_path: Path) -> None:
    make(tmp_path, lay(tmp_path / "in", "images/{name}.png", "masks/{name}.png"), TRUTH)
    with pytest.raises(AssertionError):
        compare(
            tmp_path / "tiles", {split: {name: 1 - mask for name, mask in one.items()} for split, one in TRUTH.items()}
        )
