"""What labels' names mean: chosen, joined, remapped and ignored by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sweep.patches.labels.names import LabelNames
from tests.sweep.patches.test_labels import OBJECTS, SQUARE, _expected, _make, write_coco, write_cvat
from tests.sweep.patches.test_patches import _refused, _run
from trainables.data.tiles import TuningData
from trainables.errors import DataError
from trainables.task import Task

HERE = Path("labels.json")
COUNTS = {"roof": 120, "car": 40, "pool": 3}


def test_one_class_is_foreground_without_a_word() -> None:
    meaning = LabelNames().meaning({"roof": 7}, HERE)
    assert (meaning.task, meaning.values, list(meaning.notes)) == (Task(), {"roof": 1}, [])


def test_several_classes_are_joined_and_it_is_said() -> None:
    meaning = LabelNames().meaning(COUNTS, HERE)
    assert meaning.task == Task() and set(meaning.values.values()) == {1}
    assert meaning.notes == [
        "labels.json: its labels 'roof' (120), 'car' (40), 'pool' (3) are joined as foreground; --classes all keeps "
        "them apart, --classes roof,car takes those alone"
    ]


def test_names_that_say_background_or_ignore_mean_it() -> None:
    meaning = LabelNames().meaning({"roof": 1, "background": 2, "ignore": 3}, HERE)
    assert meaning.values == {"roof": 1, "background": 0, "ignore": 255} and meaning.task.ignores
    assert "'ignore' (3), 'background' (2): no foreground by name" in meaning.notes[0]


def test_chosen_classes_keep_their_order_and_others_are_left_out() -> None:
    meaning = LabelNames(classes=("pool", "roof")).meaning(COUNTS, HERE)
    assert meaning.task.classes == ("background", "pool", "roof") and meaning.values == {"pool": 1, "roof": 2}
    assert meaning.notes == ["labels.json: its labels 'car' (40) are left out, as --classes says"]
    assert LabelNames(classes=("car",)).meaning(COUNTS, HERE).task == Task(classes=("background", "car"))
    everything = LabelNames(classes=("all",)).meaning(COUNTS | {"background": 1}, HERE)
    assert everything.task.classes == ("background", "car", "pool", "roof") and everything.values["background"] == 0


def test_chosen_classes_that_are_not_there_are_answered_with_what_is() -> None:
    with pytest.raises(DataError) as caught:
        LabelNames(classes=("roof", "truck")).meaning(COUNTS, HERE)
    assert str(caught.value) == (
        "--classes roof,truck: 'truck' is no label of labels.json; it holds 'roof' (120), 'car' (40), 'pool' (3)"
    )
    with pytest.raises(DataError, match="holds no annotation"):
        LabelNames(classes=("all",)).meaning({}, HERE)
    many = {f"class {number}": 1 for number in range(80)}
    with pytest.raises(DataError, match=r"--classes all: 81 classes; name 2 to 64; labels\.json holds 'class 0' "):
        LabelNames(classes=("all",)).meaning(many, HERE)


def test_a_task_remaps_labels_by_name() -> None:
    task = Task(
        kind="multiclass",
        classes=("background", "vehicle", "roof"),
        remap={"bus": "vehicle", "car": "vehicle", "tree": "ignore", "*": "background"},
    )
    meaning = LabelNames(task=task).meaning({"bus": 1, "car": 1, "tree": 1, "dog": 1, "roof": 1}, HERE)
    assert meaning.values == {"bus": 1, "car": 1, "tree": 255, "dog": 0, "roof": 2}
    assert meaning.task.remap == {} and meaning.task.ignores


def test_unknown_labels_are_listed_once_with_their_counts() -> None:
    task = Task(classes=("ground", "roof"))
    with pytest.raises(DataError) as caught:
        LabelNames(task=task).meaning({"roof": 1, "rooof": 2, "car": 40}, HERE)
    assert str(caught.value) == (
        "labels.json: labels 'car' (40), 'rooof' (2) are no class of --task; add them to its classes or to its remap, "
        'or "remap": {"*": "ground"} for all others; did you mean \'roof\'? known: ground, roof'
    )


def test_through_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = write_coco(tmp_path / "labels.json", [*OBJECTS, ("car", SQUARE)])
    assert _run(*_make(tmp_path, labels), "--classes", "pool,roof") == 0
    assert " ".join(capsys.readouterr().out.split()).count("its labels 'car' (3) are left out") == 1
    data = TuningData.read(tmp_path / "out")
    assert data.task.classes == ("background", "pool", "roof")
    assert np.array_equal(data.train[0].mask, _expected(2, 1))
    remap = {"kind": "multiclass", "classes": ["land", "built"], "remap": {"roof": "built", "*": "ignore"}}
    command = _make(tmp_path, write_cvat(tmp_path / "labels.xml", OBJECTS), task=remap)
    assert _run(*command, "--force") == 0
    assert np.array_equal(TuningData.read(tmp_path / "out").train[0].mask, _expected(1, 255))
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["task"]["remap"] == {}
    _refused("does not go with --task", *command, "--classes", "roof")


def test_names_of_labels_mean_nothing_in_masks(tmp_path: Path) -> None:
    from PIL import Image

    from trainables.data.masks import classify

    task = Task(classes=("land", "built"), remap={"roof": "built"})
    with pytest.raises(DataError, match="remap of 'roof' is for labels that have names"):
        classify(Image.new("L", (4, 4)), task, "a.png")
