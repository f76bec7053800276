"""Shapes of labels: each pixel is that of pycocotools, NumPy or OpenCV on the whole image, whatever part is painted."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from sweep.patches.labels.bitmaps import decode_picture
from sweep.patches.labels.formats import open_labels
from sweep.patches.labels.names import LabelNames
from sweep.patches.labels.painting import MaskCanvas
from sweep.patches.labels.shapes import Outline, Runs, ellipse
from sweep.patches.labels.shared import size_of
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.errors import DataError
from trainables.task import Task

SIDE = 128
TASK = Task(kind="multiclass", classes=("ground", "roof", "tree"), ignores=True)
SQUARE = [[16.0, 16.0], [64.0, 16.0], [64.0, 48.0], [16.0, 48.0]]


def _whole(ring: NDArray[Any], height: int, width: int) -> NDArray[np.bool_]:
    decoded = coco.decode(coco.frPyObjects([ring.ravel().tolist()], height, width))[..., 0]
    return np.asarray(decoded, dtype=bool)


def _painted(part: Outline | Runs, shape: tuple[int, int], area: Area) -> NDArray[np.bool_]:
    canvas = MaskCanvas(shape, area, "here")
    canvas.paint(part, 1)
    return canvas.mask == 1


def _cases(count: int) -> Iterator[tuple[np.random.Generator, tuple[int, int], Area]]:
    for seed in range(count):
        random = np.random.default_rng(seed)
        height, width = (int(side) for side in random.integers(1, 130, 2))
        top, left = int(random.integers(0, height)), int(random.integers(0, width))
        rows, columns = int(random.integers(1, height - top + 1)), int(random.integers(1, width - left + 1))
        yield random, (height, width), Area(top=top, left=left, height=rows, width=columns)


def test_an_area_of_a_polygon_is_that_part_of_the_whole() -> None:
    for number, (random, shape, area) in enumerate(_cases(400)):
        ring = random.uniform(-40, 160, (random.integers(3, 9), 2)).round(number % 4)
        hole = random.uniform(-40, 160, (4, 2)).round(1)
        whole = _whole(ring, *shape)
        assert np.array_equal(_painted(Outline(ring=ring), shape, area), whole[area.rows, area.columns])
        expected = (whole & ~_whole(hole, *shape))[area.rows, area.columns]
        assert np.array_equal(_painted(Outline(ring=ring, holes=(hole,)), shape, area), expected)


def test_an_area_of_run_lengths_is_that_part_of_the_whole() -> None:
    for random, (height, width), area in _cases(300):
        wanted = random.random((height, width)) < random.random()
        edges = np.flatnonzero(np.diff(wanted.T.ravel())) + 1
        lengths = ([0] if wanted[0, 0] else []) + np.diff([0, *edges, wanted.size]).tolist()
        by_columns = Runs.of_lengths(lengths, Area.whole(wanted.shape), by_rows=False)
        for runs in (by_columns, Runs.of_pixels(wanted)):
            assert runs and np.array_equal(_painted(runs, wanted.shape, area), wanted[area.rows, area.columns])
        top, left = (int(offset) for offset in random.integers(-20, 20, 2))
        around = np.zeros((height + 80, width + 80), bool)
        around[40 + top : 40 + top + height, 40 + left : 40 + left + width] = wanted
        moved = Runs.of_pixels(wanted, top=top, left=left)
        expected = around[40 : 40 + height, 40 : 40 + width][area.rows, area.columns]
        assert np.array_equal(_painted(moved, wanted.shape, area), expected)


def test_an_area_of_an_outline_of_whole_pixels_is_filled_as_opencv_fills_the_whole() -> None:
    for random, shape, area in _cases(300):
        ring = random.integers(-40, 160, (random.integers(3, 9), 2))
        whole = np.zeros(shape, np.uint8)
        cv2.fillPoly(whole, [ring.astype(np.int32)], 1)
        painted = _painted(Outline(ring=ring.astype(float), touched=True), shape, area)
        assert np.array_equal(painted, whole[area.rows, area.columns] == 1)


def test_a_window_of_a_huge_image_takes_the_memory_of_the_window() -> None:
    import tracemalloc

    shape, area = (40_000, 40_000), Area(top=30_000, left=20_000, height=512, width=512)
    ring = np.array([(100.0, 200.0), (39_900.0, 300.0), (30_000.0, 39_000.0), (500.0, 38_000.0)])
    tracemalloc.start()
    painted = _painted(Outline(ring=ring), shape, area)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert painted.all() and peak < 60 * 2**20


@pytest.mark.parametrize("degrees", [0.0, 30.0, -75.0])
def test_an_ellipse_holds_the_pixels_that_its_equation_holds(degrees: float) -> None:
    ring = ellipse((60.3, 70.1), (40.0, 12.5), degrees)
    painted = _painted(Outline(ring=ring), (SIDE, SIDE), Area.whole((SIDE, SIDE)))
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    along, across = columns - 60.3, rows - 70.1
    distance = np.hypot((along * cosine + across * sine) / 40.0, (across * cosine - along * sine) / 12.5)
    assert painted[distance < 1 - 0.3 / 12.5].all() and not painted[distance > 1 + 0.3 / 12.5].any()


def _paint(folder: Path, labels: Path, **more: Any) -> NDArray[np.uint8]:
    path = folder / "images" / "a.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (SIDE, SIDE)).save(path)
    source = SourceRaster(name="a", image=path, mask=labels)
    opened = open_labels({"a": source}, LabelNames(task=more.get("task", TASK)))
    return opened.rasterise(source, (SIDE, SIDE), Area.whole((SIDE, SIDE)))


def _cvat(folder: Path, shapes: str) -> Path:
    image = f'<image id="0" name="a.png" width="{SIDE}" height="{SIDE}">{shapes}</image>'
    (folder / "annotations.xml").write_text(f"<annotations><version>1.1</version>{image}</annotations>")
    return folder / "annotations.xml"


def test_cvat_s_brush_goes_along_the_rows_of_its_box(tmp_path: Path) -> None:
    wanted = np.random.default_rng(0).random((20, 30)) < 0.4
    flat = wanted.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = ([0] if flat[0] else []) + np.diff([0, *edges, flat.size]).tolist()
    rle = ", ".join(map(str, counts))
    place = 'left="40" top="100" width="30" height="20"'
    shape = f'<mask label="tree" source="manual" occluded="0" rle="{rle}" {place} z_order="0"/>'
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[100:120, 40:70][wanted] = 2
    assert np.array_equal(_paint(tmp_path, _cvat(tmp_path, shape)), expected)


def test_cvat_s_ellipse_is_turned(tmp_path: Path) -> None:
    shape = (
        '<ellipse label="roof" source="manual" occluded="0" cx="64" cy="64" rx="40" ry="10" rotation="90" z_order="0"/>'
    )
    mask = _paint(tmp_path, _cvat(tmp_path, shape))
    assert (
        mask[26:102, 64].all() and not mask[64, :52].any() and int(mask.sum()) == pytest.approx(np.pi * 400, rel=0.02)
    )


def _labelme(folder: Path, *shapes: dict[str, Any]) -> Path:
    labels = folder / "labels"
    labels.mkdir(exist_ok=True)
    common = {"flags": {}, "group_id": None, "description": ""}
    values = {"version": "5.5.0", "flags": {}, "shapes": [common | shape for shape in shapes], "imagePath": "a.png"}
    size = {"imageData": None, "imageHeight": SIDE, "imageWidth": SIDE}
    (labels / "a.json").write_text(json.dumps(values | size))
    return labels


def _png(pixels: NDArray[Any]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def test_labelme_s_circle_and_ai_mask(tmp_path: Path) -> None:
    wanted = np.random.default_rng(1).random((21, 31)) < 0.5
    picture = base64.b64encode(_png((wanted * 255).astype(np.uint8))).decode()
    mask = {"label": "tree", "shape_type": "mask", "points": [[70.0, 90.0], [100.0, 110.0]], "mask": picture}
    circle = {"label": "roof", "shape_type": "circle", "points": [[40.0, 40.0], [40.0, 60.0]], "mask": None}
    painted = _paint(tmp_path, _labelme(tmp_path, circle, mask))
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[90:111, 70:101][wanted] = 2
    assert np.array_equal(painted[:, 64:], expected[:, 64:])
    rows, columns = np.mgrid[:SIDE, :64] + 0.5
    depth = 20 - np.hypot(rows - 40, columns - 40)
    assert (painted[:, :64][depth > 0.3] == 1).all() and not painted[:, :64][depth < -0.3].any()


def test_labelme_s_ignored_and_background_labels_mean_it(tmp_path: Path) -> None:
    shapes = [{"label": label, "points": SQUARE, "shape_type": "polygon"} for label in ("roof", "__ignore__")]
    assert (_paint(tmp_path, _labelme(tmp_path, *shapes), task=None)[16:48, 16:64] == 255).all()
    labels = _labelme(tmp_path, *shapes[:1], shapes[0] | {"label": "_background_"})
    assert not _paint(tmp_path, labels, task=None).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no PNG in base64"),
        ("####", "is no PNG in base64"),
        (base64.b64encode(b"GIF89a").decode(), "is no PNG in base64"),
        (base64.b64encode(_png(np.zeros((9, 9), np.uint8))[:-30]).decode(), "is no PNG in base64"),
        (base64.b64encode(_png(np.zeros((2_000, 2_000), np.uint8))).decode(), "is 2000x2000, larger than"),
    ],
)
def test_a_picture_in_labels_that_is_none(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        decode_picture(text, "here", most=(20, 20))


def test_a_deflated_bomb_stays_small() -> None:
    import tracemalloc

    bomb = base64.b64encode(zlib.compress(b"\0" * 400_000_000, 1)).decode()
    for side, most in ((64, 10), (1_000_000, 600)):
        tracemalloc.start()
        with pytest.raises(DataError, match="larger than its image"):
            decode_picture(bomb, "here", most=(side, side), deflated=True)
        assert tracemalloc.get_traced_memory()[1] < most * 2**20
        tracemalloc.stop()


@pytest.mark.parametrize("side", [10**30, 2**63, -1, 1.5, True, None])
def test_an_image_of_a_hostile_size_is_one_line(side: object) -> None:
    with pytest.raises(DataError, match="does not say the size"):
        size_of("here", side, 64)
