"""What a dataset says of its masks, and how files of several kinds become class indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainables.data.masks import classify
from trainables.errors import DataError
from trainables.task import Task, parse_value

DUBAI = Task(
    kind="multiclass",
    classes=("building", "land", "road"),
    colours=((60, 16, 152), (132, 41, 246), (110, 193, 228)),
    remap={"155,155,155": "ignore", "0,0,0": "ignore"},
)


def test_a_task_round_trips() -> None:
    assert Task.from_dict(DUBAI.to_dict()) == DUBAI
    assert Task.from_dict({}) == Task()


def test_what_follows_from_a_task() -> None:
    assert (Task().channels, Task().scored_classes, Task().ignores_pixels) == (1, (1,), False)
    assert (DUBAI.channels, DUBAI.scored_classes, DUBAI.ignores_pixels) == (3, (0, 1, 2), True)
    assert DUBAI.shown_colours == DUBAI.colours
    many = Task(kind="multiclass", classes=tuple(f"class {number}" for number in range(40)))
    assert len(set(many.shown_colours)) == 40


FAULTS: dict[str, dict[str, Any]] = {
    "kind is 'dense'; it must be binary or multiclass": {"kind": "dense"},
    "3 classes in a binary task": {"classes": ["a", "b", "c"]},
    "1 classes; name 2 to 64": {"kind": "multiclass", "classes": ["a"]},
    "names must differ": {"kind": "multiclass", "classes": ["a", "a"]},
    "1 colours for 2 classes": {"colours": [[1, 2, 3]]},
    "three whole numbers from 0 to 255": {"colours": [[1, 2, 3], [1, 2, 256]]},
    "two classes share one": {"colours": [[1, 2, 3], [1, 2, 3]]},
    "remap of '7' names 'roof'; known: background, foreground, ignore": {"remap": {"7": "roof"}},
    "remap of '7,8'; give an index": {"remap": {"7,8": "ignore"}},
    "'labels' does not exist; known: kind": {"labels": []},
    "colours: Input should be a valid list, is 3": {"colours": 3},
    "remap: Input should be a valid dictionary, is ['abc']": {"remap": ["abc"]},
    "a class is called ''; give each 1 to 100 printable letters": {"classes": ["a", ""]},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_task_that_is_none(fault: str) -> None:
    with pytest.raises(DataError) as caught:
        Task.from_dict(FAULTS[fault])
    assert fault in str(caught.value) and "\n" not in str(caught.value)


def test_values_on_the_left_of_a_remapping() -> None:
    assert (parse_value("3"), parse_value("155,155,155"), parse_value("*")) == (3, (155, 155, 155), None)


COLOURS = np.array([[(60, 16, 152), (132, 41, 246)], [(110, 193, 228), (155, 155, 155)]], dtype=np.uint8)


def _palette() -> Image.Image:
    picture = Image.fromarray(np.array([[5, 1], [0, 7]], dtype=np.uint8)).convert("P")
    table = [(0, 0, 0)] * 256
    table[5], table[1], table[0], table[7] = (tuple(colour) for colour in COLOURS.reshape(-1, 3).tolist())  # type: ignore[assignment]
    picture.putpalette([value for colour in table for value in colour])
    return picture


@pytest.mark.parametrize("picture", [Image.fromarray(COLOURS), _palette()], ids=["rgb", "palette"])
def test_colours_are_looked_up_in_the_legend(picture: Image.Image) -> None:
    assert classify(picture, DUBAI, "m.png").tolist() == [[0, 1], [2, 255]]


def _grey(*values: int) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=np.uint8))


def test_indices_are_remapped() -> None:
    task = Task(kind="multiclass", classes=("other", "car"), remap={"7": "car", "3": "ignore", "1": "other"})
    assert classify(_grey(0, 1, 3, 7, 255), task, "m.png").tolist() == [[0, 0, 255, 1, 255]]
    rest = Task(classes=("other", "roof"), remap={"3": "roof", "*": "other"})
    assert classify(_grey(0, 3, 9, 255), rest, "m.png").tolist() == [[0, 1, 0, 0]]


def test_binary_masks_of_both_kinds() -> None:
    assert classify(_grey(0, 255), Task(), "m.png").tolist() == [[0, 1]]
    assert classify(_grey(0, 1), Task(), "m.png").tolist() == [[0, 1]]
    assert classify(_grey(0, 1, 255), Task(ignores=True), "m.png").tolist() == [[0, 1, 255]]


@pytest.mark.parametrize(
    ("picture", "task", "fault"),
    [
        (
            _grey(0, 9),
            DUBAI,
            "holds class index 9, but the task has 3 classes (0 to 2); name it",
        ),
        (
            _palette(),
            Task(kind="multiclass", classes=("a", "b")),
            "holds class index 5, 7, but the task has 2 classes",
        ),
        (Image.fromarray(COLOURS), Task(classes=("a", "b")), "is in colours, but the task has no legend"),
        (Image.fromarray(COLOURS + np.uint8(1)), DUBAI, "4 pixels of colours outside the legend, such as 61,17,153"),
        (_grey(255, 255), DUBAI, "all pixels are ignored; label some, or remove the tile"),
        (Image.fromarray(COLOURS).convert("RGBA"), DUBAI, "is RGB with alpha, not a mask; save it"),
    ],
)
def test_a_mask_that_the_task_does_not_explain(picture: Image.Image, task: Task, fault: str) -> None:
    with pytest.raises(DataError) as caught:
        classify(picture, task, "train/masks/m.png")
    line = str(caught.value)
    assert line.startswith("train/masks/m.png: ") and fault in line and ";" in line and "\n" not in line
