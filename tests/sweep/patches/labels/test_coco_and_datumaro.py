"""COCO in one file and in several, and Datumaro."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.sweep.patches.labels.program_files import (
    HEIGHT,
    POOL,
    ROOF,
    WIDTH,
    boxes,
    coco,
    flat,
    masks_of,
    open_folder,
    require_refused,
    write_images,
    write_json,
)


def test_roboflow_s_coco_has_a_file_per_split_and_a_dummy_category(tmp_path: Path) -> None:
    folder = tmp_path / "yards"
    for split in ("train", "valid", "test"):
        write_images(folder / split, "a_jpg.rf.1.jpg", f"{split}.jpg")
        write_json(folder / split / "_annotations.coco.json", coco("a_jpg.rf.1.jpg", f"{split}.jpg"))
    (folder / "README.roboflow.txt").write_text("yards")
    found = open_folder(folder, classes="all")
    assert found.task.classes == ("background", "pool", "roof")  # no yards
    assert {one.split for one in found.sources.values()} == {"train", "val", "test"} and len(found.sources) == 6
    assert all(np.array_equal(mask, boxes(2, 1)) for mask in masks_of(found).values())
    require_refused(f"'truck' is no label of {folder}; it holds 'roof' (6), 'pool' (6)", folder, classes="truck")


def test_coco_s_own_folders(tmp_path: Path) -> None:
    """Several files, folders in names, captions beside; a hole by run lengths."""
    from pycocotools import mask as library

    ring = boxes(1)
    ring[12:20, 12:20] = 0
    encoded = library.encode(np.asfortranarray(ring))
    runs = {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()}
    folder = write_images(tmp_path / "coco", "train2017/000000000001.jpg", "val2017/000000000001.jpg", "val2017/2.jpg")
    for split, names in (("train2017", ["000000000001.jpg"]), ("val2017", ["val2017/000000000001.jpg", "2.jpg"])):
        values = coco(*names, outlines=[runs, [flat(POOL)]])
        write_json(folder / "annotations" / f"instances_{split}.json", values)
        captions = {key: values[key] for key in ("info", "images", "licenses")} | {"annotations": []}
        write_json(folder / "annotations" / f"captions_{split}.json", captions)
    found = open_folder(folder)
    expected = ring.copy()
    expected[16:40, 32:56] = 2
    masks = masks_of(found)
    assert {name: one.split for name, one in found.sources.items()} == {
        "train2017_000000000001": "train",
        "val2017_000000000001": "val",
        "val2017_2": "val",
    }
    assert all(np.array_equal(mask, expected) for mask in masks.values())


def test_one_coco_file_beside_images(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "images/a.png", "images/b.png")
    write_json(folder / "result.json", coco("images/a.png", "b.png"))
    assert all(np.array_equal(mask, boxes(1, 2)) for mask in masks_of(open_folder(folder)).values())
    assert np.array_equal(masks_of(open_folder(folder, classes="pool"))["a"], boxes(0, 1))
    write_json(folder / "again.json", coco("b.png"))
    require_refused("has labels in", folder)


def test_labelme_beside_its_images(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "a.jpg", "b.jpg")
    for name in "ab":
        shapes = [
            {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": {}, "mask": None}
            for label, points in (("roof", ROOF), ("pool", POOL))
        ]
        values = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.jpg", "imageData": None}
        write_json(folder / f"{name}.json", values | {"imageHeight": HEIGHT, "imageWidth": WIDTH})
    assert all(np.array_equal(mask, boxes(1, 2)) for mask in masks_of(open_folder(folder)).values())


def test_datumaro_s_subsets(tmp_path: Path) -> None:
    from pycocotools import mask as library

    encoded = library.encode(np.asfortranarray(boxes(0, 1)))
    folder = write_images(tmp_path / "data", "images/train/a.jpg", "images/val/a.jpg")
    for subset in ("train", "val"):
        annotations = [
            {"id": 1, "type": "mask", "label_id": 1, "z_order": 1, "attributes": {}, "group": 0}
            | {"rle": {"counts": encoded["counts"].decode(), "size": [HEIGHT, WIDTH]}},
            {"id": 0, "type": "polygon", "label_id": 0, "z_order": 0, "points": flat(ROOF), "attributes": {}},
            {"id": 2, "type": "label", "label_id": 0, "attributes": {}},
        ]
        item = {"id": "a", "annotations": annotations, "attr": {}, "image": {"path": "a.jpg", "size": [HEIGHT, WIDTH]}}
        labels = {"label": {"labels": [{"name": "roof", "parent": ""}, {"name": "pool"}], "attributes": []}}
        write_json(folder / "annotations" / f"{subset}.json", {"info": {}, "categories": labels, "items": [item]})
    found = open_folder(folder)
    assert {one.split for one in found.sources.values()} == {"train", "val"}
    assert all(np.array_equal(mask, boxes(1, 2)) for mask in masks_of(found).values())
