"""VIA and Supervisely."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.sweep.patches.labels.program_files import (
    HEIGHT,
    ROOF,
    WIDTH,
    boxes,
    masks_of,
    open_folder,
    require_refused,
    write_images,
    write_json,
)


def _via(name: str, *shapes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    regions = [{"shape_attributes": shape, "region_attributes": {"class": label}} for label, shape in shapes]
    return {"filename": name, "size": 9025, "regions": regions, "file_attributes": {}}


def _via_polygon(points: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {"name": "polygon", "all_points_x": [x for x, _ in points], "all_points_y": [y for _, y in points]}


@pytest.mark.parametrize("project", [True, False])
def test_via_polygons_and_boxes(project: bool, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "a.jpg", "b.jpg")
    box = {"name": "rect", "x": 32, "y": 16, "width": 24, "height": 24}
    files = {f"{name}.jpg9025": _via(f"{name}.jpg", ("roof", _via_polygon(ROOF)), ("pool", box)) for name in ("a", "b")}
    settings = {
        "_via_settings": {},
        "_via_attributes": {"region": {}, "file": {}},
        "_via_data_format_version": "2.0.10",
    }
    write_json(folder / "via_region_data.json", settings | {"_via_img_metadata": files} if project else files)
    assert all(np.array_equal(mask, boxes(1, 2)) for mask in masks_of(open_folder(folder)).values())


def test_via_circles_and_ellipses(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "a.jpg")
    oval = {"name": "ellipse", "cx": 32, "cy": 24, "rx": 20, "ry": 8, "theta": np.pi / 2}
    write_json(folder / "v.json", {"a": _via("a.jpg", ("roof", oval))})
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    distance = np.hypot((columns - 32) / 8, (rows - 24) / 20)
    mask = masks_of(open_folder(folder, classes="roof"))["a"]
    assert mask[distance < 0.96].all() and not mask[distance > 1.04].any()
    circle = {"name": "circle", "cx": 32, "cy": 24, "r": 12}
    write_json(folder / "v.json", {"a": _via("a.jpg", ("roof", circle))})
    assert int(masks_of(open_folder(folder, classes="roof"))["a"].sum()) == pytest.approx(np.pi * 144, rel=0.02)


def test_via_attributes_that_name_the_class(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "a.jpg")

    def write(*attributes: dict[str, Any]) -> None:
        regions = [{"shape_attributes": _via_polygon(ROOF), "region_attributes": one} for one in attributes]
        write_json(
            folder / "v.json", {"a": {"filename": "a.jpg", "size": -1, "regions": regions, "file_attributes": {}}}
        )

    write({"note": "x", "label": {"roof": True, "pool": False}})
    assert np.array_equal(masks_of(open_folder(folder, classes="roof"))["a"], boxes(1))
    write({})
    assert np.array_equal(masks_of(open_folder(folder, classes=""))["a"], boxes(1))
    write({"surface": "roof", "state": "old"})
    require_refused("its regions have the attributes surface, state; say which of them names the class", folder)
    assert np.array_equal(masks_of(open_folder(folder, classes="roof", class_attribute="surface"))["a"], boxes(1))
    require_refused("--layer x: is about files of a GIS", folder, layer="x")
    write({"class": "roof"}, {"class": ""})
    require_refused("region 2: its 'class' names 1 classes or none; give it one", folder)


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
        write_images(folder / split / "img", "a.png")
        write_json(folder / split / "ann" / "a.png.json", _supervisely(*objects))
    classes = [{"title": "roof", "shape": "polygon", "color": "#FF0000"}, {"title": "pool", "shape": "bitmap"}]
    write_json(folder / "meta.json", {"classes": classes, "tags": [], "projectType": "images"})
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
    found = open_folder(_supervisely_project(tmp_path / "project", polygon, bitmap))
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(expected, [np.array(ring, np.int32)], 1)
    cv2.fillPoly(expected, [np.array(hole, np.int32)], 0)
    assert expected[8:32, 8:40].sum() == 32 * 24 - (expected[8:32, 8:40] == 0).sum()
    expected[30:42, 50:59][wanted] = 2
    assert {one.split for one in found.sources.values()} == {"train", "val"}
    assert all(np.array_equal(mask, expected) for mask in masks_of(found).values())


def test_supervisely_s_rectangles_hold_their_last_pixel(tmp_path: Path) -> None:
    box = {
        "classTitle": "roof",
        "geometryType": "rectangle",
        "points": {"exterior": [[8, 8], [39, 31]], "interior": []},
    }
    folder = _supervisely_project(tmp_path / "project", box)
    assert np.array_equal(masks_of(open_folder(folder, classes="roof"))["train_a"], boxes(1))
    line = {"classTitle": "roof", "geometryType": "line", "points": {"exterior": [[8, 8], [39, 31]], "interior": []}}
    _supervisely_project(folder, line)
    require_refused("object 1: is a line, which covers no area", folder)
