"""Polygons of masks whose coordinates and areas are known by hand."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import rasterize

from sweep.predict.polygons import PolygonSummary
from sweep.rasters import outlines
from tests.sweep.predict.polygons import DONUT, NORTH_UP, RECTANGLE, SPHERE, UTM, Written, box_of, metres_at


def test_a_rectangle_in_utm_has_its_corners_area_and_probability(tmp_path: Path) -> None:
    done = Written(tmp_path, RECTANGLE)
    (polygon,) = done.geometries
    assert polygon.equals(shapely.box(600_010, 5_339_985, 600_030, 5_339_995))
    assert done.areas == pytest.approx([200], rel=2e-3)
    # 600 km east of the zone's edge, 100 km off its central meridian: UTM's scale is 0.99972 there.
    assert done.areas == pytest.approx([200 / 0.99972**2], rel=1e-5)
    assert list(done.fields["id"]) == [1]
    assert list(done.fields["mean_probability"]) == pytest.approx([0.8])
    assert done.info["crs"] == UTM and done.info["layer_name"] == "polygons"
    assert done.info["geometry_type"] == "Polygon" and done.summary.number == 1
    assert done.summary.area_m2 == pytest.approx(done.areas[0])


def test_areas_are_those_on_the_ground_in_web_mercator(tmp_path: Path) -> None:
    """At 60 degrees north the map's square metres are four times too large."""
    y = SPHERE * math.log(math.tan(math.radians(45 + 30)))
    east, north = metres_at(60)
    per_metre = (math.degrees(1 / SPHERE), math.degrees(math.cos(math.radians(60)) / SPHERE))
    transform = Affine(1, 0, 1_000_000, 0, -1, y + 20)
    done = Written(tmp_path, RECTANGLE, transform=transform, crs="EPSG:3857")
    assert done.areas == pytest.approx([40 * per_metre[0] * east * 20 * per_metre[1] * north], rel=2e-4)
    assert done.areas == pytest.approx([200], rel=8e-3), "a 40 x 20 map rectangle, on an ellipsoid instead of a sphere"
    assert done.geometries[0].area == pytest.approx(800)


@pytest.mark.parametrize("latitude", [0, 48, -60])
def test_areas_are_those_on_the_ground_in_degrees(tmp_path: Path, latitude: float) -> None:
    east, north = metres_at(latitude)
    transform = Affine(0.5 / east, 0, 16, 0, -0.5 / north, latitude)
    done = Written(tmp_path, RECTANGLE, transform=transform, crs="EPSG:4326")
    assert done.areas == pytest.approx([200], rel=2e-4)


@pytest.mark.parametrize(
    ("crs", "metres"),
    [
        ("EPSG:2263", 1200 / 3937),  # New York, US survey feet
        ('LOCAL_CS["yard",UNIT["foot",0.3048]]', 0.3048),
        ('LOCAL_CS["site",UNIT["metre",1]]', 1.0),
    ],
)
def test_units_other_than_metres_count(tmp_path: Path, crs: str, metres: float) -> None:
    step = 0.5 / metres
    done = Written(tmp_path, RECTANGLE, transform=Affine(step, 0, 990_000, 0, -step, 200_000), crs=crs)
    assert done.areas == pytest.approx([200], rel=2e-3)


def test_grads_from_paris_count(tmp_path: Path) -> None:
    east, north = metres_at(48)
    transform = Affine(0.5 / east / 0.9, 0, 2, 0, -0.5 / north / 0.9, 48 / 0.9)
    assert Written(tmp_path, RECTANGLE, transform=transform, crs="EPSG:4807").areas == pytest.approx([200], rel=5e-4)


def test_the_whole_transform_counts(tmp_path: Path) -> None:
    """Three to the right are (3, 4) tenths of a metre on the map, one down is sheared against it."""
    turned = Affine(0.3, 0.4, 600_000, 0.4, -0.1, 5_340_000)  # determinant 0.19
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[2, 1:4] = 1
    done = Written(tmp_path, mask, transform=turned)
    corners = [(600_001.1, 5_340_000.2), (600_002.0, 5_340_001.4), (600_002.4, 5_340_001.3), (600_001.5, 5_340_000.1)]
    assert done.geometries[0].normalize().equals_exact(shapely.Polygon(corners).normalize(), 1e-6)
    assert done.areas == pytest.approx([3 * 0.19], rel=1e-3)
    assert done.fields["mean_probability"][0] == pytest.approx(0.8)


@pytest.mark.parametrize("ending", [".gpkg", ".geojson"])
def test_outer_rings_run_counter_clockwise_whichever_way_is_up(tmp_path: Path, ending: str) -> None:
    for number, step in enumerate((-0.5, 0.5)):
        (tmp_path / str(number)).mkdir()
        transform = Affine(0.5, 0, 600_000, 0, step, 5_340_000)
        done = Written(tmp_path / str(number), DONUT, transform=transform, ending=ending)
        for polygon in done.geometries:
            assert polygon.exterior.is_ccw and not any(hole.is_ccw for hole in polygon.interiors)
        top = shapely.total_bounds(done.geometries)
        if ending == ".gpkg":
            assert top[1] == pytest.approx(5_340_000 + (step * 18 if step < 0 else 1))


def test_holes_are_subtracted_and_islands_are_polygons_of_their_own(tmp_path: Path) -> None:
    probability = np.where(DONUT == 1, 100, 200).astype(np.uint8)
    probability[8:10, 8:10] = [[120, 140], [160, 180]]
    done = Written(tmp_path, DONUT, probability=probability)
    assert sorted(done.areas) == pytest.approx([4 * 0.25, 156 * 0.25], rel=2e-3)
    island, donut = np.argsort(done.areas)
    assert len(done.geometries[donut].interiors) == 1 and not len(done.geometries[island].interiors)
    means = done.fields["mean_probability"]
    assert means[donut] == pytest.approx(0.5) and means[island] == pytest.approx(0.75)


def test_pixels_that_touch_at_a_corner_are_two_valid_polygons(tmp_path: Path) -> None:
    mask = np.zeros((5, 5), dtype=np.uint8)
    mask[1, 1] = mask[2, 2] = 1
    done = Written(tmp_path, mask, probability=np.arange(25, dtype=np.uint8).reshape(5, 5) * 8)
    assert len(done.geometries) == 2 and shapely.is_valid(done.geometries).all()
    assert sorted(done.fields["mean_probability"]) == pytest.approx([6 * 8 * 0.005, 12 * 8 * 0.005])


def test_one_pixel_is_a_polygon(tmp_path: Path) -> None:
    mask = np.ones((1, 1), dtype=np.uint8)
    done = Written(tmp_path, mask)
    assert done.geometries[0].equals(shapely.box(600_000, 5_339_999.5, 600_000.5, 5_340_000))
    assert done.areas == pytest.approx([0.25], rel=2e-3)


def test_nodata_is_no_foreground_and_has_no_probability(tmp_path: Path) -> None:
    mask = np.full((6, 6), 255, dtype=np.uint8)
    mask[2:4, 2:4] = 1
    probability = np.full((6, 6), 255, dtype=np.uint8)
    probability[2, 2:4] = 100, 180
    done = Written(tmp_path, mask, probability=probability)
    assert len(done.geometries) == 1
    assert list(done.fields["mean_probability"]) == pytest.approx([0.7]), "the two pixels below have none"
    (tmp_path / "none").mkdir()
    none = Written(tmp_path / "none", mask, probability=np.full((6, 6), 255, dtype=np.uint8))
    assert math.isnan(none.fields["mean_probability"][0])


def test_probabilities_of_16_bits_and_another_scale(tmp_path: Path) -> None:
    probability = np.full(RECTANGLE.shape, 45_000, dtype=np.uint16)
    done = Written(tmp_path, RECTANGLE, probability=probability, scale=1 / 60_000)
    assert list(done.fields["mean_probability"]) == pytest.approx([0.75])


@pytest.mark.parametrize("ending", [".gpkg", ".geojson"])
@pytest.mark.parametrize("fill", [0, 255])
def test_nothing_found_is_a_valid_file_without_features(tmp_path: Path, ending: str, fill: int) -> None:
    done = Written(tmp_path, np.full((20, 20), fill, dtype=np.uint8), ending=ending)
    assert done.info["features"] == 0 and done.summary == PolygonSummary(number=0, dropped=0, area_m2=0.0)
    if ending == ".gpkg":
        assert list(done.info["fields"]) == ["id", "area_m2", "mean_probability"] and done.info["crs"] == UTM
    else:
        assert json.loads(done.path.read_text())["features"] == []


def test_a_polygon_may_fill_the_raster_and_many_blocks(tmp_path: Path) -> None:
    mask = np.ones((200, 100), dtype=np.uint8)
    mask[50:150, 20:80] = 0
    done = Written(tmp_path, mask)
    (polygon,) = done.geometries
    hole = shapely.box(600_010, 5_339_925, 600_040, 5_339_975)
    assert polygon.equals(box_of(mask, NORTH_UP).difference(hole))
    assert done.areas == pytest.approx([14_000 * 0.25], rel=2e-3)


def test_long_edges_are_straight_on_the_map(tmp_path: Path) -> None:
    """One degree from 59 to 61 north: between its parallels, not between geodesics that bulge to the pole."""
    transform = Affine(1, 0, 10, 0, -2, 61)
    done = Written(tmp_path, np.ones((1, 1), dtype=np.uint8), transform=transform, crs="EPSG:4326")
    square = math.sqrt(0.00669437999014)

    def below(latitude: float) -> float:  # area between the equator and a parallel, per radian (Snyder 3-12)
        sine = math.sin(math.radians(latitude))
        arc = math.log((1 - square * sine) / (1 + square * sine)) / (2 * square)
        return SPHERE**2 / 2 * (1 - square**2) * (sine / (1 - (square * sine) ** 2) - arc)

    assert done.areas == pytest.approx([math.radians(1) * (below(61) - below(59))], rel=1e-6)


def test_small_polygons_go_and_small_holes_are_filled(tmp_path: Path) -> None:
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[2:22, 2:22] = 1  # 100 m2
    mask[4:8, 4:8] = 0  # a hole of 4 m2
    mask[10:20, 10:20] = 0  # one of 25 m2
    mask[14:16, 14:16] = 1  # an island of 1 m2 in it
    mask[30:36, 30:36] = 1  # 9 m2
    probability = np.full(mask.shape, 100, dtype=np.uint8)
    probability[4:8, 4:8] = 0
    done = Written(tmp_path, mask, probability=probability, min_area_m2=8.0)
    assert sorted(done.areas) == pytest.approx([9, 75], rel=2e-3)
    assert (done.summary.number, done.summary.dropped) == (2, 1)
    assert done.summary.area_m2 == pytest.approx(84, rel=2e-3)
    assert sorted(done.fields["id"]) == [1, 2]
    assert list(done.fields["mean_probability"]) == pytest.approx([0.5, 0.5]), "of its own pixels, not the filled ones"


@pytest.mark.parametrize(("crs", "east_of"), [(UTM, 15), ("EPSG:3857", 9), ("EPSG:4326", 16), ("EPSG:3832", 180)])
def test_simplification_is_in_metres_on_the_ground(tmp_path: Path, crs: str, east_of: float) -> None:
    """Teeth of 1 m on the northern and eastern side of a square go at 1.2 m and stay at 0.8 m, at 60 degrees."""
    mask = np.zeros((60, 60), dtype=np.uint8)
    mask[10:50, 10:50] = 1
    mask[8:10, 14:46:8] = 1
    mask[14:46:8, 50:52] = 1
    mask[15:46:8, 50:52] = 1
    mask[8:10, 15:46:8] = 1
    y = SPHERE * math.log(math.tan(math.radians(75)))
    east, north = metres_at(60)
    transform = {
        UTM: Affine(0.5, 0, 500_000, 0, -0.5, 6_651_000),
        "EPSG:3857": Affine(1, 0, math.radians(east_of) * SPHERE, 0, -1, y),
        "EPSG:4326": Affine(0.5 / east, 0, east_of, 0, -0.5 / north, 60),
        "EPSG:3832": Affine(1, 0, math.radians(east_of - 150) * SPHERE - 30, 0, -1, 8_362_000),  # its middle is at 180
    }[crs]
    vertices = {}
    for tolerance in (0.8, 1.2):
        folder = tmp_path / str(tolerance)
        folder.mkdir()
        done = Written(folder, mask, transform=transform, crs=crs, simplify_m=tolerance)
        (polygon,) = done.geometries
        assert polygon.is_valid
        vertices[tolerance] = shapely.get_num_coordinates(polygon)
        assert done.fields["mean_probability"][0] == pytest.approx(0.8)
    assert vertices[1.2] <= 10
    assert vertices[0.8] >= 25


def test_the_area_is_that_of_the_simplified_polygon(tmp_path: Path) -> None:
    toothed = RECTANGLE.copy()
    toothed[8:10, 40:44] = 1  # 2 m2, one metre high
    done = Written(tmp_path, toothed, simplify_m=1.5)
    assert done.geometries[0].equals(shapely.box(600_010, 5_339_985, 600_030, 5_339_995))
    assert done.areas == pytest.approx([200], rel=2e-3)
    assert done.summary.area_m2 == pytest.approx(done.areas[0])
    assert list(done.fields["mean_probability"]) == pytest.approx([0.8])


def test_simplification_never_breaks_a_polygon(tmp_path: Path) -> None:
    mask = (np.random.default_rng(3).random((60, 60)) < 0.62).astype(np.uint8)
    done = Written(tmp_path, mask, simplify_m=3.0)
    assert shapely.is_valid(done.geometries).all() and not shapely.is_empty(done.geometries).any()
    (tmp_path / "plain").mkdir()
    assert len(done.geometries) == len(Written(tmp_path / "plain", mask).geometries)


SIDES = st.integers(1, 24)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mask=arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.sampled_from([0, 1, 1, 255]))
)
def test_rasterised_polygons_are_the_mask(tmp_path: Path, mask: np.ndarray) -> None:
    probability = np.random.default_rng(mask.size).integers(0, 201, mask.shape).astype(np.uint8)
    done = Written(tmp_path, mask, probability=probability)
    assert shapely.is_valid(done.geometries).all()
    ids = np.zeros(mask.shape, dtype=np.int32)
    if len(done.geometries):
        pairs = zip(done.geometries, done.fields["id"], strict=True)
        ids = rasterize(pairs, out_shape=mask.shape, transform=NORTH_UP, dtype=np.int32)
    assert ((ids > 0) == (mask == 1)).all()
    for number, area, mean in zip(*done.fields.values(), strict=True):
        own = ids == number
        assert mean == pytest.approx(probability[own].mean() * 0.005)
        assert area == pytest.approx(own.sum() * 0.25, rel=2e-3)


def test_small_batches_and_strips_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    mask, probability = (random.random((90, 70)) < 0.55).astype(np.uint8), random.integers(0, 201, (90, 70), np.uint8)
    found = []
    for name in ("large", "small"):
        (tmp_path / name).mkdir()
        found.append(Written(tmp_path / name, mask, probability=probability, min_area_m2=0.6))
        monkeypatch.setattr(outlines, "MOST_POLYGONS", 7)
        monkeypatch.setattr(outlines, "STRIP_PIXELS", 200)
    large, small = found
    assert large.summary.number == small.summary.number > 20 and small.summary.dropped > 20
    assert large.summary.area_m2 == pytest.approx(small.summary.area_m2)
    for name, values in large.fields.items():
        assert list(small.fields[name]) == pytest.approx(list(values)), name


def test_rotated_rectangles_have_their_corners_back(tmp_path: Path) -> None:
    """As pixels draw them: half of the corners are within a quarter pixel of the true one, nearly all within one."""
    random, errors, four = np.random.default_rng(0), [], []
    for number in range(40):
        width, height = random.uniform(12, 60, 2)
        true = shapely.affinity.rotate(
            shapely.box(-width / 2, -height / 2, width / 2, height / 2), random.uniform(0, 90)
        )
        true = shapely.affinity.translate(true, *random.uniform(50, 51, 2))
        mask = rasterize([(true, 1)], (100, 100)).astype(np.uint8)
        (tmp_path / str(number)).mkdir()
        written = Written(tmp_path / str(number), mask, regularise=True)
        (found,) = written.geometries
        corners = np.array([~NORTH_UP @ corner for corner in found.exterior.coords])[:-1]
        four.append(len(corners) == 4)
        errors += [np.linalg.norm(corners - corner, axis=1).min() for corner in np.array(true.exterior.coords)[:-1]]
        assert found.area == pytest.approx(0.25 * mask.sum(), rel=1e-6), "as large as its pixels"
    assert np.mean(four) >= 0.95
    assert np.median(errors) < 0.25 and np.quantile(errors, 0.95) < 1.0


def test_what_is_no_rectangle_stays_or_is_simplified(tmp_path: Path) -> None:
    corner = np.zeros((60, 60), np.uint8)
    corner[10:50, 10:22] = corner[38:50, 10:50] = 1
    disc = np.hypot(*np.indices((60, 60)) - 30) < 20
    for number, mask in enumerate((corner, DONUT)):
        (tmp_path / str(number)).mkdir()
        written = Written(tmp_path / str(number), mask, regularise=True, min_area_m2=2.0)
        plain = Written(tmp_path / str(number), mask, min_area_m2=2.0)
        assert written.geometries[0].equals(plain.geometries[0]) and written.summary.rectangles == 0
    slim = Written(tmp_path, disc.astype(np.uint8), regularise=True, simplify_m=1.0)
    assert slim.summary.rectangles == 0 and len(slim.geometries[0].exterior.coords) < 20


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326"])
def test_angles_are_right_on_the_ground_and_not_in_the_raster(tmp_path: Path, crs: str) -> None:
    """At 60 degrees north a degree of longitude is half as long as one of latitude."""
    steps = 1e-5 if crs == "EPSG:4326" else 1.0
    place = Affine(steps, 0, 15 if steps < 1 else 1_670_000, 0, -steps, 60 if steps < 1 else 8_400_000)
    wide = 2.0 if crs == "EPSG:4326" else 1.0  # pixels per metre along a row, next to those along a column
    true = shapely.affinity.rotate(shapely.box(-20, -8, 20, 8), 30)
    drawn = shapely.affinity.translate(shapely.affinity.scale(true, wide, 1, origin=(0, 0)), 80, 50)
    mask = rasterize([(drawn, 1)], (100, 160)).astype(np.uint8)
    (found,) = Written(tmp_path, mask, transform=place, crs=crs, regularise=True).geometries
    corners = np.array([~place @ corner for corner in found.exterior.coords])
    sides = np.diff(corners, axis=0) / (wide, 1)
    assert len(sides) == 4
    for one, other in itertools.pairwise(sides):
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert abs(cosine) < 0.01
