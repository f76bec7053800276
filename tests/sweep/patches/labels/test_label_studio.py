"""Label Studio: JSON, brush, turned boxes, ellipses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.labels.brushes import decode_brush
from tests.sweep.patches.labels.program_files import (
    HEIGHT,
    POOL,
    ROOF,
    WIDTH,
    boxes,
    coco,
    masks_of,
    open_folder,
    require_refused,
    write_images,
    write_json,
)
from trainables.errors import DataError


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
    folder = write_images(tmp_path / "data", "images/a.jpg", "images/e97d4735-b.jpg", "images/sub/c.jpg")
    choice = _region("choices", {}, "x") | {"value": {"choices": ["sunny"]}}
    local = {"file_upload": None, "data": {"image": "/data/local-files/?d=images%2Fsub%2Fc.jpg"}}
    tasks = [
        _task(1, "0123abcd-a.jpg", [*_polygons(), choice]),
        _task(2, "e97d4735-b.jpg", _polygons()),
        _task(3, "", _polygons(), **local),
    ]
    write_json(folder / "project-1-at-2026-01-31.json", tasks)
    masks = masks_of(open_folder(folder))
    assert len(masks) == 3 and all(np.array_equal(mask, boxes(1, 2)) for mask in masks.values())


def test_label_studio_s_min_json(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "images/a.jpg", "images/b.jpg")
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    regions = [one["value"] | size for one in _polygons()]
    tasks = [
        {"image": f"/data/upload/1/0123abcd-{name}.jpg", "id": number, "label": regions, "annotator": 1}
        for number, name in enumerate("ab")
    ]
    write_json(folder / "project.json", tasks)
    assert all(np.array_equal(mask, boxes(1, 2)) for mask in masks_of(open_folder(folder)).values())


def test_label_studio_s_brush(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "a.jpg")
    random = np.random.default_rng(3)
    picture = random.integers(0, 3, (HEIGHT, WIDTH, 4)).astype(np.uint8)
    picture[20:, :, 3] = 0
    picture[24:30, 10:40, 3] = 255
    results = [_region("brushlabels", {"format": "rle", "rle": _brush(picture)}, "pool")]
    write_json(folder / "project.json", [_task(1, "0123abcd-a.jpg", results)])
    assert np.array_equal(masks_of(open_folder(folder, classes="pool"))["a"], (picture[..., 3] > 0).astype(np.uint8))


def test_a_brush_that_is_damaged_or_of_another_image_is_one_line() -> None:
    good = _brush(np.zeros((4, 4, 4), np.uint8))
    bombs: list[Any] = [good[:-1], [], None, [300], good[:6] + [255] * 100, [255] * 50]
    for rle in bombs:
        with pytest.raises(DataError, match="its brush mask is"):
            decode_brush(rle, (4, 4), "here")
    with pytest.raises(DataError, match="of an image of another size"):
        decode_brush(good, (4, 5), "here")


def test_brush_masks_as_png_lead_to_the_json_that_works(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", "images/a.jpg")
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    picture[4:9, 3:30, 3] = 255
    (folder / "brush").mkdir()
    Image.fromarray(picture[..., 3]).save(folder / "brush" / "task-1-annotation-2-by-1-tag-pool-0.png")
    require_refused("export the project as JSON", folder, labels=folder / "brush")
    results = [_region("brushlabels", {"format": "rle", "rle": _brush(picture)}, "pool")]
    file = write_json(folder / "project.json", [_task(1, "a.jpg", results)])
    masks = masks_of(open_folder(folder, classes="pool", labels=file))
    assert np.array_equal(masks["a"], picture[..., 3] // 255)


def test_labels_of_images_that_are_not_there_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_images(tmp_path / "data", "images/a.png")
    write_json(folder / "result.json", coco("a.png", "b.png", "c.png"))
    with caplog.at_level(logging.WARNING):
        open_folder(folder)
    assert "result.json: labels 3 images, of which 2 are not in --src and are left out: b.png, c.png" in caplog.text


def test_label_studio_s_turned_boxes_and_ellipses(tmp_path: Path) -> None:
    """A box turns about its upper left corner, clockwise; its sides are percent, its angle is not."""
    folder = write_images(tmp_path / "data", "a.jpg")
    corner, sides = _percent([(30.0, 4.0), (24.0, 16.0)])
    box = {"x": corner[0], "y": corner[1], "width": sides[0], "height": sides[1], "rotation": 90}
    write_json(folder / "p.json", [_task(1, "a.jpg", [_region("rectanglelabels", box, "roof")])])
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[4:28, 14:30] = 1
    assert np.array_equal(masks_of(open_folder(folder, classes="roof"))["a"], expected)
    centre, radii = _percent([(32.0, 24.0), (20.0, 10.0)])
    oval = {"x": centre[0], "y": centre[1], "radiusX": radii[0], "radiusY": radii[1], "rotation": 0}
    write_json(folder / "p.json", [_task(1, "a.jpg", [_region("ellipselabels", oval, "roof")])])
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    distance = np.hypot((columns - 32) / 20, (rows - 24) / 10)
    mask = masks_of(open_folder(folder, classes="roof"))["a"]
    assert mask[distance < 0.97].all() and not mask[distance > 1.03].any()


def test_of_several_annotations_one_is_taken_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_images(tmp_path / "data", "a.jpg")
    task = _task(7, "a.jpg", _polygons()[:1])
    newer = task["annotations"][0] | {"result": _polygons(), "updated_at": "2026-02-01T00:00:00Z"}
    cancelled = newer | {"was_cancelled": True, "updated_at": "2027-01-01T00:00:00Z", "result": []}
    write_json(folder / "p.json", [task | {"annotations": [newer, task["annotations"][0], cancelled]}])
    with caplog.at_level(logging.WARNING):
        found = open_folder(folder)
    assert np.array_equal(masks_of(found)["a"], boxes(1, 2))
    assert "task 7 has 2 annotations; the newest is taken" in caplog.text
    write_json(folder / "p.json", [task | {"annotations": []}])
    require_refused("a.jpg: has no labels in", folder)


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
    folder = write_images(tmp_path / "data", "a.jpg")
    write_json(folder / "p.json", [_task(1, "a.jpg", [_polygons()[0] | changes])])
    require_refused(said, folder)
