"""Advice on the values of masks and images, on tiles and splits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.sweep.patches.advice.files import SIDE, Build, Pixels, blocks, noise, pairs, save, write
from tests.sweep.patches.advice.following import Advice

GREY = [shade for value in range(256) for shade in (value, value, value)]
INVERTED = [255, 255, 255, 0, 0, 0, *GREY[6:]]
RED, BLUE = (230, 20, 20), (20, 20, 230)
TWO_CLASSES = {"kind": "multiclass", "classes": ["ground", "roof", "road"]}


def colours(*shown: tuple[int, int, int]) -> Pixels:
    """Return a mask in colours, a stripe of rows of each."""
    return np.array(shown, np.uint8)[blocks(*range(len(shown)))]


def task_file(values: object) -> Build:
    """Return what writes ``task.json``, as a person does who knows what the masks mean."""
    return lambda folder, message: write(folder / "task.json", values)


def task_of_message(folder: Path, message: str) -> None:
    """Write the task that a message holds into a file."""
    found = re.search(r"--task FILE with (\{.*\})[;\s]", message)
    assert found, message
    write(folder / "task.json", found[1])


def sixteen_bits(folder: Path, *values: int) -> None:
    """Write images of 16 bits, of one value each or of noise."""
    pairs(folder)
    for number, path in enumerate(sorted((folder / "images").iterdir())):
        path.unlink()
        shape = (SIDE, SIDE, 3)
        pixels = np.full(shape, values[0], "uint16") if values else noise(number, most=4_000, dtype="uint16")
        pixels[number, :9] = pixels[number, :9] + number * 100
        save(path.with_suffix(".tif"), pixels, photometric="RGB")


def of_bands(*counts: int) -> Build:
    """Return what writes images of so many bands in turn."""

    def build(folder: Path) -> None:
        data = folder / "data"
        pairs(data)
        for number, path in enumerate(sorted((data / "images").iterdir())):
            path.unlink()
            count = counts[number % len(counts)]
            more = {"photometric": "RGB", "alpha": "yes" if count == 4 else "no"} if count >= 3 else {}
            save(path.with_suffix(".tif"), noise(number, (SIDE, SIDE, count)), **more)

    return build


def masks(*pixels: Pixels, ending: str = "png", palette: list[int] | None = None) -> Build:
    """Return what writes a dataset with these masks in turn."""
    return lambda folder: pairs(folder / "data", *pixels, ending=ending, palette=palette or ())


def with_no_data(folder: Path) -> None:
    """Write masks of 0, 2 and 9, of which 9 is declared to be no data."""
    pairs(folder / "data")
    for path in sorted((folder / "data/masks").iterdir()):
        path.unlink()
        save(path.with_suffix(".tif"), blocks(0, 2, 9), nodata=9)
    for path in sorted((folder / "data/images").iterdir()):
        path.unlink()
        save(path.with_suffix(".tif"), noise(hash(path.name) % 100), photometric="RGB")


def raster(height: int, width: int) -> Build:
    """Return what writes one raster with its mask."""

    def build(folder: Path) -> None:
        save(folder / "data/images/a.png", noise(1, (height, width, 3)))
        mask = np.zeros((height, width), np.uint8)
        mask[:, ::3] = 255
        save(folder / "data/masks/a.png", mask)

    return build


ramp = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)
FOREGROUND = "rasters/foreground.py"
OF_MASKS = (
    Advice(
        at=FOREGROUND,
        says="say which is foreground, such as --foreground",
        build=masks(blocks(0, 1, 2)),
        takes=("--foreground",),
    ),
    Advice(
        at=FOREGROUND,
        says="or what each means: --task FILE",
        build=masks(blocks(0, 1, 2)),
        takes=("--task",),
        fills={"FILE": "task.json"},
        edits=task_file(TWO_CLASSES),
    ),
    Advice(
        at=FOREGROUND,
        says="name each value in --task FILE",
        build=with_no_data,
        takes=("--task",),
        fills={"FILE": "task.json"},
        edits=task_file({"classes": ["ground", "roof"], "remap": {"2": "roof", "9": "ignore"}}),
    ),
    Advice(
        at=FOREGROUND,
        says="a threshold makes a mask of it",
        build=masks((ramp % 1000).astype(np.uint16)),
        takes=("--foreground",),
    ),
    Advice(
        at=FOREGROUND,
        says="if 255 means not labelled",
        build=masks(blocks(0, 1, 255)),
        takes=("--task",),
        fills={"FILE": "task.json"},
        edits=task_of_message,
    ),
    Advice(at=FOREGROUND, says="else say --foreground 1", build=masks(blocks(0, 1, 255)), takes=("--foreground",)),
    Advice(
        at=FOREGROUND,
        says="say which colour is foreground: --foreground R,G,B",
        build=masks(colours(RED, BLUE)),
        typed="make --src data --foreground 3",
        takes=("--foreground",),
        fills={"R,G,B": "230,20,20"},
    ),
    Advice(
        at="rasters/mask_files.py",
        says="say which colour is foreground: --foreground R,G,B",
        build=masks(colours(RED, BLUE)),
        takes=("--foreground",),
        fills={"R,G,B": "230,20,20"},
    ),
    *(
        Advice(
            at=FOREGROUND,
            says="its palette shows the value 0 white",
            build=masks(blocks(0, 1), palette=INVERTED),
            takes=(rf"--foreground=--foreground (\S+) for what is shown {shown}",),
        )
        for shown in ("white", "black")
    ),
    Advice(
        at=FOREGROUND,
        says="black and white with blurred edges or noise",
        build=masks(blocks(0, 3, 250, 255)),
        takes=("--foreground",),
    ),
    Advice(
        at=FOREGROUND,
        says="too many for classes; if it is a noisy mask",
        build=masks(noise(3, (SIDE, SIDE))),
        takes=("--foreground",),
    ),
    Advice(
        at=FOREGROUND,
        says="masks of one class hold one value",
        build=masks(blocks(0, 1), blocks(0, 2)),
        takes=("--foreground",),
    ),
    Advice(
        at=FOREGROUND,
        says="masks of one class hold one value",
        build=masks(blocks(0, 1), blocks(0, 2)),
        takes=("--task",),
        fills={"FILE": "task.json"},
        edits=task_file(TWO_CLASSES),
    ),
    Advice(
        at=FOREGROUND,
        says="has a palette, of whose indices none is more",
        build=masks(blocks(0, 1), palette=GREY),
        typed="make --src data --foreground '>127'",
        takes=("--foreground",),
        fills={"INDEX": "1"},
    ),
    Advice(
        at=FOREGROUND,
        says="is compressed as JPEG, which blurs indices",
        build=masks(blocks(0, 90, 255), ending="jpg"),
        typed="make --src data --foreground 1",
        takes=("--foreground",),
    ),
    Advice(
        at="rasters/mask_files.py",
        says="has no colours; give --foreground as an index",
        build=masks(blocks(0, 1)),
        typed="make --src data --foreground 60,16,152",
        places={"--foreground": "1"},
    ),
    Advice(
        at="rasters/images.py",
        says="--scale 2%,98% takes the middle",
        build=lambda folder: sixteen_bits(folder / "data"),
        takes=(r"--scale=--scale (\S+) takes",),
    ),
    Advice(
        at="rasters/images.py",
        says="--scale 2%,98% takes the middle",
        build=lambda folder: sixteen_bits(folder / "data"),
        takes=("--scale",),
        fills={"LOW,HIGH": "0,3000"},
    ),
    Advice(
        at="rasters/images.py",
        says="say which bands all of them have",
        build=of_bands(5, 3),
        typed="make --src data --bands all",
        takes=("--bands",),
    ),
    Advice(at="rasters/choosing.py", says="--bands all takes all", build=of_bands(5), code=0, takes=("--bands",)),
    Advice(
        at="rasters/choosing.py",
        says="such as near infrared, --bands 1,2,3,4 takes it",
        build=of_bands(4),
        code=0,
        takes=("--bands",),
    ),
    Advice(
        at="rasters/choosing.py",
        says="has one value between them; give --scale LOW,HIGH",
        build=lambda folder: sixteen_bits(folder / "data", 700),
        typed="make --src data --scale 2%,98%",
        takes=("--scale",),
        fills={"LOW,HIGH": "0,3000"},
    ),
    Advice(
        at="splits/chosen.py",
        says="or leave --split out",
        build=masks(),
        typed="make --src data --split none.toml",
        drops=("--split",),
    ),
    Advice(
        at="splits/chosen.py",
        says='a split file reads train = ["NAME", ...]',
        build=masks(),
        typed="make --src data --split none.toml",
        edits=lambda folder, message: write(
            folder / "none.toml",
            re.search(r"train = .*\[\.\.\.\]", message)[0]  # type: ignore[index]
            .replace('["NAME", ...]', '["a", "b"]')
            .replace("[...]", '["c"]', 1)
            .replace("[...]", '["d"]')
            .replace(", ", "\n", 0)
            .replace("], ", "]\n"),
        ),
        places={"--split": "none.toml"},
    ),
    Advice(
        at="splits/chosen.py",
        says="name your own tiles in a TOML file",
        build=lambda folder: (
            pairs(folder / "data"),
            write(folder / "mine.toml", 'train = ["a", "b"]\nval = ["c"]\ntest = ["d"]\n'),
        ),
        typed="make --src data --split austin",
        places={"--split": "mine.toml"},
    ),
    Advice(
        at="tiling/plan.py",
        says="has no labelled window of",
        build=raster(256, 256),
        typed="make --src data --size 256",
        takes=("--size",),
    ),
    Advice(
        at="tiling/plan.py",
        says="px apart; add images",
        build=raster(64, 100),
        typed="make --src data --size 64",
        edits=lambda folder, message: pairs(folder / "data"),
    ),
    Advice(
        at="tiling/plan.py",
        says="leave a split out: --shares 80,20,0",
        build=raster(64, 200),
        typed="make --src data --size 64",
        takes=("--shares",),
    ),
    Advice(
        at="tiling/plan.py",
        says="to make it again, maybe after editing this file: make ...",
        build=raster(256, 256),
        typed="make --src data --grid",
        code=0,
        reads="patches/split.toml",
        command=r"this file: (make \.\.\. .*)",
        fills={"...": "--src data --dst again", "THIS_FILE": "patches/split.toml"},
    ),
    *(
        Advice(
            at="tiling/rules.py",
            says="takes all windows, and --tiles-per-source some; leave one of them out",
            build=masks(),
            typed="make --src data --grid --tiles-per-source 2",
            drops=(flag,),
        )
        for flag in ("--grid", "--tiles-per-source")
    ),
    Advice(
        at="tiling/rules.py",
        says="is between windows of a grid; add --grid",
        build=masks(),
        typed="make --src data --overlap 0.25",
        takes=("--grid",),
    ),
    Advice(
        at="tiling/rules.py",
        says="is between windows of a grid; add --grid or --tiles-per-source",
        build=masks(),
        typed="make --src data --overlap 0.25",
        places={"--tiles-per-source": "1"},
    ),
    Advice(
        at="tiling/rules.py",
        says="--nudge: moves the one tile of a source; leave it out",
        build=masks(),
        typed="make --src data --grid --nudge a=0,0",
        drops=("--nudge",),
    ),
    Advice(
        at="tiling/rules.py",
        says="leave it out, or --grid and --tiles-per-source",
        build=masks(),
        typed="make --src data --grid --nudge a=0,0",
        drops=("--grid",),
    ),
    Advice(
        at="tiling/saying.py",
        says="--grid takes all",
        build=lambda folder: (
            [raster(100, 200)(folder / name) for name in "x"]
            and [
                save(folder / f"data/images/{one}.png", noise(ord(one), (100, 200, 3)))
                and save(folder / f"data/masks/{one}.png", np.resize(np.array([0, 255], np.uint8), (100, 200)))
                for one in "abc"
            ]
        ),
        code=0,
        takes=("--grid",),
    ),
)
