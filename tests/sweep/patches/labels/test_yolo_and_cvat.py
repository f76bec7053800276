"""Ultralytics YOLO and CVAT."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.sweep.patches.labels.program_files import (
    HEIGHT,
    POOL,
    ROOF,
    WIDTH,
    boxes,
    masks_of,
    open_folder,
    require_refused,
    write_images,
)
from tests.sweep.patches.test_patches import _run, _split_file
from trainables.data.tiles import TuningData


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
        write_images(folder / place, "a.jpg", "nothing.jpg")
        labels = folder / place.replace("images", "labels")
        labels.mkdir(parents=True)
        (labels / "a.txt").write_text(_yolo((1, ROOF), (0, POOL)))
    (folder / "data.yaml").write_text(YAML)
    with caplog.at_level(logging.WARNING):
        found = open_folder(folder)
    masks = masks_of(found)
    assert "2 of 4 images have no text file and are background everywhere: train_nothing, val_nothing" in caplog.text
    assert np.array_equal(masks["train_a"], boxes(1, 2)) and not masks["val_nothing"].any()
    assert {name: one.split for name, one in found.sources.items()}["val_a"] == "val"
    named = open_folder(folder, labels=folder / "data.yaml")
    assert np.array_equal(masks_of(named)["val_a"], boxes(1, 2))


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
    folder = write_images(tmp_path / "yards", "images/a.jpg")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text(text)
    (folder / "data.yaml").write_text("names: [pool, roof]\n")
    require_refused(said, folder)
    (folder / "data.yaml").write_text("names: {a: b\n")
    require_refused("data.yaml: not readable as YAML", folder)
    (folder / "data.yaml").write_text("nc: 2\n")
    require_refused("data.yaml: has no names", folder)


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
    folder = write_images(tmp_path / "project", *names)
    subsets = ("Train", "Validation", "Test")
    _cvat(folder, "".join(_cvat_image(number, "img0.jpg", subset) for number, subset in enumerate(subsets)))
    found = open_folder(folder)
    assert sorted(one.split for one in found.sources.values()) == ["test", "train", "val"]
    assert all(np.array_equal(mask, boxes(1, 2)) for mask in masks_of(found).values())


def test_cvat_s_subsets_are_splits_where_images_are_in_one_folder(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "project", "images/a.jpg", "images/b.jpg")
    _cvat(folder, _cvat_image(0, "a.jpg", "Train") + _cvat_image(1, "b.jpg", "Validation"))
    assert {name: one.split for name, one in open_folder(folder).sources.items()} == {"a": "train", "b": "val"}


def test_one_command_makes_a_dataset(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "project", *(f"images/{name}.png" for name in "abc"))
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
    expected[:HEIGHT] = boxes(2, 1)
    assert data.task.classes == ("background", "pool", "roof") and np.array_equal(data.train[0].mask, expected)
