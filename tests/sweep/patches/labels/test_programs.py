"""What labelling programs export is recognised as it is; every pixel is that of an array made by hand."""

from __future__ import annotations

import base64
import io
import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.labels.brushes import decode_brush
from sweep.patches.layouts.opening import open_sources
from sweep.patches.layouts.sources import SourceSet
from sweep.patches.options import Make
from sweep.patches.rasters.area import Area
from tests.sweep.patches.test_patches import _run, _split_file
from trainables.data.tiles import TuningData
from trainables.errors import DataError

HEIGHT, WIDTH = 48, 64
ROOF = [[8.0, 8.0], [40.0, 8.0], [40.0, 32.0], [8.0, 32.0]]
POOL = [[32.0, 16.0], [56.0, 16.0], [56.0, 40.0], [32.0, 40.0]]


def _boxes(*values: int) -> NDArray[np.uint8]:
    """Paint a roof, then a pool over it."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for value, rows, columns in zip(values, (slice(8, 32), slice(16, 40)), (slice(8, 40), slice(32, 56)), strict=False):
        mask[rows, columns] = value
    return mask


def _images(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    return folder


def _json(path: Path, values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    return path


def _png(pixels: NDArray[Any], **more: Any) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", **more)
    return written.getvalue()


PICTURE = base64.b64encode(_png(np.eye(12, 9, dtype=np.uint8) * 255)).decode()
BITMAP = base64.b64encode(zlib.compress(_png(np.eye(12, 9, dtype=np.uint8)))).decode()


def _open(folder: Path, **options: Any) -> SourceSet:
    return open_sources(Make(src=folder, dst=folder.parent / "out", **{"classes": "roof,pool"} | options))


def _masks(found: SourceSet) -> Mapping[str, NDArray[np.uint8]]:
    """Paint each mask whole, and compare with what is painted by parts."""
    shape = (HEIGHT, WIDTH)
    masks = {}
    for name, source in found.sources.items():
        masks[name] = found.truth(source, shape, Area.whole(shape))
        area = Area(top=11, left=13, height=20, width=31)
        assert np.array_equal(found.truth(source, shape, area), masks[name][area.rows, area.columns])
    return masks


def _refused(said: str, folder: Path, **options: Any) -> None:
    with pytest.raises(DataError) as caught:
        _open(folder, **options)
    assert said in str(caught.value)


def _flat(points: Sequence[Sequence[float]]) -> list[float]:
    return [value for point in points for value in point]


def _coco(*names: str, outlines: Sequence[object] | None = None) -> dict[str, Any]:
    segmentations = outlines or [[_flat(ROOF)], [_flat(POOL)]]
    return {
        "info": {"year": "2026", "description": "Exported from roboflow.com"},
        "licenses": [{"id": 1, "url": "", "name": "CC BY 4.0"}],
        "categories": [
            {"id": 0, "name": "yards", "supercategory": "none"},
            {"id": 1, "name": "pool", "supercategory": "yards"},
            {"id": 2, "name": "roof", "supercategory": "yards"},
        ],
        "images": [
            {"id": number, "license": 1, "file_name": name, "height": HEIGHT, "width": WIDTH}
            for number, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": 2 * image + number,
                "image_id": image,
                "category_id": 2 - number,
                "bbox": [8, 8, 32, 24],
                "area": 768,
            }
            | {"segmentation": outline, "iscrowd": 0}
            for image in range(len(names))
            for number, outline in enumerate(segmentations)
        ],
    }


def test_roboflow_s_coco_has_a_file_per_split_and_a_dummy_category(tmp_path: Path) -> None:
    folder = tmp_path / "yards"
    for split in ("train", "valid", "test"):
        _images(folder / split, "a_jpg.rf.1.jpg", f"{split}.jpg")
        _json(folder / split / "_annotations.coco.json", _coco("a_jpg.rf.1.jpg", f"{split}.jpg"))
    (folder / "README.roboflow.txt").write_text("yards")
    found = _open(folder, classes="all")
    assert found.task.classes == ("background", "pool", "roof")  # no yards
    assert {one.split for one in found.sources.values()} == {"train", "val", "test"} and len(found.sources) == 6
    assert all(np.array_equal(mask, _boxes(2, 1)) for mask in _masks(found).values())
    _refused(f"'truck' is no label of {folder}; it holds 'roof' (6), 'pool' (6)", folder, classes="truck")


def test_coco_s_own_folders(tmp_path: Path) -> None:
    """Several files, folders in names, captions beside; a hole by run lengths."""
    from pycocotools import mask as library

    ring = _boxes(1)
    ring[12:20, 12:20] = 0
    encoded = library.encode(np.asfortranarray(ring))
    runs = {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()}
    folder = _images(tmp_path / "coco", "train2017/000000000001.jpg", "val2017/000000000001.jpg", "val2017/2.jpg")
    for split, names in (("train2017", ["000000000001.jpg"]), ("val2017", ["val2017/000000000001.jpg", "2.jpg"])):
        values = _coco(*names, outlines=[runs, [_flat(POOL)]])
        _json(folder / "annotations" / f"instances_{split}.json", values)
        captions = {key: values[key] for key in ("info", "images", "licenses")} | {"annotations": []}
        _json(folder / "annotations" / f"captions_{split}.json", captions)
    found = _open(folder)
    expected = ring.copy()
    expected[16:40, 32:56] = 2
    masks = _masks(found)
    assert {name: one.split for name, one in found.sources.items()} == {
        "train2017_000000000001": "train",
        "val2017_000000000001": "val",
        "val2017_2": "val",
    }
    assert all(np.array_equal(mask, expected) for mask in masks.values())


def test_one_coco_file_beside_images(tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "images/a.png", "images/b.png")
    _json(folder / "result.json", _coco("images/a.png", "b.png"))
    assert all(np.array_equal(mask, _boxes(1, 2)) for mask in _masks(_open(folder)).values())
    assert np.array_equal(_masks(_open(folder, classes="pool"))["a"], _boxes(0, 1))
    _json(folder / "again.json", _coco("b.png"))
    _refused("has labels in", folder)


def _yolo(*objects: tuple[int, Sequence[Sequence[float]]]) -> str:
    lines = (
        " ".join([str(number), *(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in points)]) for number, points in objects
    )
    return "\n".join(lines) + "\n"


YAML = "path: ../datasets/yards\ntrain: images/train\nval: images/val\n\nnames:\n  0: pool\n  1: roof\n"


@pytest.mark.parametrize("form", ["images/{split}", "{split}/images"])
def test_ultralytics_yolo(form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "yards"
    for split in ("train", "val"):
        place = form.format(split=split)
        _images(folder / place, "a.jpg", "nothing.jpg")
        labels = folder / place.replace("images", "labels")
        labels.mkdir(parents=True)
        (labels / "a.txt").write_text(_yolo((1, ROOF), (0, POOL)))
    (folder / "data.yaml").write_text(YAML)
    with caplog.at_level(logging.WARNING):
        found = _open(folder)
    masks = _masks(found)
    assert "2 of 4 images have no text file and are background everywhere: train_nothing, val_nothing" in caplog.text
    assert np.array_equal(masks["train_a"], _boxes(1, 2)) and not masks["val_nothing"].any()
    assert {name: one.split for name, one in found.sources.items()}["val_a"] == "val"
    named = _open(folder, labels=folder / "data.yaml")
    assert np.array_equal(_masks(named)["val_a"], _boxes(1, 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 0.5 0.5 0.2 0.2\n", "a.txt, line 1: is a box, not an outline; export polygons"),
        ("1 0.1 0.1 0.5 0.1 0.5\n", "has 5 coordinates"),
        ("1 0.1 0.1 0.5 0.1 0.5 x\n", "is no class and coordinates"),
        ("1 10 10 50 10 50 40\n", "are no shares of the image"),
        ("1 0.1 0.1 0.5 0.1 nan 0.5\n", "are no shares of the image"),
        ("7 0.1 0.1 0.5 0.1 0.5 0.5\n", "is of class 7, which data.yaml or classes.txt does not name"),
    ],
)
def test_lines_of_yolo_that_are_no_outline(text: str, said: str, tmp_path: Path) -> None:
    folder = _images(tmp_path / "yards", "images/a.jpg")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text(text)
    (folder / "data.yaml").write_text("names: [pool, roof]\n")
    _refused(said, folder)
    (folder / "data.yaml").write_text("names: {a: b\n")
    _refused("data.yaml: not readable as YAML", folder)
    (folder / "data.yaml").write_text("nc: 2\n")
    _refused("data.yaml: has no names", folder)


def _points(points: Sequence[Sequence[float]]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in points)


def _cvat_image(number: int, name: str, subset: str = "") -> str:
    where = f' subset="{subset}" task_id="4"' if subset else ""
    return (
        f'  <image id="{number}" name="{name}"{where} width="{WIDTH}" height="{HEIGHT}">\n'
        f'    <polygon label="pool" source="manual" occluded="0" points="{_points(POOL)}" z_order="1"></polygon>\n'
        f'    <polygon label="roof" source="manual" occluded="1" points="{_points(ROOF)}" z_order="0">\n'
        f'      <attribute name="kind">flat</attribute>\n    </polygon>\n  </image>\n'
    )


def _cvat(folder: Path, images: str) -> None:
    meta = "<meta><task><id>4</id><name>yards</name><mode>annotation</mode></task><dumped>2026-01-05</dumped></meta>"
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  {meta}\n{images}'
    (folder / "annotations.xml").write_text(text + "</annotations>\n")


def test_a_project_of_cvat_has_one_name_in_several_subsets(tmp_path: Path) -> None:
    names = [f"images/{subset}/img0.jpg" for subset in ("Train", "Validation", "Test")]
    folder = _images(tmp_path / "project", *names)
    subsets = ("Train", "Validation", "Test")
    _cvat(folder, "".join(_cvat_image(number, "img0.jpg", subset) for number, subset in enumerate(subsets)))
    found = _open(folder)
    assert sorted(one.split for one in found.sources.values()) == ["test", "train", "val"]
    assert all(np.array_equal(mask, _boxes(1, 2)) for mask in _masks(found).values())


def test_cvat_s_subsets_are_splits_where_images_are_in_one_folder(tmp_path: Path) -> None:
    folder = _images(tmp_path / "project", "images/a.jpg", "images/b.jpg")
    _cvat(folder, _cvat_image(0, "a.jpg", "Train") + _cvat_image(1, "b.jpg", "Validation"))
    assert {name: one.split for name, one in _open(folder).sources.items()} == {"a": "train", "b": "val"}


def test_labelme_beside_its_images(tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "a.jpg", "b.jpg")
    for name in "ab":
        shapes = [
            {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": {}, "mask": None}
            for label, points in (("roof", ROOF), ("pool", POOL))
        ]
        values = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.jpg", "imageData": None}
        _json(folder / f"{name}.json", values | {"imageHeight": HEIGHT, "imageWidth": WIDTH})
    assert all(np.array_equal(mask, _boxes(1, 2)) for mask in _masks(_open(folder)).values())


def _brush(picture: NDArray[np.uint8]) -> list[int]:
    """Pack an RGBA picture as Label Studio does: runs of up to 8, 16, 256 or 65,536 equal values."""
    values = picture.ravel()
    bits = [f"{values.size:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in (3, 4, 8, 16))]
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), values.size]
    for start, stop in pairwise(edges):
        left = stop - start
        while left:
            length = min(left, 65_536)
            which = next(number for number, most in enumerate((8, 16, 256, 65_536)) if length <= most)
            size = (3, 4, 8, 16)[which]
            bits.append(f"{int(length > 1)}{which:02b}{length - 1:0{size}b}{int(values[start]):08b}")
            left -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[place : place + 8], 2) for place in range(0, len(text), 8)]


def _percent(points: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in points]


def _region(kind: str, value: dict[str, Any], label: str, **more: Any) -> dict[str, Any]:
    common = {"id": "djbpw94CXj", "type": kind, "origin": "manual", "to_name": "image", "from_name": "label"}
    size = {"image_rotation": 0, "original_width": WIDTH, "original_height": HEIGHT}
    return common | size | {"value": value | {kind: [label]}} | more


def _polygons() -> list[dict[str, Any]]:
    return [
        _region("polygonlabels", {"points": _percent(points), "closed": True}, label)
        for label, points in (("roof", ROOF), ("pool", POOL))
    ]


def _task(number: int, upload: str, results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    annotation = {"id": number, "completed_by": 1, "result": results, "was_cancelled": False, "ground_truth": False}
    return {
        "id": number,
        "annotations": [annotation | {"updated_at": "2026-01-31T07:40:19.861611Z"}],
        "file_upload": upload,
        "drafts": [],
        "predictions": [],
        "data": {"image": f"/data/upload/1/{upload}"},
        "meta": {},
    } | more


def test_label_studio_s_json(tmp_path: Path) -> None:
    """Uploaded names with and without their eight digits, local files, and choices beside regions."""
    folder = _images(tmp_path / "data", "images/a.jpg", "images/e97d4735-b.jpg", "images/sub/c.jpg")
    choice = _region("choices", {}, "x") | {"value": {"choices": ["sunny"]}}
    local = {"file_upload": None, "data": {"image": "/data/local-files/?d=images%2Fsub%2Fc.jpg"}}
    tasks = [
        _task(1, "0123abcd-a.jpg", [*_polygons(), choice]),
        _task(2, "e97d4735-b.jpg", _polygons()),
        _task(3, "", _polygons(), **local),
    ]
    _json(folder / "project-1-at-2026-01-31.json", tasks)
    masks = _masks(_open(folder))
    assert len(masks) == 3 and all(np.array_equal(mask, _boxes(1, 2)) for mask in masks.values())


def test_label_studio_s_min_json(tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "images/a.jpg", "images/b.jpg")
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    regions = [one["value"] | size for one in _polygons()]
    tasks = [
        {"image": f"/data/upload/1/0123abcd-{name}.jpg", "id": number, "label": regions, "annotator": 1}
        for number, name in enumerate("ab")
    ]
    _json(folder / "project.json", tasks)
    assert all(np.array_equal(mask, _boxes(1, 2)) for mask in _masks(_open(folder)).values())


def test_label_studio_s_brush(tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "a.jpg")
    random = np.random.default_rng(3)
    picture = random.integers(0, 3, (HEIGHT, WIDTH, 4)).astype(np.uint8)
    picture[20:, :, 3] = 0
    picture[24:30, 10:40, 3] = 255
    results = [_region("brushlabels", {"format": "rle", "rle": _brush(picture)}, "pool")]
    _json(folder / "project.json", [_task(1, "0123abcd-a.jpg", results)])
    assert np.array_equal(_masks(_open(folder, classes="pool"))["a"], (picture[..., 3] > 0).astype(np.uint8))


def test_a_brush_that_is_damaged_or_of_another_image_is_one_line() -> None:
    good = _brush(np.zeros((4, 4, 4), np.uint8))
    bombs: list[Any] = [good[:-1], [], None, [300], good[:6] + [255] * 100, [255] * 50]
    for rle in bombs:
        with pytest.raises(DataError, match="its brush mask is"):
            decode_brush(rle, (4, 4), "here")
    with pytest.raises(DataError, match="of an image of another size"):
        decode_brush(good, (4, 5), "here")


def test_brush_masks_as_png_lead_to_the_json_that_works(tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "images/a.jpg")
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    picture[4:9, 3:30, 3] = 255
    (folder / "brush").mkdir()
    Image.fromarray(picture[..., 3]).save(folder / "brush" / "task-1-annotation-2-by-1-tag-pool-0.png")
    _refused("export the project as JSON", folder, labels=folder / "brush")
    results = [_region("brushlabels", {"format": "rle", "rle": _brush(picture)}, "pool")]
    file = _json(folder / "project.json", [_task(1, "a.jpg", results)])
    masks = _masks(_open(folder, classes="pool", labels=file))
    assert np.array_equal(masks["a"], picture[..., 3] // 255)


def test_labels_of_images_that_are_not_there_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = _images(tmp_path / "data", "images/a.png")
    _json(folder / "result.json", _coco("a.png", "b.png", "c.png"))
    with caplog.at_level(logging.WARNING):
        _open(folder)
    assert "result.json: labels 3 images, of which 2 are not in --src and are left out: b.png, c.png" in caplog.text


def test_label_studio_s_turned_boxes_and_ellipses(tmp_path: Path) -> None:
    """A box turns about its upper left corner, clockwise; its sides are percent, its angle is not."""
    folder = _images(tmp_path / "data", "a.jpg")
    corner, sides = _percent([(30.0, 4.0), (24.0, 16.0)])
    box = {"x": corner[0], "y": corner[1], "width": sides[0], "height": sides[1], "rotation": 90}
    _json(folder / "p.json", [_task(1, "a.jpg", [_region("rectanglelabels", box, "roof")])])
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[4:28, 14:30] = 1
    assert np.array_equal(_masks(_open(folder, classes="roof"))["a"], expected)
    centre, radii = _percent([(32.0, 24.0), (20.0, 10.0)])
    oval = {"x": centre[0], "y": centre[1], "radiusX": radii[0], "radiusY": radii[1], "rotation": 0}
    _json(folder / "p.json", [_task(1, "a.jpg", [_region("ellipselabels", oval, "roof")])])
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    distance = np.hypot((columns - 32) / 20, (rows - 24) / 10)
    mask = _masks(_open(folder, classes="roof"))["a"]
    assert mask[distance < 0.97].all() and not mask[distance > 1.03].any()


def test_of_several_annotations_one_is_taken_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = _images(tmp_path / "data", "a.jpg")
    task = _task(7, "a.jpg", _polygons()[:1])
    newer = task["annotations"][0] | {"result": _polygons(), "updated_at": "2026-02-01T00:00:00Z"}
    cancelled = newer | {"was_cancelled": True, "updated_at": "2027-01-01T00:00:00Z", "result": []}
    _json(folder / "p.json", [task | {"annotations": [newer, task["annotations"][0], cancelled]}])
    with caplog.at_level(logging.WARNING):
        found = _open(folder)
    assert np.array_equal(_masks(found)["a"], _boxes(1, 2))
    assert "task 7 has 2 annotations; the newest is taken" in caplog.text
    _json(folder / "p.json", [task | {"annotations": []}])
    _refused("a.jpg: has no labels in", folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "keypointlabels", "value": {"x": 1, "y": 2, "width": 1, "keypointlabels": ["roof"]}}, "no area"),
        ({"value": {"points": [[1, 1], [2, 2]], "polygonlabels": ["roof"]}}, "a polygon without three points"),
        ({"value": {"points": [[1, 1], [2, 2], [3, 9]], "polygonlabels": ["roof", "pool"]}}, "has 2 labels"),
        ({"value": {"points": [[1, 1], [2, 2], [3, 9]], "polygonlabels": ["roof"], "closed": False}}, "no area"),
        ({"value": 5}, "has no value"),
        ({"image_rotation": 90}, "was drawn on a turned image"),
        ({"original_width": None}, "does not say the size"),
        ({"type": "bitmasklabels", "value": {"bitmasklabels": ["roof"]}}, "which is not read"),
    ],
)
def test_regions_of_label_studio_that_cannot_be_painted(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "a.jpg")
    _json(folder / "p.json", [_task(1, "a.jpg", [_polygons()[0] | changes])])
    _refused(said, folder)


def _via(name: str, *shapes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    regions = [{"shape_attributes": shape, "region_attributes": {"class": label}} for label, shape in shapes]
    return {"filename": name, "size": 9025, "regions": regions, "file_attributes": {}}


def _via_polygon(points: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {"name": "polygon", "all_points_x": [x for x, _ in points], "all_points_y": [y for _, y in points]}


@pytest.mark.parametrize("project", [True, False])
def test_via_polygons_and_boxes(project: bool, tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "a.jpg", "b.jpg")
    box = {"name": "rect", "x": 32, "y": 16, "width": 24, "height": 24}
    files = {f"{name}.jpg9025": _via(f"{name}.jpg", ("roof", _via_polygon(ROOF)), ("pool", box)) for name in ("a", "b")}
    settings = {
        "_via_settings": {},
        "_via_attributes": {"region": {}, "file": {}},
        "_via_data_format_version": "2.0.10",
    }
    _json(folder / "via_region_data.json", settings | {"_via_img_metadata": files} if project else files)
    assert all(np.array_equal(mask, _boxes(1, 2)) for mask in _masks(_open(folder)).values())


def test_via_circles_and_ellipses(tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "a.jpg")
    oval = {"name": "ellipse", "cx": 32, "cy": 24, "rx": 20, "ry": 8, "theta": np.pi / 2}
    _json(folder / "v.json", {"a": _via("a.jpg", ("roof", oval))})
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    distance = np.hypot((columns - 32) / 8, (rows - 24) / 20)
    mask = _masks(_open(folder, classes="roof"))["a"]
    assert mask[distance < 0.96].all() and not mask[distance > 1.04].any()
    circle = {"name": "circle", "cx": 32, "cy": 24, "r": 12}
    _json(folder / "v.json", {"a": _via("a.jpg", ("roof", circle))})
    assert int(_masks(_open(folder, classes="roof"))["a"].sum()) == pytest.approx(np.pi * 144, rel=0.02)


def test_via_attributes_that_name_the_class(tmp_path: Path) -> None:
    folder = _images(tmp_path / "data", "a.jpg")

    def write(*attributes: dict[str, Any]) -> None:
        regions = [{"shape_attributes": _via_polygon(ROOF), "region_attributes": one} for one in attributes]
        _json(folder / "v.json", {"a": {"filename": "a.jpg", "size": -1, "regions": regions, "file_attributes": {}}})

    write({"note": "x", "label": {"roof": True, "pool": False}})
    assert np.array_equal(_masks(_open(folder, classes="roof"))["a"], _boxes(1))
    write({})
    assert np.array_equal(_masks(_open(folder, classes=""))["a"], _boxes(1))
    write({"surface": "roof", "state": "old"})
    _refused("its regions have the attributes surface, state; say which of them names the class", folder)
    assert np.array_equal(_masks(_open(folder, classes="roof", class_attribute="surface"))["a"], _boxes(1))
    _refused("--layer x: is about files of a GIS", folder, layer="x")
    write({"class": "roof"}, {"class": ""})
    _refused("region 2: its 'class' names 1 classes or none; give it one", folder)


def _supervisely(*objects: dict[str, Any]) -> dict[str, Any]:
    common = {"id": 1, "classId": 2, "labelerLogin": "a", "tags": []}
    return {
        "description": "",
        "tags": [],
        "size": {"height": HEIGHT, "width": WIDTH},
        "objects": [common | one for one in objects],
    }


def _supervisely_project(folder: Path, *objects: dict[str, Any]) -> Path:
    for split in ("train", "val"):
        _images(folder / split / "img", "a.png")
        _json(folder / split / "ann" / "a.png.json", _supervisely(*objects))
    classes = [{"title": "roof", "shape": "polygon", "color": "#FF0000"}, {"title": "pool", "shape": "bitmap"}]
    _json(folder / "meta.json", {"classes": classes, "tags": [], "projectType": "images"})
    return folder


def test_supervisely_s_polygons_with_holes_and_bitmaps(tmp_path: Path) -> None:
    """Whole numbers are pixels, filled as OpenCV fills them; a bitmap is a deflated PNG at its origin."""
    wanted = np.random.default_rng(0).random((12, 9)) < 0.5
    indices = Image.fromarray(wanted.astype(np.uint8))
    indices.putpalette([0, 0, 0, 255, 255, 255])
    written = io.BytesIO()
    indices.save(written, "PNG", transparency=0)
    data = base64.b64encode(zlib.compress(written.getvalue())).decode()
    ring, hole = [[8, 8], [39, 8], [39, 31], [8, 31]], [[15, 15], [20, 15], [20, 22]]
    polygon = {"classTitle": "roof", "geometryType": "polygon", "points": {"exterior": ring, "interior": [hole]}}
    bitmap = {"classTitle": "pool", "geometryType": "bitmap", "bitmap": {"data": data, "origin": [50, 30]}}
    found = _open(_supervisely_project(tmp_path / "project", polygon, bitmap))
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(expected, [np.array(ring, np.int32)], 1)
    cv2.fillPoly(expected, [np.array(hole, np.int32)], 0)
    assert expected[8:32, 8:40].sum() == 32 * 24 - (expected[8:32, 8:40] == 0).sum()
    expected[30:42, 50:59][wanted] = 2
    assert {one.split for one in found.sources.values()} == {"train", "val"}
    assert all(np.array_equal(mask, expected) for mask in _masks(found).values())


def test_supervisely_s_rectangles_hold_their_last_pixel(tmp_path: Path) -> None:
    box = {
        "classTitle": "roof",
        "geometryType": "rectangle",
        "points": {"exterior": [[8, 8], [39, 31]], "interior": []},
    }
    folder = _supervisely_project(tmp_path / "project", box)
    assert np.array_equal(_masks(_open(folder, classes="roof"))["train_a"], _boxes(1))
    line = {"classTitle": "roof", "geometryType": "line", "points": {"exterior": [[8, 8], [39, 31]], "interior": []}}
    _supervisely_project(folder, line)
    _refused("object 1: is a line, which covers no area", folder)


def test_datumaro_s_subsets(tmp_path: Path) -> None:
    from pycocotools import mask as library

    encoded = library.encode(np.asfortranarray(_boxes(0, 1)))
    folder = _images(tmp_path / "data", "images/train/a.jpg", "images/val/a.jpg")
    for subset in ("train", "val"):
        annotations = [
            {"id": 1, "type": "mask", "label_id": 1, "z_order": 1, "attributes": {}, "group": 0}
            | {"rle": {"counts": encoded["counts"].decode(), "size": [HEIGHT, WIDTH]}},
            {"id": 0, "type": "polygon", "label_id": 0, "z_order": 0, "points": _flat(ROOF), "attributes": {}},
            {"id": 2, "type": "label", "label_id": 0, "attributes": {}},
        ]
        item = {"id": "a", "annotations": annotations, "attr": {}, "image": {"path": "a.jpg", "size": [HEIGHT, WIDTH]}}
        labels = {"label": {"labels": [{"name": "roof", "parent": ""}, {"name": "pool"}], "attributes": []}}
        _json(folder / "annotations" / f"{subset}.json", {"info": {}, "categories": labels, "items": [item]})
    found = _open(folder)
    assert {one.split for one in found.sources.values()} == {"train", "val"}
    assert all(np.array_equal(mask, _boxes(1, 2)) for mask in _masks(found).values())


def test_one_command_makes_a_dataset(tmp_path: Path) -> None:
    folder = _images(tmp_path / "project", *(f"images/{name}.png" for name in "abc"))
    for name in "abc":
        Image.fromarray(np.random.default_rng(ord(name)).integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(
            folder / "images" / f"{name}.png"
        )
    shapes = "".join(_cvat_image(number, f"{name}.png") for number, name in enumerate("abc"))
    _cvat(folder, shapes.replace(f'height="{HEIGHT}"', 'height="64"'))
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    command = ("make", "--src", folder, "--dst", tmp_path / "out", "--split", split, "--size", "64")
    assert _run(*command, "--classes", "all") == 0
    data = TuningData.read(tmp_path / "out")
    expected = np.zeros((64, 64), np.uint8)
    expected[:HEIGHT] = _boxes(2, 1)
    assert data.task.classes == ("background", "pool", "roof") and np.array_equal(data.train[0].mask, expected)
