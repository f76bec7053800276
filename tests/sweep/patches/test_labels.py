"""Polygons in place of masks, through the command: CVAT, COCO and LabelMe."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweep.patches.labels.painting import MaskCanvas, parse_runs
from sweep.patches.labels.shapes import Outline
from sweep.patches.rasters.area import Area
from tests.sweep.patches.test_patches import _refused, _run, _split_file
from trainables.data.tiles import TuningData
from trainables.task import Task

SQUARE = [(8.0, 8.0), (40.0, 8.0), (40.0, 40.0), (8.0, 40.0)]
OVER = [(20.0, 20.0), (60.0, 20.0), (60.0, 60.0), (20.0, 60.0)]
TASK = {"kind": "multiclass", "classes": ["ground", "roof", "pool"]}
SIDE = 64
Objects = list[tuple[str, list[tuple[float, float]]]]
OBJECTS: Objects = [("roof", SQUARE), ("pool", OVER)]


def _expected(*values: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for value, box in zip(values, (slice(8, 40), slice(20, 60)), strict=True):
        mask[box, box] = value
    return mask


def write_cvat(path: Path, objects: Objects) -> Path:
    shapes = "".join(
        f'<polygon label="{label}" z_order="0" points="{";".join(f"{x},{y}" for x, y in points)}"/>'
        for label, points in objects
    )
    images = "".join(f'<image id="0" name="x/{name}.png" width="64" height="64">{shapes}</image>' for name in "abc")
    path.write_text(f'<?xml version="1.0"?><annotations><version>1.1</version>{images}</annotations>')
    return path


def coco(objects: Objects) -> dict[str, Any]:
    labels = sorted({label for label, _ in objects})
    return {
        "images": [{"id": n, "file_name": f"{name}.png", "width": 64, "height": 64} for n, name in enumerate("abc")],
        "categories": [{"id": 5 + number, "name": label} for number, label in enumerate(labels)],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": 5 + labels.index(label),
                "segmentation": [[float(value) for point in points for value in point]],
            }
            for image in range(3)
            for number, (label, points) in enumerate(objects)
        ],
    }


def write_coco(path: Path, objects: Objects) -> Path:
    path.write_text(json.dumps(coco(objects)))
    return path


def write_labelme(path: Path, objects: Objects) -> Path:
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    shapes = [{"label": label, "points": points, "shape_type": "polygon"} for label, points in objects]
    values = {"shapes": shapes, "imageHeight": 64, "imageWidth": 64, "imagePath": "x.png"}
    for name in "abc":
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


WRITERS: dict[str, Callable[[Path, Objects], Path]] = {
    "labels.xml": write_cvat,
    "labels.json": write_coco,
    "labelme.json": write_labelme,
}


def _images(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    for number, name in enumerate("abc"):
        noise = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{name}.png")
    return folder


def _make(tmp_path: Path, labels: Path, *, task: object = None) -> tuple[object, ...]:
    source = tmp_path / "data"
    if not source.exists():
        _images(source)
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    common = ("make", "--src", source, "--dst", tmp_path / "out", "--split", split, "--size", "64", "--labels", labels)
    if task is None:
        return common
    (tmp_path / "task.json").write_text(json.dumps(task))
    return (*common, "--task", tmp_path / "task.json")


@pytest.mark.parametrize("name", WRITERS)
def test_without_a_task_every_label_is_foreground(name: str, tmp_path: Path) -> None:
    labels = WRITERS[name](tmp_path / name, OBJECTS)
    assert _run(*_make(tmp_path, labels)) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.task == Task() and np.array_equal(data.train[0].mask, _expected(1, 1))


@pytest.mark.parametrize("name", WRITERS)
def test_with_a_task_names_are_classes_and_later_ones_paint_over(name: str, tmp_path: Path) -> None:
    labels = WRITERS[name](tmp_path / name, OBJECTS)
    assert _run(*_make(tmp_path, labels, task=TASK)) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.task.classes == ("ground", "roof", "pool")
    assert np.array_equal(data.val[0].mask, _expected(1, 2))


def test_the_label_ignore_is_pixels_that_do_not_count(tmp_path: Path) -> None:
    labels = write_cvat(tmp_path / "labels.xml", [("roof", SQUARE), ("ignore", OVER)])
    task = {"classes": ["ground", "roof"], "ignores": True}
    assert _run(*_make(tmp_path, labels, task=task)) == 0
    assert np.array_equal(TuningData.read(tmp_path / "out").train[0].mask, _expected(1, 255))


@pytest.mark.parametrize("name", WRITERS)
def test_an_unknown_label_is_named(name: str, tmp_path: Path) -> None:
    labels = WRITERS[name](tmp_path / name, [("rooof", SQUARE)])
    _refused("label 'rooof' (3) is no class of --task", *_make(tmp_path, labels, task=TASK))
    assert not (tmp_path / "out").exists()


def test_cvat_s_z_order_decides_and_boxes_are_areas(tmp_path: Path) -> None:
    labels = write_cvat(tmp_path / "labels.xml", OBJECTS)
    box = '<box label="roof" z_order="3" xtl="8" ytl="8" xbr="40" ybr="40"/>'
    labels.write_text(labels.read_text().replace('<polygon label="roof"', f'{box}<polygon label="roof"'))
    assert _run(*_make(tmp_path, labels, task=TASK)) == 0
    mask = TuningData.read(tmp_path / "out").train[0].mask
    assert (mask[8:40, 8:40] == 1).all() and (mask[40:60, 20:60] == 2).all()


def test_labelme_s_rectangles_are_areas(tmp_path: Path) -> None:
    folder = write_labelme(tmp_path / "l.json", OBJECTS)
    values = json.loads((folder / "a.json").read_text())
    values["shapes"] = [{"label": "r", "points": [[40, 40], [8, 8]], "shape_type": "rectangle"}]
    (folder / "a.json").write_text(json.dumps(values))
    assert _run(*_make(tmp_path, folder)) == 0
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[8:40, 8:40] = 1
    assert np.array_equal(TuningData.read(tmp_path / "out").train[0].mask, expected)


@pytest.mark.parametrize("compressed", [True, False])
def test_coco_s_run_lengths(compressed: bool, tmp_path: Path) -> None:
    from pycocotools import mask as library

    wanted = np.random.default_rng(0).integers(0, 2, (SIDE, SIDE)).astype(np.uint8)
    values = coco([("roof", SQUARE)])
    if compressed:
        counts: object = library.encode(np.asfortranarray(wanted))["counts"].decode()
    else:  # runs go down the columns and begin with background
        flat = wanted.T.ravel()
        ends = np.flatnonzero(np.diff(flat)) + 1
        counts = ([0] if flat[0] else []) + np.diff([0, *ends, flat.size]).tolist()
    values["annotations"][0]["segmentation"] = {"size": [SIDE, SIDE], "counts": counts}
    (tmp_path / "labels.json").write_text(json.dumps(values))
    assert _run(*_make(tmp_path, tmp_path / "labels.json")) == 0
    assert np.array_equal(TuningData.read(tmp_path / "out").train[0].mask, wanted)


def test_run_lengths_are_counted_as_the_library_does() -> None:
    from pycocotools import mask as library

    for seed in range(20):
        random = np.random.default_rng(seed)
        mask = (random.random((37, 53)) < random.random()).astype(np.uint8)
        counts = library.encode(np.asfortranarray(mask))["counts"].decode()
        assert sum(parse_runs(counts.encode()) or ()) == 37 * 53
        assert sum(parse_runs(counts[:-1].encode()) or ()) != 37 * 53


def test_a_polygon_covers_the_pixels_whose_centre_it_holds() -> None:
    for corners in (
        SQUARE,
        [(-50.0, -50.0), (20.0, -50.0), (20.0, 30.0), (-50.0, 30.0)],
        [(70.0, 0), (90, 0), (80, 9)],
    ):
        canvas = MaskCanvas((SIDE, SIDE), Area.whole((SIDE, SIDE)), "here")
        canvas.paint(Outline(ring=np.array(corners, dtype=float)), 7)
        rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
        (left, top), (right, bottom) = np.min(corners, 0), np.max(corners, 0)
        inside = (columns > left) & (columns < right) & (rows > top) & (rows < bottom) & (right <= 64)
        assert np.array_equal(canvas.mask, inside * np.uint8(7))
    slanted = MaskCanvas((SIDE, SIDE), Area.whole((SIDE, SIDE)), "here")
    slanted.paint(Outline(ring=np.array([(5.0, 5.0), (60.0, 20.0), (20.0, 50.0)])), 1)
    assert int(slanted.mask.sum()) == pytest.approx(0.5 * (55 * 45 - 15 * 15), rel=0.01)


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        values = coco(OBJECTS)
        change(values)
        (folder / "labels.json").write_text(json.dumps(values))
        return folder / "labels.json"

    return write


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write


def _cvat(old: str, new: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = write_cvat(folder / "labels.xml", OBJECTS)
        path.write_text(path.read_text().replace(old, new))
        return path

    return write


def _labelme(**changes: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        labels = write_labelme(folder / "l.json", OBJECTS)
        (labels / "b.json").write_text(json.dumps(json.loads((labels / "b.json").read_text()) | changes))
        return labels

    return write


def _first(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = values["annotations"][0]
    return found


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda folder: folder / "no.xml", "no.xml: no such file or folder"),
        (_text("labels.txt", ""), "labels.txt: is of no known kind"),
        (_text("labels.json", "{"), "labels.json: is no JSON file (no JSON: "),
        (_text("labels.json", "[5]"), "labels.json: is of no known kind"),
        (_text("labels.json", "{}"), "labels.json: is of no known kind"),
        (_text("labels.json", '{"images": []}'), "labels.json: is no COCO file (categories: Field required)"),
        (_text("labels.xml", "<a>"), "labels.xml: not readable as XML"),
        (_text("labels.xml", "<a/>"), "holds no <annotations>"),
        (_text("labels.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), "defines XML entities"),
        (_cvat('width="64"', 'width="65"'), "image x/a.png: was labelled at 65x64, but the image is 64x64"),
        (_cvat('height="64"', ""), "height is None, not a whole number"),
        (_cvat("x/a.png", "x/d.png"), "a.png: has no labels in"),
        (_cvat("x/a.png", "x/b.png"), "image 'x/b.png' is there twice"),
        (_cvat("x/a.png", "y/b.png"), "has labels in"),
        (_cvat("8.0,8.0;", "8.0;"), "a polygon without three points"),
        (_cvat("8.0,8.0;", "nan,8.0;"), "a polygon without three points"),
        (_cvat("<polygon", "<polyline"), "holds a polyline"),
        (_edited(lambda values: values["images"].pop()), "belongs to image 2, which is not listed"),
        (_edited(lambda values: values["images"][0].update(width=9)), "image a.png: was labelled at 9x64"),
        (_edited(lambda values: values["categories"].pop()), "has category 6, which is not listed"),
        (_edited(lambda values: _first(values).update(segmentation=[[1, 2, 3]])), "annotation 0: a polygon without"),
        (_edited(lambda values: _first(values).update(segmentation=[[1, 2, 3, 4, 5, "x"]])), "a polygon without"),
        (_edited(lambda values: _first(values).update(segmentation=[[1e9] * 6])), "a polygon without"),
        (_edited(lambda values: _first(values).update(segmentation=[[10**400] * 6])), "a polygon without"),
        (_edited(lambda values: _first(values).update(segmentation=[])), "annotation 0: neither polygons"),
        (_edited(lambda values: _first(values).update(segmentation=None)), "neither polygons nor run lengths"),
        (_edited(lambda v: _first(v).update(segmentation={"size": [64, 64], "counts": [5]})), "do not fill the image"),
        (_edited(lambda v: _first(v).update(segmentation={"size": [64, 64], "counts": "zzzz"})), "do not fill"),
        (_edited(lambda v: _first(v).update(segmentation={"size": [9, 9], "counts": [81]})), "neither polygons"),
        (_labelme(imageWidth=10), "b.json: was labelled at 10x64"),
        (_labelme(shapes=3), "b.json: is no LabelMe file (shapes: "),
        (
            _labelme(shapes=[{"label": "a", "shape_type": "line", "points": [[1, 1], [2, 2]]}]),
            "b.json, a shape 'a': is a line, which covers no area",
        ),
        (_labelme(shapes=[{"label": "a", "points": [[1, 1], [2, 2]]}]), "b.json, a shape 'a': a polygon without"),
    ],
)
def test_bad_labels_are_one_line_each_and_nothing_is_written(
    write: Callable[[Path], Path],
    said: str,
    tmp_path: Path,
) -> None:
    _refused(said, *_make(tmp_path, write(tmp_path)))
    assert not (tmp_path / "out").exists()


def test_flags_that_do_not_go_with_polygons(tmp_path: Path) -> None:
    labels = write_cvat(tmp_path / "labels.xml", OBJECTS)
    _refused("does not go with --labels", *_make(tmp_path, labels), "--foreground", "1")
    (tmp_path / "empty").mkdir()
    _refused("holds no image", *_make(tmp_path, labels), "--src", tmp_path / "empty")
    _refused("--src nowhere", *_make(tmp_path, labels), "--src", "nowhere")


def test_missing_packages_are_one_line_with_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    gone = ("pycocotools", "geopandas")
    monkeypatch.setattr("sweep.patches.labels.formats.find_spec", lambda name: None if name in gone else real(name))
    labels = write_cvat(tmp_path / "labels.xml", OBJECTS)
    _refused("pip install 'tilesweep[labels]'", *_make(tmp_path, labels))
    (tmp_path / "f.gpkg").write_bytes(b"")
    _refused("needs geopandas", *_make(tmp_path, tmp_path / "f.gpkg"))
