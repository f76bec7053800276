"""Whatever a labelling program's export holds: it is painted, or one clear line a fault says why not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from sweep.patches.layouts.opening import open_sources
from sweep.patches.options import Make
from sweep.patches.rasters.area import Area
from tests.fuzz.test_bad_input import CASES, JSON, _flip, _truncate, each, works_or_says_why
from tests.sweep.patches.labels import program_files as programs
from tests.sweep.patches.labels import test_label_studio as studio
from tests.sweep.patches.labels import test_via_and_supervisely as via

SHAPE = (programs.HEIGHT, programs.WIDTH)


def _coco(folder: Path) -> Path:
    return programs.write_json(folder / "train" / "_annotations.coco.json", programs.coco("a.jpg"))


def _label_studio(folder: Path) -> Path:
    picture = np.zeros((*SHAPE, 4), np.uint8)
    picture[4:9, 3:30] = 255
    oval = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "rotation": 30}
    box = {"x": 50, "y": 50, "width": 10, "height": 20, "rotation": 30}
    regions = [
        *studio._polygons(),
        studio._region("brushlabels", {"format": "rle", "rle": studio._brush(picture)}, "pool"),
        studio._region("ellipselabels", oval, "roof"),
        studio._region("rectanglelabels", box, "roof"),
    ]
    return programs.write_json(folder / "p.json", [studio._task(1, "0123abcd-a.jpg", regions)])


def _via(folder: Path) -> Path:
    shapes = [
        ("roof", via._via_polygon(programs.ROOF)),
        ("pool", {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}),
        ("roof", {"name": "ellipse", "cx": 9, "cy": 9, "rx": 3, "ry": 4, "theta": 0.5}),
        ("pool", {"name": "circle", "cx": 9, "cy": 9, "r": 3}),
    ]
    return programs.write_json(folder / "v.json", {"a": via._via("a.jpg", *shapes)})


def _supervisely(folder: Path) -> Path:
    hole = {"exterior": [[8, 8], [39, 8], [39, 31]], "interior": [[[12, 10], [20, 10], [20, 14]]]}
    objects = [
        {"classTitle": "roof", "geometryType": "polygon", "points": hole},
        {"classTitle": "pool", "geometryType": "rectangle", "points": {"exterior": [[1, 1], [9, 9]], "interior": []}},
        {"classTitle": "pool", "geometryType": "bitmap", "bitmap": {"data": programs.BITMAP, "origin": [5, 6]}},
    ]
    return programs.write_json(folder / "train" / "ann" / "a.jpg.json", via._supervisely(*objects))


def _datumaro(folder: Path) -> Path:
    annotations = [
        {"id": 0, "type": "polygon", "label_id": 0, "z_order": 0, "points": programs.flat(programs.ROOF)},
        {"id": 1, "type": "bbox", "label_id": 1, "z_order": 1, "bbox": [1.0, 2.0, 30.0, 9.0]},
    ]
    item = {"id": "a", "annotations": annotations, "image": {"path": "a.jpg", "size": list(SHAPE)}}
    labels = {"label": {"labels": [{"name": "roof"}, {"name": "pool"}]}}
    return programs.write_json(folder / "train.json", {"info": {}, "categories": labels, "items": [item]})


def _labelme(folder: Path) -> Path:
    shapes = [
        {"label": "roof", "points": programs.ROOF, "shape_type": "polygon", "mask": None},
        {"label": "pool", "points": [[9.0, 9.0], [12.0, 9.0]], "shape_type": "circle", "mask": None},
        {"label": "pool", "points": [[4.0, 5.0], [12.0, 16.0]], "shape_type": "mask", "mask": programs.PICTURE},
    ]
    size = {"imageHeight": programs.HEIGHT, "imageWidth": programs.WIDTH}
    return programs.write_json(folder / "a.json", {"version": "5.5.0", "shapes": shapes, "imagePath": "a.jpg"} | size)


WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "coco": ("train/a.jpg", _coco),
    "label studio": ("a.jpg", _label_studio),
    "via": ("a.jpg", _via),
    "supervisely": ("train/img/a.jpg", _supervisely),
    "datumaro": ("a.jpg", _datumaro),
    "labelme": ("a.jpg", _labelme),
}


def _paint(folder: Path) -> None:
    found = open_sources(Make(src=folder, dst=folder.parent / "out"))
    for source in found.sources.values():
        for area in (Area.whole(SHAPE), Area(top=5, left=7, height=20, width=9)):
            assert found.truth(source, SHAPE, area).shape == (area.height, area.width)


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """Return every place of a JSON value: what holds it, and its key or index."""
    keys = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [place for key, inner in keys for place in ((value, key), *_nodes(inner))]


@pytest.mark.parametrize("name", WRITERS)
def test_the_export_itself_is_painted(name: str, tmp_path: Path) -> None:
    image, write = WRITERS[name]
    write(programs.write_images(tmp_path / "data", image))
    _paint(tmp_path / "data")


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("name", WRITERS)
def test_exports_of_other_values(name: str, cases: int) -> None:
    image, write = WRITERS[name]

    def check(dice: Any, other: object, absent: bool) -> None:
        with tempfile.TemporaryDirectory() as place:
            file = write(programs.write_images(Path(place) / "data", image))
            values = json.loads(file.read_text())
            holder, key = dice.choice(_nodes(values))
            if absent:
                del holder[key]
            else:
                holder[key] = other
            file.write_text(json.dumps(values))
            with works_or_says_why(Path(place) / "data"):
                _paint(Path(place) / "data")

    each(cases, st.randoms(use_true_random=False), JSON, st.booleans())(check)


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("name", WRITERS)
def test_damaged_exports(name: str, cases: int) -> None:
    image, write = WRITERS[name]

    def check(dice: Any) -> None:
        with tempfile.TemporaryDirectory() as place:
            file = write(programs.write_images(Path(place) / "data", image))
            dice.choice((_flip, _truncate))(file, dice)
            with works_or_says_why(Path(place) / "data"):
                _paint(Path(place) / "data")

    each(cases, st.randoms(use_true_random=False))(check)


@pytest.mark.parametrize("cases", CASES)
def test_text_files_of_yolo(cases: int) -> None:
    words = st.one_of(st.floats().map(str), st.integers(-3, 3).map(str), st.text(max_size=6))

    def check(lines: list[list[str]], names: object) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = programs.write_images(Path(place) / "data", "images/a.jpg")
            (folder / "labels").mkdir()
            (folder / "labels" / "a.txt").write_text("\n".join(" ".join(words) for words in lines), "utf-8", "replace")
            (folder / "data.yaml").write_text(json.dumps({"names": names}))
            with works_or_says_why(folder):
                _paint(folder)

    each(cases, st.lists(st.lists(words, max_size=9), max_size=4), JSON | st.just(["a", "b", "c"]))(check)
