"""Benchmarks of aerial and satellite images, as they are published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.sweep.patches.layouts.replicas import Mask, areas, make, make_as_it_is, photo, put, shown, text

Truth = dict[str, dict[str, Mask]]
LOVEDA = range(1, 8)
ISAID = [
    *((0, 0, 0), (0, 0, 63), (0, 63, 63), (0, 63, 0), (0, 63, 127), (0, 63, 191), (0, 63, 255), (0, 127, 63)),
    *((0, 127, 127), (0, 0, 127), (0, 0, 191), (0, 0, 255), (0, 191, 127), (0, 127, 191), (0, 127, 255)),
    (0, 100, 155),
]
ISPRS = [(255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)]
LAND = [(0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
DUBAI = [(132, 41, 246), (60, 16, 152), (110, 193, 228), (254, 221, 58), (226, 169, 41)]


def _three(names: str, values: list[int]) -> Truth:
    """Return a tile a split, with masks of the values."""
    parts = zip(("train", "val", "test"), names.split(), strict=True)
    return {split: {name: areas(seed, values)} for seed, (split, name) in enumerate(parts)}


def _of(truth: Truth) -> Mapping[str, Mask]:
    return {name: mask for tiles in truth.values() for name, mask in tiles.items()}


def blurred(pixels: Mask, seed: int) -> Mask:
    """Return colours that are off by up to 60, as resizing leaves them."""
    off = np.random.default_rng(seed).integers(0, 61, pixels.shape, dtype=np.uint8)
    return np.where(pixels < 128, off, 255 - off).astype(np.uint8)


def test_inria(tmp_path: Path) -> None:
    truth = _three("austin1 chicago12 vienna36", [0, 1])
    for seed, (name, mask) in enumerate(_of(truth).items()):
        put(tmp_path / f"AerialImageDataset/train/images/{name}.tif", photo(seed))
        put(tmp_path / f"AerialImageDataset/train/gt/{name}.tif", mask * 255)
    put(tmp_path / "AerialImageDataset/test/images/sfo1.tif", photo(9))
    said = make(tmp_path, tmp_path / "AerialImageDataset", truth)
    assert "Inria Aerial Image Labeling: 3 images, 3 masks, 2 classes (background, foreground)" in said
    assert "test/images: without masks, left out: 1 image" in said


def test_whu(tmp_path: Path) -> None:
    truth = _three("11 12 13", [0, 1])
    for (split, tiles), seed in zip(truth.items(), range(3), strict=True):
        for name, mask in tiles.items():
            put(tmp_path / f"whu/{split}/image/{name}.tif", photo(seed))
            put(tmp_path / f"whu/{split}/label/{name}.tif", mask * 255)
    assert "WHU building: 3 images" in make_as_it_is(tmp_path, tmp_path / "whu", truth)


@pytest.mark.parametrize("colour", [(255, 0, 0), (255, 255, 255)])
def test_massachusetts(tmp_path: Path, colour: tuple[int, ...]) -> None:
    truth = _three("22678915_15 22678930_15 22828930_15", [0, 1])
    for (split, tiles), seed in zip(truth.items(), range(3), strict=True):
        for name, mask in tiles.items():
            for kind, endings in (("tiff", ("tiff", "tif")), ("png", ("png", "png"))):
                put(tmp_path / f"data/{kind}/{split}/{name}.{endings[0]}", photo(seed))
                put(tmp_path / f"data/{kind}/{split}_labels/{name}.{endings[1]}", shown(mask, [(0, 0, 0), colour]))
    said = make_as_it_is(tmp_path, tmp_path / "data", truth)
    assert "Massachusetts Buildings and Roads: 3 images" in said
    assert "png: holds the images of tiff/ again and is left out" in said


def test_loveda(tmp_path: Path) -> None:
    truth = _three("2522 3514 5167", [255, 0, 1, 2, 3, 4, 5, 6])
    for (split, tiles), area in zip(truth.items(), ("Urban", "Rural", "Urban"), strict=True):
        for name, mask in tiles.items():
            folder = tmp_path / "LoveDA" / ("Val" if split == "val" else "Train") / area
            put(folder / f"images_png/{name}.png", photo(int(name)))
            put(folder / f"masks_png/{name}.png", np.where(mask == 255, 0, mask + 1).astype(np.uint8))
    put(tmp_path / "LoveDA/Test/Rural/images_png/4191.png", photo(1))
    said = make(tmp_path, tmp_path / "LoveDA", truth)
    assert "LoveDA: 3 images, 3 masks, 7 classes" in said
    kept = {"train": {**truth["train"], **truth["test"]}, "val": truth["val"]}
    make_as_it_is(tmp_path, tmp_path / "LoveDA", kept, "--force")
    assert "Test/Rural/images_png: without masks, left out: 1 image" in said


def test_deepglobe_roads(tmp_path: Path) -> None:
    truth = _three("6 104 892", [0, 1])
    for seed, (name, mask) in enumerate(_of(truth).items()):
        put(tmp_path / f"dg/train/{name}_sat.jpg", photo(seed))
        put(
            tmp_path / f"dg/train/{name}_mask.png",
            blurred(shown(mask, [(0, 0, 0), (255, 255, 255)])[..., :1], seed).repeat(3, -1),
        )
    put(tmp_path / "dg/valid/7_sat.jpg", photo(8))
    said = make(tmp_path, tmp_path / "dg", truth)
    assert "valid: without masks, left out: 1 image" in said


def test_deepglobe_land_cover(tmp_path: Path) -> None:
    truth = _three("119 606 2334", [0, 1, 2, 3, 4, 5, 255])
    for seed, (name, mask) in enumerate(_of(truth).items()):
        put(tmp_path / f"dg/train/{name}_sat.jpg", photo(seed))
        put(tmp_path / f"dg/train/{name}_mask.png", blurred(shown(mask, LAND), seed))
    assert "6 classes" in make(tmp_path, tmp_path / "dg", truth)


def test_landcover_ai(tmp_path: Path) -> None:
    truth = _three("M-33-7-A-d-2-3 M-34-5-D-d-4-2 N-34-140-A-d-3-4", [0, 1, 2, 3, 4])
    for seed, (name, mask) in enumerate(_of(truth).items()):
        put(tmp_path / f"lc/images/{name}.tif", photo(seed))
        put(tmp_path / f"lc/masks/{name}.tif", mask)
    said = make(tmp_path, tmp_path / "lc", truth)
    assert "LandCover.ai: 3 images, 3 masks, 5 classes (background, building, woodland, water, road)" in said


def test_landcover_ai_as_its_script_cuts_it(tmp_path: Path) -> None:
    truth = _three("M-33-7-A-d-2-3_0 M-33-7-A-d-2-3_11 N-34-140-A-d-3-4_2", [0, 1, 2, 3, 4])
    for seed, (name, mask) in enumerate(_of(truth).items()):
        put(tmp_path / f"lc/output/{name}.jpg", photo(seed))
        put(tmp_path / f"lc/output/{name}_m.png", mask[..., None].repeat(3, -1))
    for split, tiles in truth.items():
        text(tmp_path / f"lc/{split}.txt", *tiles)
    make_as_it_is(tmp_path, tmp_path / "lc", truth)


@pytest.mark.parametrize(("labels", "suffix"), [("5_Labels_all", ""), ("5_Labels_all_noBoundary", "_noBoundary")])
def test_potsdam(tmp_path: Path, labels: str, suffix: str) -> None:
    truth = _three("top_potsdam_2_10 top_potsdam_3_11 top_potsdam_7_13", [0, 1, 2, 3, 4, 5, *([255] if suffix else [])])
    for seed, (name, mask) in enumerate(_of(truth).items()):
        put(tmp_path / f"Potsdam/2_Ortho_RGB/{name}_RGB.tif", photo(seed))
        put(tmp_path / f"Potsdam/3_Ortho_IRRG/{name}_IRRG.tif", photo(seed + 50))
        colours = shown(mask, ISPRS)
        colours[(mask == 4), 0] = 252  # as in the published top_potsdam_4_12_label.tif
        put(tmp_path / f"Potsdam/{labels}/{name}_label{suffix}.tif", colours)
    put(tmp_path / "Potsdam/2_Ortho_RGB/top_potsdam_6_15_RGB.tif", photo(9))
    said = make(tmp_path, tmp_path / "Potsdam", truth)
    assert "the images are RGB; IRRG are left out" in said
    assert "without masks, left out: 1 image" in said


def test_vaihingen(tmp_path: Path) -> None:
    names = "top_mosaic_09cm_area1 top_mosaic_09cm_area3 top_mosaic_09cm_area5"
    truth = _three(names, [0, 1, 2, 3, 4, 5])
    for seed, (name, mask) in enumerate(_of(truth).items()):
        put(tmp_path / f"v/top/{name}.tif", photo(seed))
        put(tmp_path / f"v/gts_for_participants/{name}.tif", shown(mask, ISPRS))
    put(tmp_path / "v/top/top_mosaic_09cm_area2.tif", photo(9))
    assert "ISPRS Vaihingen: 3 images, 3 masks, 6 classes" in make(tmp_path, tmp_path / "v", truth)


@pytest.mark.parametrize("masks", ["images", "Semantic_masks/images"])
def test_isaid(tmp_path: Path, masks: str) -> None:
    truth = {
        "train": {"P0002": areas(1, range(16))},
        "val": {"P0003": areas(2, range(16))},
        "test": {"P0004": areas(3, [0, 8, 9])},
    }
    for split, tiles in truth.items():
        folder = tmp_path / "iSAID" / ("val" if split == "val" else "train")
        for name, mask in tiles.items():
            put(folder / f"images/{name}.png", photo(int(name[1:])))
            put(folder / f"{masks}/{name}_instance_color_RGB.png", shown(mask, ISAID))
            put(folder / f"{masks.replace('Semantic', 'Instance')}/{name}_instance_id_RGB.png", photo(77))
    put(tmp_path / "iSAID/test/images/P0006.png", photo(6))
    said = make(tmp_path, tmp_path / "iSAID", truth)
    assert "iSAID: 3 images, 3 masks, 16 classes" in said
    assert "test/images: without masks, left out: 1 image" in said


def test_xview2(tmp_path: Path) -> None:
    truth = _three("guatemala-volcano_00000001 palu-tsunami_00000002 santa-rosa-wildfire_00000003", [0, 1])
    for (split, tiles), folder in zip(truth.items(), ("tier3", "hold", "test"), strict=True):
        for name, mask in tiles.items():
            for seed, when in ((1, "pre"), (2, "post")):
                put(
                    tmp_path / f"xbd/{folder}/images/{name}_{when}_disaster.png",
                    photo(seed + len(name) * 3 + len(split)),
                )
                values = mask if when == "pre" else mask * 4
                put(tmp_path / f"xbd/{folder}/targets/{name}_{when}_disaster_target.png", values)
    assert "after the disaster, left out: 3 images" in make_as_it_is(tmp_path, tmp_path / "xbd", truth)


@pytest.mark.parametrize("legend", ["", "its own", "another"])
def test_dubai(tmp_path: Path, legend: str) -> None:
    truth = _three("Tile1_image_part_001 Tile2_image_part_001 Tile3_image_part_002", [0, 1, 2, 3, 4, 255])
    order = [1, 0, 2, 3, 4] if legend == "its own" else range(5)
    names = ["Building", "Land", "Road", "Vegetation", "Water", "Unlabeled"]
    colours = [DUBAI[index] for index in order]
    for seed, (name, mask) in enumerate(_of(truth).items()):
        folder, _, part = name.partition("_")
        put(tmp_path / f"dubai/{folder}/images/{part}.jpg", photo(seed))
        put(tmp_path / f"dubai/{folder}/masks/{part}.png", shown(mask, colours, (155, 155, 155)))
    if legend:
        shown_as = [*colours, (155, 155, 155)] if legend == "its own" else [(9, 9, index) for index in range(6)]
        codes = [
            f'{{"title": "{name}", "color": "#{bytes(one).hex().upper()}"}}'
            for name, one in zip(names, shown_as, strict=True)
        ]
        text(tmp_path / "dubai/classes.json", f'{{"classes": [{", ".join(codes)}]}}')
    said = make(tmp_path, tmp_path / "dubai", truth)
    assert ("classes.json names other colours" in said) == (legend == "another")
    assert ("5 classes (Building, Land" in said) == (legend == "its own")
