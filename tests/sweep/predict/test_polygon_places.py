"""Where polygons are on the earth: in longitude and latitude, and across the antimeridian."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyproj
import pytest
from affine import Affine

from tests.sweep.predict.polygons import RECTANGLE, SPHERE, UTM, Written, box_of, metres_at


def test_geojson_is_in_longitude_and_latitude(tmp_path: Path) -> None:
    done = Written(tmp_path, RECTANGLE, ending=".geojson")
    to_degrees = pyproj.Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    (feature,) = json.loads(done.path.read_text())["features"]
    assert feature["properties"]["area_m2"] == pytest.approx(200, rel=2e-3)
    expected = {to_degrees.transform(x, y) for x in (600_010, 600_030) for y in (5_339_985, 5_339_995)}
    written = feature["geometry"]["coordinates"][0]
    assert len(written) == 5 and feature["geometry"]["type"] == "Polygon"
    for place in expected:
        assert min(math.dist(place, corner) for corner in written) < 2e-8


WIDE = np.ones((20, 20), dtype=np.uint8)


def across_the_antimeridian(crs: str) -> Affine:
    """Return the transform of 20 x 20 pixels of which ten columns lie on either side of 180 degrees."""
    if crs == "EPSG:4326":
        return Affine(0.01, 0, 179.9, 0, -0.01, 10)
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(180.0, 10.0)
    return Affine(100, 0, x - 1000, 0, -100, y)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32660", "EPSG:3832"])
def test_geojson_is_cut_at_the_antimeridian(tmp_path: Path, crs: str) -> None:
    done = Written(tmp_path, WIDE, transform=across_the_antimeridian(crs), crs=crs, ending=".geojson")
    (polygon,) = done.geometries
    assert polygon.geom_type == "MultiPolygon" and len(polygon.geoms) == 2 and polygon.is_valid
    west, east = sorted(polygon.geoms, key=lambda part: -part.bounds[0])
    assert west.bounds[2] == pytest.approx(180, abs=1e-9) and east.bounds[0] == pytest.approx(-180, abs=1e-9)
    wide = {
        "EPSG:4326": 0.1,
        "EPSG:32660": 1000 / metres_at(10)[0],
        "EPSG:3832": math.degrees(1000 / SPHERE),
    }[crs]
    tilt = 0.02 if crs == "EPSG:32660" else 1e-6  # UTM's north is half a degree off at a zone's edge
    assert 180 - west.bounds[0] == pytest.approx(wide, rel=tilt)
    assert east.bounds[2] + 180 == pytest.approx(wide, rel=tilt)
    assert polygon.area == pytest.approx(2 * wide * (west.bounds[3] - west.bounds[1]), rel=0.05)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32660", "EPSG:3832"])
def test_a_geopackage_lies_on_the_raster_across_the_antimeridian(tmp_path: Path, crs: str) -> None:
    transform = across_the_antimeridian(crs)
    done = Written(tmp_path, WIDE, transform=transform, crs=crs, simplify_m=0.1)
    (polygon,) = done.geometries
    assert polygon.equals_exact(box_of(WIDE, transform).normalize(), 1e-6, normalize=True)
    east, north = metres_at(9.9)
    area = {
        "EPSG:4326": 0.2 * east * 0.2 * north,
        "EPSG:32660": 4e6,
        "EPSG:3832": 4e6 * math.cos(math.radians(10)) ** 2,
    }
    assert done.areas == pytest.approx([area[crs]], rel=1e-2)
