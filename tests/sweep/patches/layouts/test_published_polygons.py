"""Benchmarks that publish polygons: recognised as they are, their pixels compared with arrays made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from tests.sweep.patches.layouts.replicas import SIDE, make, make_as_it_is, photo, put, text
from tests.sweep.patches.layouts.replicas import Mask as Pixels

pytest.importorskip("geopandas", reason="needs the geo extra")
pytest.importorskip("pycocotools", reason="needs the labels extra")


def box(top: int, left: int, bottom: int, right: int) -> Pixels:
    """Return (64, 64) uint8 with a box of ones."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def xview2(*corners: tuple[int, int, int, int]) -> str:
    """Return xView2's JSON of boxes: top, left, bottom and right."""
    features = [
        {
            "properties": {"feature_type": "building", "subtype": "no-damage", "uid": str(number)},
            "wkt": f"POLYGON (({left} {top}, {right} {top}, {right} {bottom}, {left} {bottom}, {left} {top}))",
        }
        for number, (top, left, bottom, right) in enumerate(corners)
    ]
    return json.dumps({"features": {"lng_lat": [], "xy": features}, "metadata": {"width": SIDE, "height": SIDE}})


def test_xview2_with_polygons_in_place_of_targets(tmp_path: Path) -> None:
    data, seed = tmp_path / "geotiffs", 0
    for folder, disaster in (("train", "joplin-tornado"), ("tier3", "moore-tornado"), ("hold", "palu-tsunami")):
        for when in ("pre", "post"):
            name = f"{disaster}_00000000_{when}_disaster"
            put(data / folder / "images" / f"{name}.png", photo(seed := seed + 1))
            text(
                data / folder / "labels" / f"{name}.json", xview2((8, 16, 40, 32) if when == "pre" else (0, 0, 64, 64))
            )
    put(data / "test/images/palu-tsunami_00000009_pre_disaster.png", photo(99))
    wanted = box(8, 16, 40, 32)
    said = make_as_it_is(
        tmp_path,
        data,
        {
            "train": {
                "joplin-tornado_00000000": wanted,
                "moore-tornado_00000000": wanted,
            },
            "val": {"palu-tsunami_00000000": wanted},
        },
    )
    assert "xView2 (xBD), before the disaster: 3 images" in said and "after the disaster, left out: 3 images" in said
    assert "test: without labels, left out: 1 image" in said and "not in --src" not in said


def spacenet(data: Path, *kinds: str) -> dict[str, Pixels]:
    """Write three places of SpaceNet in some kinds of imagery, 16 bits; returns each place's mask."""
    masks = {}
    for number in range(3):
        west, north, pixel = -115.0 + 0.01 * number, 36.0, 2e-6
        place = {"crs": "EPSG:4326", "transform": Affine(pixel, 0, west, 0, -pixel, north)}
        for index, kind in enumerate(kinds):
            pixels = (photo(10 * number + index).astype(np.uint16) * 7)[..., : 1 if kind == "PAN" else 3]
            put(data / kind / f"SN2_AOI_2_Vegas_{kind}_img{number}.tif", pixels, **place)
        rows, columns = (8, 40), (16 + 8 * number, 48)
        corners = [(west + pixel * x, north - pixel * y) for y in rows for x in columns]
        ring = [corners[one] for one in (0, 1, 3, 2, 0)]
        feature = {
            "type": "Feature",
            "properties": {"partial": 0},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        text(
            data / "geojson_buildings" / f"SN2_AOI_2_Vegas_geojson_buildings_img{number}.geojson",
            json.dumps({"type": "FeatureCollection", "features": [feature]}),
        )
        masks[f"img{number}"] = box(*(rows[0], columns[0], rows[1], columns[1]))
    return masks


def named(kind: str, masks: dict[str, Pixels], start: str = "") -> dict[str, dict[str, Pixels]]:
    """Return a split of one place each."""
    names = (f"{start}SN2_AOI_2_Vegas_{kind}_{place}" for place in masks)
    return {
        split: {name: mask} for split, name, mask in zip(("train", "val", "test"), names, masks.values(), strict=True)
    }


def test_of_spacenet_s_kinds_of_imagery_that_in_colours_is_taken_and_another_one_by_hand(tmp_path: Path) -> None:
    data = tmp_path / "vegas"
    masks = spacenet(data, "PAN", "PS-MS", "PS-RGB")
    said = make(tmp_path, data, named("PS-RGB", masks), "--scale", "0,1785")
    assert "the images are PS-RGB; PS-MS, PAN are left out; another kind: --images PS-MS --labels" in said
    labels = said.split("--images PS-MS --labels ")[1].split()[0]
    said = make(
        tmp_path, data, named("PS-MS", masks), "--scale", "0,1785", "--images", "PS-MS", "--labels", labels, "--force"
    )
    assert "left out; another kind" not in said
