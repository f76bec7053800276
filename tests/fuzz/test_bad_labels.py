"""Whatever a labelling program's export, a task or a folder of pets holds: it works, or one clear line a fault."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from sweep.cli.console import open_output
from sweep.patches.commands.make import make
from sweep.patches.options import Make
from sweep.patches.tasks import read_task
from tests.fuzz.test_bad_input import CASES, JSON, _flip, _truncate, each, works_or_says_why
from tests.sweep.patches.test_labels import OBJECTS, TASK, coco, write_coco, write_cvat, write_labelme


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("labels")
    (folder / "images").mkdir()
    for number, name in enumerate("abc"):
        noise = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{name}.png")
    (folder / "split.toml").write_text('train = ["a"]\nval = ["b"]\ntest = ["c"]\n')
    (folder / "task.json").write_text(json.dumps(TASK))
    yield folder


def _make(images: Path, labels: Path, out: Path) -> None:
    common = {"src": images, "dst": out, "split": str(images / "split.toml"), "size": 64, "quiet": True}
    make(Make(**common, labels=labels, task=images / "task.json"), open_output())


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("write", [write_cvat, write_coco, write_labelme])
def test_damaged_label_files(images: Path, cases: int, write: Callable[[Path, Any], Path]) -> None:
    def check(dice: Any) -> None:
        with tempfile.TemporaryDirectory() as place:
            ending = ".xml" if write is write_cvat else ".json"
            labels = write(Path(place) / f"labels{ending}", OBJECTS)
            damage = dice.choice((_flip, _truncate))
            damage(labels / "b.json" if labels.is_dir() else labels, dice)
            with works_or_says_why(labels):
                _make(images, labels, Path(place) / "out")

    each(cases, st.randoms(use_true_random=False))(check)


@pytest.mark.parametrize("cases", CASES)
def test_coco_files_of_other_values(images: Path, cases: int) -> None:
    values = coco(OBJECTS)
    fields = [(part, name) for part in values for name in values[part][0]]

    def check(field: tuple[str, str], value: object) -> None:
        with tempfile.TemporaryDirectory() as place:
            changed = json.loads(json.dumps(values))
            changed[field[0]][0][field[1]] = value
            labels = Path(place) / "labels.json"
            labels.write_text(json.dumps(changed))
            with works_or_says_why(labels):
                _make(images, labels, Path(place) / "out")

    each(cases, st.sampled_from(fields), JSON)(check)


@pytest.mark.parametrize("cases", CASES)
def test_labelme_files_of_other_values(images: Path, cases: int) -> None:
    def check(field: str, value: object, inside: bool) -> None:
        with tempfile.TemporaryDirectory() as place:
            labels = write_labelme(Path(place) / "l.json", OBJECTS)
            values = json.loads((labels / "a.json").read_text())
            (values["shapes"][0] if inside else values)[field] = value
            (labels / "a.json").write_text(json.dumps(values))
            with works_or_says_why(labels):
                _make(images, labels, Path(place) / "out")

    names = ("label", "points", "shape_type", "shapes", "imageWidth", "imageHeight")
    each(cases, st.sampled_from(names), JSON, st.booleans())(check)


@pytest.mark.parametrize("cases", CASES)
def test_tasks_of_other_values(cases: int, tmp_path: Path) -> None:
    path = tmp_path / "task.json"

    def check(value: object, field: str | None) -> None:
        path.write_text(json.dumps(value if field is None else {**TASK, field: value}))
        with works_or_says_why(path):
            read_task(path)

    names = (None, "kind", "classes", "colours", "remap", "ignores")
    each(cases, JSON, st.sampled_from(names))(check)
