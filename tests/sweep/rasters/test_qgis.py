"""Styles for QGIS: each class in its colour and by its name, taken by QGIS without a word."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from PIL import Image

from sweep.rasters.qgis import HEAD, RAMPS, add_style, mask_style, polygon_style, share_style
from sweep.rasters.vectors import GEOMETRY, LAYER, Polygons, write_vectors
from trainables.task import Task

PYTHON = "/usr/bin/python3"
"""Debian's QGIS is a package of this one."""
CLASSES = Task(
    kind="multiclass", classes=("water", 'a "b" <c> & d', "land"), colours=((0, 0, 255), (200, 10, 10), (1, 2, 3))
)
BINARY = Task(classes=("background", "roof"), colours=((0, 0, 0), (255, 0, 200)))


def parsed(text: str) -> Element:
    assert text.startswith(HEAD)
    root = fromstring(text)
    assert root.tag == "qgis" and root.get("styleCategories") == "Symbology"
    return root


def test_a_mask_s_style_has_each_class_in_its_colour() -> None:
    (renderer,) = parsed(mask_style(CLASSES)).findall("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted" and renderer.get("band") == "1"
    assert [(one.get("value"), one.get("label"), one.get("color"), one.get("alpha")) for one in renderer[1]] == [
        ("0", "water", "#0000ff", "255"),
        ("1", 'a "b" <c> & d', "#c80a0a", "255"),
        ("2", "land", "#010203", "255"),
    ]
    (renderer,) = parsed(mask_style(BINARY)).findall("pipe/rasterrenderer")
    assert [(one.get("label"), one.get("alpha")) for one in renderer[1]] == [("background", "0"), ("roof", "255")]


def test_polygons_are_told_apart_by_their_class() -> None:
    (renderer,) = parsed(polygon_style(CLASSES)).findall("renderer-v2")
    assert renderer.get("type") == "categorizedSymbol" and renderer.get("attr") == "class"
    symbols = {one.get("name"): one for one in renderer.findall("symbols/symbol")}
    for category, name, colour in zip(
        renderer.findall("categories/category"), CLASSES.classes, CLASSES.colours, strict=True
    ):
        assert category.get("value") == category.get("label") == name
        options = {
            one.get("name"): one.get("value") for one in symbols[category.get("symbol")].findall("layer/Option/")
        }
        assert options["outline_color"] == f"{colour[0]},{colour[1]},{colour[2]},255"
    (renderer,) = parsed(polygon_style(BINARY)).findall("renderer-v2")
    assert renderer.get("type") == "singleSymbol" and len(renderer.findall("symbols/symbol")) == 1


def squares(path: Path, task: Task, style: str) -> Path:
    """Write a polygon of each class on the columns of ``mask``."""
    boxes = [
        shapely.box(5e5 + 50 * one, 2.7e6 - 50, 5e5 + 50 * one + 40, 2.7e6 - 10) for one in range(len(task.classes))
    ]
    names = [""] if task.binary else list(task.classes)
    batches = [
        Polygons(
            first_id=1 + number,
            geometries=[boxes[number]],
            areas_m2=np.array([1600.0]),
            mean_probabilities=np.array([0.7]),
            class_name=name,
        )
        for number, name in enumerate(names)
    ]
    crs = rasterio.CRS.from_epsg(32637).to_wkt()
    write_vectors(batches, path, crs=crs, classes=not task.binary, style=style)
    return path


def test_a_geopackage_has_its_style_inside_as_the_default(tmp_path: Path) -> None:
    path = squares(tmp_path / "a.gpkg", CLASSES, polygon_style(CLASSES))
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
        kinds = dict(database.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall())
    assert rows == [(LAYER, GEOMETRY, 1, polygon_style(CLASSES))]
    assert kinds == {LAYER: "features", "layer_styles": "attributes"}
    with pytest.raises(OSError, match="already exists"):
        add_style(path, LAYER, GEOMETRY, "")
    with closing(sqlite3.connect(squares(tmp_path / "b.gpkg", CLASSES, ""))) as database:
        assert not database.execute("SELECT name FROM sqlite_master WHERE name = 'layer_styles'").fetchall()


def _qgis() -> bool:
    try:
        return subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


@pytest.mark.parametrize("task", [BINARY, CLASSES], ids=["binary", "classes"])
def test_qgis_draws_masks_and_polygons_in_their_colours(task: Task, tmp_path: Path) -> None:
    if not _qgis():
        pytest.skip("python3-qgis is not installed")
    mask, count = tmp_path / "a_mask.tif", len(task.classes)
    values = np.arange(count, dtype=np.uint8).repeat(50)[None].repeat(100, 0)
    profile: dict[str, Any] = {"driver": "GTiff", "count": 1, "height": 100, "width": 50 * count, "dtype": "uint8"}
    place = Affine(1, 0, 5e5, 0, -1, 2.7e6)
    with rasterio.open(mask, "w", crs="EPSG:32637", transform=place, nodata=255, **profile) as raster:
        raster.write(values, 1)
    mask.with_suffix(".qml").write_text(mask_style(task))
    vectors = [squares(tmp_path / "a.gpkg", task, polygon_style(task))]
    vectors.append(squares(tmp_path / "b.geojson", task, ""))
    vectors[1].with_suffix(".qml").write_text(polygon_style(task))
    script = Path(__file__).with_name("qgis_render.py")
    words = [PYTHON, script, tmp_path / "seen.png", mask, vectors[0], vectors[1]]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in task.shown_colours]
    legend = [[name, colour, 255] for name, colour in zip(task.classes, colours, strict=True)]
    if task.binary:
        legend[0][2] = 0
    assert found[str(mask)] == {"type": "paletted", "legend": legend}
    for path in vectors:
        assert found[str(path)]["type"] == ("singleSymbol" if task.binary else "categorizedSymbol")
        items = found[str(path)]["legend"]
        assert [colour for _, colour in items] == (colours[1:] if task.binary else colours)
        assert task.binary or [name for name, _ in items] == list(task.classes)
    picture = np.asarray(Image.open(tmp_path / "seen.png").convert("RGB"))
    for number, colour in enumerate(task.shown_colours):
        below = picture[90, 50 * number + 20]
        assert below.tolist() == ([255, 255, 255] if task.binary and not number else list(colour))


@pytest.mark.parametrize("layer", RAMPS)
def test_a_raster_of_shares_has_a_ramp_from_0_to_1(layer: str) -> None:
    (renderer,) = parsed(share_style(layer)).findall("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor"
    steps = renderer.findall("rastershader/colorrampshader/item")
    assert [float(one.get("value", "")) for one in steps] == [0, 0.25, 0.5, 0.75, 1]
    assert tuple(one.get("color") for one in steps) == RAMPS[layer] and steps[1].get("label") == "0.25"


@pytest.mark.parametrize("layer", RAMPS)
def test_qgis_draws_shares_by_the_band_s_scale(layer: str, tmp_path: Path) -> None:
    if not _qgis():
        pytest.skip("python3-qgis is not installed")
    path = tmp_path / f"a_{layer}.tif"
    profile: dict[str, Any] = {"driver": "GTiff", "count": 1, "height": 100, "width": 100, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32637", transform=Affine(1, 0, 5e5, 0, -1, 2.7e6), **profile) as raster:
        raster.write(np.full((1, 100, 100), 125, np.uint8))
        raster.scales = (1 / 250,)
    path.with_suffix(".qml").write_text(share_style(layer))
    words = [PYTHON, Path(__file__).with_name("qgis_render.py"), tmp_path / "seen.png", path]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])[str(path)]
    assert found["type"] == "singlebandpseudocolor" and [one[1] for one in found["legend"]] == list(RAMPS[layer])
    middle = "#{:02x}{:02x}{:02x}".format(*np.asarray(Image.open(tmp_path / "seen.png").convert("RGB"))[50, 50])
    assert middle == RAMPS[layer][2]
