"""A sample is stratified, drawn by ground, of distinct pixels, and costs one pass and the blocks that points are in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sweep.audit.maps import class_maps
from sweep.audit.maps.class_maps import DIFFER, open_class_maps
from sweep.audit.maps.drawing import allocate, draw
from sweep.audit.maps.survey import survey
from sweep.rasters.raster import Raster
from tests.sweep.audit.maps.maps import DEGREES, UTM, halves, write_map


def test_half_of_a_sample_is_divided_evenly_and_the_rest_by_area(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.tif", halves(right=16), **UTM)  # a tenth of the map
    with open_class_maps([str(path)]) as maps:
        assert allocate(survey(maps, "map"), 100) == {0: 70, 1: 30}
        assert allocate(survey(maps, "map"), 1000) == {0: 860, 1: 140}  # 50 each


def test_a_class_of_few_pixels_is_looked_at_whole(tmp_path: Path) -> None:
    values = halves(right=16)
    values[3, 3:10] = 2
    path = write_map(tmp_path / "map.tif", values, **UTM)
    with open_class_maps([str(path)]) as maps:
        found = survey(maps, "map")
        counts = allocate(found, 120)
        assert counts[2] == 7 and sum(counts.values()) == 120
        points = draw(maps, found, counts, 1)
    assert {(one.row, one.column) for one in points if one.stratum == 2} == {(3, column) for column in range(3, 10)}
    assert len({(one.row, one.column) for one in points}) == 120
    assert all(one.values == (int(values[one.row, one.column]),) for one in points)
    assert [one.number for one in points] == list(range(1, 121))


def test_a_map_of_fewer_pixels_than_the_sample_is_drawn_whole(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.tif", halves(5, 8, 2), **UTM)
    with open_class_maps([str(path)]) as maps:
        found = survey(maps, "map")
        counts = allocate(found, 200)
        assert counts == {0: 30, 1: 10} and len(draw(maps, found, counts, 1)) == 40


def test_every_pixel_of_a_stratum_is_as_probable_as_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_maps, "SIDE", 16)
    path = write_map(tmp_path / "map.tif", halves(40, 60, 20), **UTM)
    drawn: Counter[tuple[int, int]] = Counter()
    with open_class_maps([str(path)]) as maps:
        assert len(maps.places) == 12
        found = survey(maps, "map")
        for seed in range(150):
            drawn.update((one.row // 10, one.column // 10) for one in draw(maps, found, {0: 80, 1: 0}, seed))
    counts = np.array([drawn[row, column] for row in range(4) for column in range(4)])
    assert counts.sum() == 150 * 80
    expected = counts.sum() / 16
    assert ((counts - expected) ** 2 / expected).sum() < 37.7  # chi2 of 15 degrees of freedom, 0.001


def test_the_areas_of_a_geographic_map_are_those_on_the_ground(tmp_path: Path) -> None:
    values = np.zeros((800, 40), np.uint8)  # from 80 degrees north to the equator
    values[400:] = 1
    path = write_map(tmp_path / "map.tif", values, **DEGREES)
    with open_class_maps([str(path)]) as maps:
        found = survey(maps, "map")
        ring = 2 * np.pi * 6_371_007.2**2 * 4 / 360  # of a sphere with the ellipsoid's surface: 4 degrees of longitude
        sines = np.sin(np.radians([0, 40, 80]))
        assert found.stratum_area(1) == pytest.approx(ring * (sines[1] - sines[0]), rel=0.005)
        assert found.stratum_area(0) == pytest.approx(ring * (sines[2] - sines[1]), rel=0.005)
        rows = np.array([one.row for one in draw(maps, found, {0: 1000, 1: 1000}, 1) if one.stratum == 0])
    share = (sines[2] - np.sin(np.radians(60))) / (sines[2] - sines[1])  # of the ground is north of 60 degrees
    assert (rows < 200).mean() == pytest.approx(share, abs=0.05) and share < 0.4


def test_two_maps_have_a_stratum_where_they_differ_which_gets_half(tmp_path: Path) -> None:
    first, second = halves(), halves(right=30)
    paths = [str(write_map(tmp_path / name, one, **UTM)) for name, one in (("a.tif", first), ("b.tif", second))]
    with open_class_maps(paths) as maps:
        found = survey(maps, "maps")
        assert found.strata == [0, 1, DIFFER] and found.stratum_pixels(DIFFER) == 1200
        counts = allocate(found, 100)
        assert counts[DIFFER] == 50 and sum(counts.values()) == 100
        points = draw(maps, found, counts, 3)
    assert all((one.values[0] != one.values[1]) == (one.stratum == DIFFER) for one in points)


def test_what_has_no_data_is_in_no_stratum(tmp_path: Path) -> None:
    values = halves()
    values[:10] = 255
    path = write_map(tmp_path / "map.tif", values, nodata=255, **UTM)
    with open_class_maps([str(path)]) as maps:
        found = survey(maps, "map")
        assert found.empty == 1600 and found.strata == [0, 1]
        assert min(one.row for one in draw(maps, found, {0: 60, 1: 60}, 1)) >= 10


def test_a_changed_pixel_changes_the_digest(tmp_path: Path) -> None:
    values = halves()
    digests = []
    for number in range(2):
        values[5, 5] = number
        with open_class_maps([str(write_map(tmp_path / "map.tif", values, **UTM))]) as maps:
            digests.append(survey(maps, "map").digest)
    assert digests[0] != digests[1]


def test_no_more_than_a_block_of_a_map_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_maps, "SIDE", 32)
    path = write_map(tmp_path / "map.tif", halves(), **UTM)
    largest = 0
    values = Raster.values

    def measured(raster: Raster, rows: tuple[int, int], columns: tuple[int, int]) -> object:
        nonlocal largest
        largest = max(largest, (rows[1] - rows[0]) * (columns[1] - columns[0]))
        return values(raster, rows, columns)

    monkeypatch.setattr(Raster, "values", measured)
    with open_class_maps([str(path)]) as maps:
        found = survey(maps, "map")
        draw(maps, found, allocate(found, 100), 1)
    assert largest == 32 * 32
