"""Labelling programs' files: every attribute that says where or what is used, or refused; nothing is skipped."""

from __future__ import annotations

import json
import logging
import unicodedata
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweep.patches.labels.formats import open_labels
from sweep.patches.labels.names import LabelNames
from sweep.patches.labels.shapes import turn
from sweep.patches.labels.vector_files import VectorChoices
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.errors import DataError
from trainables.task import Task

SIDE = 128
SHAPE = (SIDE, SIDE)
TASK = Task(kind="multiclass", classes=("ground", "roof", "tree"), ignores=True)
SQUARE = [[16.0, 16.0], [64.0, 16.0], [64.0, 48.0], [16.0, 48.0]]


def _source(folder: Path, name: str = "a.png") -> SourceRaster:
    path = folder / "images" / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", SHAPE).save(path)
    return SourceRaster(name=path.stem, image=path, mask=path)


def _rasterise(folder: Path, labels: Path, name: str = "a.png", **more: Any) -> np.ndarray:
    source = replace(_source(folder, name), mask=labels)
    names = LabelNames(task=more.pop("task", TASK))
    return open_labels({source.name: source}, names, **more).rasterise(source, SHAPE, Area.whole(SHAPE))


def _cvat(folder: Path, shapes: str, image: str = "", before: str = "") -> Path:
    path = folder / "labels.xml"
    inside = f'<image id="0" name="a.png" width="128" height="128" {image}>{shapes}</image>'
    path.write_text(f"<annotations><version>1.1</version>{before}{inside}</annotations>")
    return path


def _inside(corners: np.ndarray) -> np.ndarray:
    """Return the pixels whose centre a convex polygon holds, corners in order, and those within half a pixel of it."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    sides = []
    for (x, y), (other_x, other_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = np.hypot(other_x - x, other_y - y)
        sides.append(((other_x - x) * (rows - y) - (other_y - y) * (columns - x)) / length)
    return np.min(sides, axis=0)


@pytest.mark.parametrize("rotation", [-45.0, 30.0, 90.0, 200.5])
def test_a_turned_box_of_cvat_is_turned(tmp_path: Path, rotation: float) -> None:
    """Clockwise about its centre, y pointing down: cos and sin written out here once more."""
    box = f'<box label="roof" xtl="28" ytl="55" xbr="100" ybr="73" rotation="{rotation}" z_order="0"/>'
    mask = _rasterise(tmp_path, _cvat(tmp_path, box))
    angle = rotation * np.pi / 180
    corners = []
    for x, y in ((-36, -9), (36, -9), (36, 9), (-36, 9)):
        corners.append((64 + x * np.cos(angle) - y * np.sin(angle), 64 + x * np.sin(angle) + y * np.cos(angle)))
    depth = _inside(np.array(corners))
    assert (mask[depth > 0.3] == 1).all() and (mask[depth < -0.3] == 0).all()


def test_the_published_corners_of_a_turned_box() -> None:
    corners = np.array([(28.0, 55.0), (100.0, 55.0), (100.0, 73.0), (28.0, 73.0)])
    turned = turn(corners, -45.0)
    assert np.abs(turned - [(32.2, 83.1), (83.1, 32.2), (95.8, 44.9), (44.9, 95.8)]).max() < 0.05
    assert turn(corners, 0.0) is corners


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ('<polygon label="roof" points="1,1;9,1;9,9" rotation="30"/>', "a polygon has rotation='30'"),
        ('<box label="roof" xtl="1" ytl="1" xbr="9" ybr="9" outside="1"/>', "a box has outside='1'"),
        ('<box label="roof" xtl="1" ytl="1" xbr="9" ybr="9" rotation="x"/>', "rotation is 'x', not a number"),
        ('<box label="roof" xtl="1" ytl="1" xbr="9" ybr="9" rotation="inf"/>', "rotation is 'inf', not a number"),
        ('<ellipse label="roof" cx="9" cy="9" rx="x" ry="3"/>', "an? ellipse's rx is 'x', not a number"),
        ('<mask label="roof" rle="2" left="0" top="0" width="1" height="1"/>', "do not fill its 1x1 box"),
        ('<mask label="roof" rle="-1,2" left="0" top="0" width="1" height="1"/>', "do not fill its 1x1 box"),
        ('<mask label="roof" rle="a" left="0" top="0" width="1" height="1"/>', "a mask's rle holds"),
        ('<cuboid label="roof" xtl1="1"/>', "holds a cuboid"),
        ('<skeleton label="roof"/>', "holds a skeleton"),
        ('<polyline label="roof" points="1,1;2,2;3,3"/>', "holds a polyline"),
        ('<polygon label="roof" points="1,1;9,1;%s,9"/>' % ("9" * 400), "a polygon without three points"),
    ],
)
def test_what_cvat_says_of_a_place_is_used_or_refused(tmp_path: Path, shape: str, said: str) -> None:
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        _rasterise(tmp_path, _cvat(tmp_path, shape))


def test_what_cvat_says_beside_the_place_is_no_fault(tmp_path: Path) -> None:
    shape = (
        '<polygon label="roof" source="manual" occluded="1" group_id="3" z_order="0" points="16,16;64,16;64,48;16,48">'
    )
    mask = _rasterise(tmp_path, _cvat(tmp_path, f'{shape}<attribute name="a">b</attribute></polygon><tag label="x"/>'))
    assert (mask[16:48, 16:64] == 1).all() and mask.sum() == 32 * 48


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ('<track id="0" label="roof"/>', "holds <track> beside its images"),
        ("<meta><task><flipped>True</flipped></task></meta>", "were flipped"),
    ],
)
def test_what_cvat_says_of_all_images_is_used_or_refused(tmp_path: Path, before: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _rasterise(tmp_path, _cvat(tmp_path, "", before=before))
    _rasterise(tmp_path, _cvat(tmp_path, "", before="<meta><task><flipped>False</flipped></task></meta>"))


def _coco(folder: Path, **changes: Any) -> Path:
    annotation = {
        "id": 7,
        "image_id": 1,
        "category_id": 2,
        "segmentation": [[value for corner in SQUARE for value in corner]],
    }
    values = {
        "images": [{"id": 1, "file_name": "a.png", "width": SIDE, "height": SIDE}],
        "categories": [{"id": 2, "name": "roof"}],
        "annotations": [annotation | changes],
    }
    (folder / "labels.json").write_text(json.dumps(values))
    return folder / "labels.json"


def test_cocos_ignored_annotations_are_pixels_that_do_not_count(tmp_path: Path) -> None:
    mask = _rasterise(tmp_path, _coco(tmp_path, ignore=1))
    assert (mask[16:48, 16:64] == 255).all() and (mask == 255).sum() == 32 * 48
    assert (_rasterise(tmp_path, _coco(tmp_path, ignore=1), task=None)[16:48, 16:64] == 255).all()
    with pytest.raises(DataError, match='1 of its annotations are marked to be ignored; give a --task with "ignores"'):
        _rasterise(tmp_path, _coco(tmp_path, ignore=1), task=Task(classes=("ground", "roof")))
    assert (_rasterise(tmp_path, _coco(tmp_path, ignore=0, iscrowd=1))[16:48, 16:64] == 1).all()


def _labelme(folder: Path, name: str = "a.json", **changes: Any) -> Path:
    labels = folder / "labels"
    labels.mkdir(exist_ok=True)
    shape = {"label": "roof", "points": SQUARE, "shape_type": "polygon", "flags": {}, "group_id": None}
    values = {"shapes": [shape | changes], "imageWidth": SIDE, "imageHeight": SIDE, "imageData": None}
    (labels / name).write_text(json.dumps(values))
    return labels


@pytest.mark.parametrize("kind", ["polygon", "rectangle", "rotation", None])
def test_four_points_are_an_area(tmp_path: Path, kind: str | None) -> None:
    """X-AnyLabeling writes a rectangle with all four corners."""
    mask = _rasterise(tmp_path, _labelme(tmp_path, shape_type=kind))
    assert (mask[16:48, 16:64] == 1).all() and mask.sum() == 32 * 48


@pytest.mark.parametrize("kind", ["line", "linestrip", "point", "points"])
def test_what_is_no_area_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=f"is a {kind}, which covers no area"):
        _rasterise(tmp_path, _labelme(tmp_path, shape_type=kind))


def test_a_labelme_file_that_hides_the_size_of_its_image(tmp_path: Path) -> None:
    labels = _labelme(tmp_path)
    values = json.loads((labels / "a.json").read_text())
    del values["imageHeight"]
    (labels / "a.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match="does not say the size of its image"):
        _rasterise(tmp_path, labels)


def test_names_from_macos_are_the_same_names(tmp_path: Path) -> None:
    """An umlaut is one character or two, ``._NAME`` is no file of the user's, and Windows begins files with a mark."""
    composed, apart = (unicodedata.normalize(form, "dächer") for form in ("NFC", "NFD"))
    assert composed != apart
    labels = _labelme(tmp_path, name=f"{apart}.json")
    (labels / f"._{apart}.json").write_bytes(b"\x00\x05\x16\x07")
    text = (labels / f"{apart}.json").read_bytes()
    (labels / f"{apart}.json").write_bytes(b"\xef\xbb\xbf" + text)
    assert _rasterise(tmp_path, labels, f"{composed}.png").sum() == 32 * 48
    xml = _cvat(tmp_path, "")
    xml.write_bytes(b"\xef\xbb\xbf" + xml.read_bytes())
    assert not _rasterise(tmp_path, xml).any()


@pytest.mark.parametrize("text", ["[" * 200_000, "{}", "5", '{"shapes": 5}', '{"shapes": [5]}', "\x00"])
def test_hostile_labels_are_one_line(tmp_path: Path, text: str) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "a.json").write_text(text)
    (tmp_path / "labels.json").write_text(text)
    for path in (labels, tmp_path / "labels.json"):
        with pytest.raises(DataError) as caught:
            _rasterise(tmp_path, path)
        assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def _georeferenced(folder: Path, name: str, west: float = 600_000) -> SourceRaster:
    import rasterio
    from rasterio.transform import from_origin

    path = folder / "images" / name
    path.parent.mkdir(exist_ok=True)
    form = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32632", transform=from_origin(west, 5_400_000, 0.5, 0.5), **form) as file:
        file.write(np.zeros((3, SIDE, SIDE), np.uint8))
    return SourceRaster(name=path.stem, image=path, mask=path)


def _layers(folder: Path, **layers: tuple[float, float, float, float]) -> Path:
    import geopandas
    from shapely.geometry import box

    path = folder / "labels.gpkg"
    for name, bounds in layers.items():
        geopandas.GeoDataFrame({"n": [1]}, geometry=[box(*bounds)], crs=32632).to_file(path, layer=name)
    return path


AREA = (599_990.0, 5_399_900.0, 600_100.0, 5_400_010.0)
ROOF = (600_010.0, 5_399_970.0, 600_040.0, 5_399_990.0)


def test_layers_are_chosen_by_a_person(tmp_path: Path) -> None:
    source = _georeferenced(tmp_path, "g.tif")
    path = _layers(tmp_path, study_area=AREA, roofs=ROOF)
    with pytest.raises(DataError, match=r"in 2 layers; choose one with --layer: study_area \(1 features\), roofs"):
        open_labels({"g": replace(source, mask=path)}, LabelNames())
    mask = open_labels({"g": replace(source, mask=path)}, LabelNames(), VectorChoices(layer="roofs")).rasterise(
        source, SHAPE, Area.whole(SHAPE)
    )
    assert (mask[20:60, 20:80] == 1).all() and mask.sum() == 40 * 60
    with pytest.raises(DataError, match=r"--layer roof: is no layer with geometries .* did you mean 'roofs'"):
        open_labels({"g": replace(source, mask=path)}, LabelNames(), VectorChoices(layer="roof"))
    with pytest.raises(DataError, match=r"--layer roofs: is about files of a GIS, and .* is CVAT XML"):
        open_labels({"g": replace(source, mask=_cvat(tmp_path, ""))}, LabelNames(), VectorChoices(layer="roofs"))


def test_a_table_of_styles_is_no_layer_with_areas(tmp_path: Path) -> None:
    import pyogrio
    from pandas import DataFrame

    source = _georeferenced(tmp_path, "g.tif")
    path = _layers(tmp_path, roofs=ROOF)
    pyogrio.write_dataframe(DataFrame({"styleName": ["a"]}), path, layer="layer_styles")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            open_labels({"g": replace(source, mask=path)}, LabelNames())
            .rasterise(source, SHAPE, Area.whole(SHAPE))
            .sum()
            == 40 * 60
        )


def test_areas_beside_all_images_are_refused_with_both_extents(tmp_path: Path) -> None:
    source = _georeferenced(tmp_path, "g.tif", west=700_000)
    with pytest.raises(DataError, match=r"they reach from 600010, .* and that image from 700000, "):
        open_labels({"g": replace(source, mask=_layers(tmp_path, roofs=ROOF))}, LabelNames())


def test_images_that_no_area_reaches_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sources = {"g": _georeferenced(tmp_path, "g.tif"), "far": _georeferenced(tmp_path, "far.tif", west=700_000)}
    path = _layers(tmp_path, roofs=ROOF)
    with caplog.at_level(logging.WARNING):
        open_labels({name: replace(source, mask=path) for name, source in sources.items()}, LabelNames())
    assert "no area of it is on 1 of 2 images, which become background everywhere: far" in caplog.text
