"""Advice on labels: their classes, attributes, layers and places."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely

from tests.sweep.patches.advice.files import SIDE, Build, images, noise, save, write
from tests.sweep.patches.advice.following import Advice

BOX = "8,8;40,8;40,40;8,40"
NAMES = "abcd"


def cvat(names: Sequence[str], *labels: str) -> str:
    """Return CVAT's XML of images with a polygon per label."""
    shapes = "".join(f'<polygon label="{label}" points="{BOX}"/>' for label in labels)
    inside = "".join(
        f'<image id="{number}" name="{name}.png" width="{SIDE}" height="{SIDE}">{shapes}</image>'
        for number, name in enumerate(names)
    )
    return f"<annotations>{inside}</annotations>"


def coco_file(*, ignore: bool = False, empty: bool = False) -> dict[str, Any]:
    """Return COCO's JSON of four images with a box each."""
    box = [8, 8, 40, 8, 40, 40, 8, 40]
    return {
        "images": [
            {"id": n, "file_name": f"{name}.png", "width": SIDE, "height": SIDE} for n, name in enumerate(NAMES)
        ],
        "categories": [{"id": 1, "name": "roof"}],
        "annotations": []
        if empty
        else [
            {
                "id": 2 * n + k,
                "image_id": n,
                "category_id": 1,
                "segmentation": [box],
                "area": 1,
                "bbox": [0, 0, 1, 1],
                "iscrowd": 0,
                "ignore": k,
            }
            for n in range(len(NAMES))
            for k in range(1 + ignore)
        ],
    }


def labelled(text: object, name: str = "labels.xml") -> Build:
    """Return what writes images and a file of labels."""

    def build(folder: Path) -> None:
        images(folder / "data")
        write(folder / name, text)

    return build


def georeferenced(
    folder: Path,
    into: str = "data",
    *,
    crs: str | None = "EPSG:32633",
    attributes: Sequence[str] = ("kind",),
    layers: Sequence[str] = ("roofs",),
    vector_crs: str | None = "EPSG:32633",
) -> None:
    """Write rasters in a row, and the outlines of their roofs into ``roofs.gpkg``."""
    import geopandas
    from affine import Affine

    shapes = []
    for number, name in enumerate(NAMES):
        west = 500_000 + 1_000 * number
        place = {"crs": crs, "transform": Affine(0.5, 0, west, 0, -0.5, 5_300_000)}
        path = save(folder / into / f"{name}.tif", noise(number), photometric="RGB", **place)
        path.with_suffix(".png").unlink(missing_ok=True)
        shapes.append(shapely.box(west + 4, 5_300_000 - 20, west + 20, 5_300_000 - 4))
    columns = {one: ["house", "shed", "house", "shed"] for one in attributes}
    for layer in layers:
        table = geopandas.GeoDataFrame(columns, geometry=shapes, crs=vector_crs)
        table.to_file(folder / "roofs.gpkg", layer=layer)


def on_ground(**more: Any) -> Build:
    """Return what writes ``georeferenced``."""
    return lambda folder: georeferenced(folder, **more)


def via(folder: Path) -> None:
    """Write labels of VIA whose regions have two attributes."""
    images(folder / "data")
    shape = {"name": "polygon", "all_points_x": [8, 40, 40], "all_points_y": [8, 8, 40]}
    regions = [{"shape_attributes": shape, "region_attributes": {"surface": "flat", "owner": "me"}}]
    write(
        folder / "via.json",
        {name: {"filename": f"{name}.png", "size": 1, "regions": regions, "file_attributes": {}} for name in NAMES},
    )


def studio_task(number: int, name: str) -> dict[str, Any]:
    """Return a task of Label Studio with a polygon."""
    points = [[10, 10], [60, 10], [60, 60]]
    region = {
        "id": "r",
        "type": "polygonlabels",
        "original_width": SIDE,
        "original_height": SIDE,
        "value": {"points": points, "polygonlabels": ["roof"]},
    }
    return {
        "id": number,
        "data": {"image": f"/data/upload/1/{name}.png"},
        "annotations": [{"id": number, "result": [region]}],
    }


def studio(folder: Path) -> None:
    """Write Label Studio's brush masks as PNG, and its JSON beside them."""
    images(folder / "data")
    for number in range(len(NAMES)):
        save(folder / f"brush/task-{number}-annotation-1-by-1-tag-roof-0.png", noise(number, (SIDE, SIDE)))
    write(folder / "project.json", [studio_task(number, name) for number, name in enumerate(NAMES)])


def two_exports(folder: Path) -> None:
    """Write two exports of Label Studio into a folder."""
    studio(folder)
    for name in ("old", "new"):
        write(folder / f"exports/{name}.json", [studio_task(number, one) for number, one in enumerate(NAMES)])


def remap_of_message(folder: Path, message: str) -> None:
    """Add what a message says to the task."""
    found = re.search(r'"remap": (\{[^}]*\}) for', message)
    assert found, message
    task = json.loads((folder / "task.json").read_text())
    write(folder / "task.json", task | {"remap": json.loads(found[1])})


def with_task(build: Any, task: object) -> Build:
    """Return what writes a task beside other files."""

    def both(folder: Path) -> None:
        build(folder)
        write(folder / "task.json", task)

    return both


def outside(folder: Path) -> None:
    """Write an extent that one of the images is outside of."""
    import geopandas

    georeferenced(folder)
    area = shapely.box(499_000, 5_299_000, 502_500, 5_301_000)
    geopandas.GeoDataFrame(geometry=[area], crs="EPSG:32633").to_file(folder / "aoi.gpkg")
    write(folder / "split.toml", 'train = ["a", "d"]\nval = ["b"]\ntest = ["c"]\n')


GPKG = "make --src data --labels roofs.gpkg"
XML = "make --src data --labels labels.xml"
TASK = {"classes": ["ground", "roof"]}
OF_LABELS: Sequence[Advice] = (
    Advice(
        at="labels/areas.py",
        says="say it with --crs, such as --crs EPSG",
        build=on_ground(crs=None),
        typed=GPKG,
        takes=("--crs",),
        fills={"EPSG:32614": "EPSG:32633"},
    ),
    Advice(
        at="labels/vector_files.py",
        says="export it with one, or say it with --crs",
        build=on_ground(vector_crs=None),
        typed=GPKG,
        places={"--crs": "EPSG:32633"},
    ),
    Advice(
        at="labels/vector_files.py",
        says="with --class-attribute: ",
        build=on_ground(attributes=("kind", "owner")),
        typed=GPKG + " --classes all",
        takes=(r"--class-attribute=--class-attribute: (\w+) \(",),
    ),
    Advice(
        at="labels/vector_files.py",
        says="choose one with ",
        build=on_ground(layers=("old", "new")),
        typed=GPKG,
        takes=(r"--layer=--layer: (\w+) \(",),
    ),
    Advice(
        at="labels/via.py",
        says="say which of them names the class",
        build=via,
        typed="make --src data --labels via.json",
        takes=("--class-attribute",),
    ),
    Advice(
        at="labels/names.py",
        says="--classes all keeps them apart",
        build=labelled(cvat(NAMES, "roof", "pool")),
        typed=XML,
        code=0,
        takes=(r"--classes=--classes (all) keeps",),
    ),
    Advice(
        at="labels/names.py",
        says="takes those alone",
        build=labelled(cvat(NAMES, "roof", "pool")),
        typed=XML,
        code=0,
        takes=(r"--classes=--classes (\S+) takes",),
    ),
    Advice(
        at="labels/names.py",
        says="no class of --task; add",
        build=with_task(labelled(cvat(NAMES, "roof", "pool")), TASK),
        typed=XML + " --task task.json",
        edits=remap_of_message,
    ),
    Advice(
        at="labels/names.py",
        says="no class of --task; add",
        build=with_task(labelled(cvat(NAMES, "roof", "pool")), TASK),
        typed=XML + " --task task.json",
        edits=lambda folder, message: write(
            folder / "task.json", {"kind": "multiclass", "classes": ["ground", "roof", "pool"]}
        ),
    ),
    Advice(
        at="labels/names.py",
        says='give a --task with "ignores": true',
        build=with_task(labelled(coco_file(ignore=True), "coco.json"), TASK),
        typed="make --src data --labels coco.json --task task.json",
        edits=lambda folder, message: write(
            folder / "task.json", {**TASK, **json.loads("{" + re.search(r'"ignores": true', message)[0] + "}")}
        ),
    ),  # type: ignore[index]
    Advice(
        at="labels/names.py",
        says="so it names no class; leave --classes out",
        build=labelled(coco_file(empty=True), "coco.json"),
        typed="make --src data --labels coco.json --classes all",
        drops=("--classes",),
    ),
    Advice(
        at="labels/label_studio.py",
        says="and give that: --labels project.json",
        build=studio,
        typed="make --src data --labels brush",
        takes=("--labels",),
    ),
    Advice(
        at="labels/label_studio.py",
        says="name the export itself by --labels",
        build=two_exports,
        typed="make --src data --labels exports",
        places={"--labels": "exports/new.json"},
    ),
    Advice(
        at="labels/labelled.py",
        says="or leave it out of --split",
        build=outside,
        typed=GPKG + " --extent aoi.gpkg --split split.toml",
        edits=lambda folder, message: write(folder / "split.toml", 'train = ["a"]\nval = ["b"]\ntest = ["c"]\n'),
    ),
)
