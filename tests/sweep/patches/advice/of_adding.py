"""Advice about the next version of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sweep.next.labelling.labelme import labelme_json
from sweep.next.labelling.outlines import PreLabel
from sweep.records.choice import CHOICE_FILE, ChosenWindow, choice_bytes
from tests.commands import run_here
from tests.sweep.patches.advice.files import SIDE, blocks, images, noise, pairs, save, write
from tests.sweep.patches.advice.following import Advice

ADD = "make --src data --add base --dst two"


def base(folder: Path, *masks: np.ndarray, task: Sequence[str] = ()) -> None:
    """Write a dataset of four tiles, and new images of other names."""
    pairs(folder / "old", *masks)
    write(folder / "task.json", {"kind": "multiclass", "classes": list(task)})
    more = ("--task", "task.json") if task else ()
    done = run_here("patches", "make", "--src", "old", "--dst", "base", *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    for kind in ("images", "masks"):
        for number, path in enumerate(sorted((folder / "old" / kind).iterdir())):
            (folder / "data" / kind).mkdir(parents=True, exist_ok=True)
            pixels = noise(700 + number) if kind == "images" else blocks(0, 1) if masks else blocks(0, 255)
            save(folder / "data" / kind / f"n{path.name}", pixels)


def with_prelabels(folder: Path) -> None:
    """Write a dataset, and new images whose labels are as a model wrote them."""
    base(folder)
    images(folder / "photos/tiles", ("p", "q"))
    square = PreLabel(label="foreground", points=np.array([[8.0, 8], [40, 8], [40, 40], [8, 40]]))
    for name in ("p", "q"):
        (folder / f"photos/tiles/{name}.json").write_bytes(labelme_json(f"{name}.png", (SIDE, SIDE), [square]))
    windows = [ChosenWindow(name=name, source=f"{name}.png", scene="") for name in ("p", "q")]
    (folder / "photos" / CHOICE_FILE).write_bytes(choice_bytes("both", "m", "base", windows))


def with_more_bands(folder: Path) -> None:
    """Write a dataset of three bands, and new images of five."""
    base(folder)
    for path in sorted((folder / "data/images").iterdir()):
        path.unlink()
        save(path.with_suffix(".tif"), noise(900 + ord(path.stem[-1]), (SIDE, SIDE, 5)))


OF_ADDING = (
    Advice(
        at="adding/earlier.py",
        says="is the dataset that tiles are added to, which stays as it is",
        build=base,
        typed="make --src data --add base --dst base",
        takes=("--dst",),
    ),
    Advice(
        at="adding/earlier.py",
        says="give --task with the classes of the dataset",
        build=lambda folder: (
            base(folder, blocks(0, 1, 2), task=("ground", "roof", "road")),
            write(folder / "other.json", {"classes": ["ground", "roof"]}),
        ),
        typed=f"{ADD} --task other.json",
        places={"--task": "task.json"},
    ),
    Advice(
        at="adding/prelabels.py",
        says="or --take-prelabels takes them as they are",
        build=with_prelabels,
        typed="make --src photos/tiles --add base --dst two",
        takes=("--take-prelabels",),
    ),
    Advice(
        at="rasters/choosing.py",
        says="give images of these, or say which they are by --bands",
        build=with_more_bands,
        typed=f"{ADD} --bands all",
        places={"--bands": "1,2,3"},
    ),
)
