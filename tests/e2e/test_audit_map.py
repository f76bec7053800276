"""``sweep.audit map``: drawn, filled by a person, estimated; every mistake is one line, and no label is lost."""

from __future__ import annotations

import csv
import json
import os
import shlex
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.transform import from_origin

from tests.commands import Run, assert_refused
from tests.shared_sweeps import SharedSweep
from tests.sweep.audit.maps.maps import UTM, fill, halves, write_map

NAMES = ("background", "foreground")


@pytest.fixture
def area_map(tmp_path: Path) -> Path:
    """A map whose last 40 of 160 columns are foreground."""
    return write_map(tmp_path / "area_mask.tif", halves(), **UTM)


def _truth(number: int, row: int, column: int) -> str:
    """The last 48 columns are foreground, so that the map omits a sixth of it."""
    return NAMES[int(column >= 112)]


def _audit(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((path.parent / f"{path.stem}_audit" / "accuracy.json").read_text())
    return found


def test_a_sample_is_drawn_filled_and_estimated(area_map: Path, here: Run) -> None:
    folder = area_map.parent / "area_mask_audit"
    first = here("audit", "map", area_map, "--sample", 100)
    assert first.returncode == 0 and "100 points drawn" in first.stdout
    assert "0 of 100 points; without a label: 1, 2, 3" in first.stdout
    assert f"next           python -m sweep.audit map {area_map} --sample 100" in first.stdout
    rows = list(csv.DictReader((folder / "sample.csv").open(encoding="utf-8")))
    assert len(rows) == 100 and set(rows[0]) == {"id", "label", "pixel_column", "pixel_row", "x", "y"}
    assert float(rows[0]["x"]) == 500_000 + 0.5 * (int(rows[0]["pixel_column"]) + 0.5)

    fill(folder, _truth)
    done = here("audit", "map", area_map)
    assert done.returncode == 0, done.stderr
    assert "producer's accuracy" in done.stdout.replace("\n", " ")
    audit = _audit(area_map)
    (accuracy,) = audit["maps"]  # type: ignore[misc]
    foreground = accuracy["classes"][1]
    assert audit["unit"] == "m2" and audit["area"] == pytest.approx(120 * 160 * 0.25, rel=0.002)  # the scale of UTM
    assert foreground["users"]["value"] == 1 and foreground["mapped"] == pytest.approx(0.25)
    assert foreground["area"]["low"] < 0.3 < foreground["area"]["high"]
    assert foreground["producers"]["low"] < 40 / 48 < foreground["producers"]["high"]
    assert sum(map(sum, accuracy["counts"])) == 100


def test_a_half_filled_sheet_is_kept_and_says_what_is_missing(area_map: Path, here: Run) -> None:
    folder = area_map.parent / "area_mask_audit"
    here("audit", "map", area_map, "--sample", 40)
    fill(folder, _truth, most=30)
    done = here("audit", "map", area_map)
    assert done.returncode == 0
    assert "30 of 40 points; without a label: 31, 32, 33, 34, 35, 36, 37, 38, 39, 40" in done.stdout
    assert not (folder / "accuracy.json").exists()
    rows = list(csv.DictReader((folder / "sample.csv").open(encoding="utf-8")))
    assert [bool(one["label"]) for one in rows] == [True] * 30 + [False] * 10
    with sqlite3.connect(folder / "sample.gpkg") as database:  # a GIS sees them, too
        assert database.execute("SELECT count(label) FROM sample").fetchone() == (30,)
    assert 'value="foreground" checked' in (folder / "sheet.html").read_text(encoding="utf-8")


def test_what_a_gis_fills_is_taken_in(area_map: Path, here: Run) -> None:
    folder = area_map.parent / "area_mask_audit"
    here("audit", "map", area_map, "--sample", 20)
    with sqlite3.connect(folder / "sample.gpkg") as database:
        database.execute("DROP TRIGGER IF EXISTS rtree_sample_geom_update7")
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE sample SET label = 'foreground' WHERE id < 11")
    fill(folder, lambda number, *_: "background" if number > 10 else "")
    done = here("audit", "map", area_map)
    assert done.returncode == 0 and "Error matrix" in done.stdout

    fill(folder, lambda number, *_: "background" if number in (3, *range(11, 21)) else "foreground")
    assert here("audit", "map", area_map).returncode == 0  # a label that was changed in one sheet is the newer one
    with sqlite3.connect(folder / "sample.gpkg") as database:
        assert database.execute("SELECT label FROM sample WHERE id = 3").fetchone() == ("background",)


def test_a_class_of_few_points_names_the_flags_that_draw_a_larger_sample(area_map: Path, here: Run) -> None:
    here("audit", "map", area_map, "--sample", 20)
    fill(area_map.parent / "area_mask_audit", _truth)
    done = here("audit", "map", area_map)
    said = " ".join(done.stdout.split())
    flags = said.partition("a wide interval; ")[2].partition(" draws a larger sample")[0]
    assert flags.startswith("--sample 40 --out "), said
    more = here("audit", "map", area_map, *shlex.split(flags))
    assert more.returncode == 0 and "40 points drawn" in more.stdout, more.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("999,foreground,,", "point 999 is not in the sample, which has the points 1 to 20; delete that row"),
        ("x,foreground,,", "point x is not in the sample"),
        (
            "1,foregruond,,",
            "point 1: 'foregruond' is no class; did you mean 'foreground'? known: background, foreground",
        ),
        ("1,7,,", "point 1: '7' is no class"),
        ("1,foreground,100000,3", "the sheet is of another sample"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_lost(area_map: Path, here: Run, line: str, said: str) -> None:
    folder = area_map.parent / "area_mask_audit"
    here("audit", "map", area_map, "--sample", 20)
    fill(folder, _truth, most=15)
    path = folder / "sample.csv"
    text = path.read_text(encoding="utf-8")
    wrong = "\n".join([*text.splitlines()[:1], line, *text.splitlines()[2:]])
    path.write_text(wrong, encoding="utf-8")
    assert_refused(here("audit", "map", area_map), said)
    assert path.read_text(encoding="utf-8") == wrong


def test_semicolons_case_numbers_and_question_marks_are_read(area_map: Path, here: Run, tmp_path: Path) -> None:
    here("audit", "map", area_map, "--sample", 20)
    lines = ["id;label", *(f"{number};{['Foreground', '0', '?'][number % 3]}" for number in range(1, 21))]
    (tmp_path / "mine.csv").write_text("\n".join(lines), encoding="utf-8")
    done = here("audit", "map", area_map, "--filled", tmp_path / "mine.csv")
    assert done.returncode == 0 and "7 points of which nobody could tell: left out" in " ".join(done.stdout.split())
    assert _audit(area_map)["points"] == 13


def test_a_map_that_changed_is_refused_and_a_copy_is_not(area_map: Path, here: Run) -> None:
    folder = area_map.parent / "area_mask_audit"
    here("audit", "map", area_map, "--sample", 20)
    fill(folder, _truth, most=5)
    os.utime(area_map, (1, 1))
    assert "5 of 20 points" in here("audit", "map", area_map).stdout
    labels = (folder / "sample.csv").read_text(encoding="utf-8")
    write_map(area_map, halves(right=41), **UTM)
    assert_refused(here("audit", "map", area_map), "area_mask.tif: changed since the sample in", "labels are kept")
    assert (folder / "sample.csv").read_text(encoding="utf-8") == labels


def test_a_map_without_a_place_has_areas_in_pixels(tmp_path: Path, here: Run) -> None:
    Image.fromarray(halves() * 255).save(tmp_path / "photo.png")
    done = here("audit", "map", tmp_path / "photo.png", "--sample", 20, "--classes", "land,roof")
    assert done.returncode == 0 and "14,400 pixels" in done.stdout and "areas are in pixels" in done.stdout
    fill(tmp_path / "photo_audit", lambda *_: "land")
    done = here("audit", "map", tmp_path / "photo.png")
    assert done.returncode == 0 and "areas are in pixels" in " ".join(done.stdout.split())
    assert _audit(tmp_path / "photo.png")["unit"] == "pixels"


@pytest.mark.parametrize(
    ("values", "arguments", "said"),
    [
        (np.full((64, 64), 3, np.uint8), [], "shows one class alone (class 3), so a label cannot differ from it"),
        (halves() * 5, ["--classes", "a,b"], "shows the value 5, and --classes names 2, from 0"),
        (np.linspace(0, 1, 6400, dtype=np.float32).reshape(80, 80), [], "holds float32, which are no classes"),
        (np.arange(65536, dtype=np.uint16).reshape(256, 256), [], "a class map holds values from 0 to 255"),
        (
            np.arange(256, dtype=np.uint8).repeat(64).reshape(128, 128),
            [],
            "shows 256 values; a class map has 64 classes",
        ),
        (np.zeros((3, 64, 64), np.uint8), [], "has 3 bands; a class map has one"),
        (np.arange(30, dtype=np.uint8).repeat(100).reshape(60, 50), ["--sample", "20"], "has 30 strata"),
        (halves(), ["--sample", "5"], "--sample 5: must be at least 10"),
        (halves(), ["--image", "nowhere.tif"], "nowhere.tif: is no raster that GDAL can open"),
        (halves(), ["--filled", "nowhere.csv"], "--filled nowhere.csv: no such file"),
        (halves(), ["--classes", "a,A"], "two classes have one name"),
    ],
    ids=lambda one: "" if isinstance(one, np.ndarray) else str(one)[:40],
)
def test_what_is_no_class_map_is_refused(
    tmp_path: Path,
    here: Run,
    values: np.ndarray,
    arguments: list[str],
    said: str,  # type: ignore[type-arg]
) -> None:
    assert_refused(here("audit", "map", write_map(tmp_path / "m.tif", values, **UTM), *arguments), said)


def test_a_map_without_any_data_is_refused(tmp_path: Path, here: Run) -> None:
    path = write_map(tmp_path / "m.tif", halves() * 0, nodata=0, **UTM)
    assert_refused(here("audit", "map", path), "m.tif: no pixel holds data; name another map")


def test_a_map_that_shows_one_of_two_classes_says_so(tmp_path: Path, here: Run) -> None:
    path = write_map(tmp_path / "m.tif", np.zeros((64, 64), np.uint8), **UTM)
    done = here("audit", "map", path, "--sample", 30)
    assert done.returncode == 0 and "the map shows background alone" in done.stdout


def test_one_class_with_names_can_be_audited(tmp_path: Path, here: Run) -> None:
    path = write_map(tmp_path / "m.tif", np.zeros((64, 64), np.uint8), **UTM)
    assert here("audit", "map", path, "--classes", "land,roof", "--sample", 30).returncode == 0
    fill(tmp_path / "m_audit", lambda number, *_: "roof" if number == 1 else "land")
    assert here("audit", "map", path).returncode == 0
    (accuracy,) = _audit(path)["maps"]  # type: ignore[misc]
    assert accuracy["classes"][1]["area"]["value"] == pytest.approx(1 / 30)
    assert accuracy["classes"][1]["users"]["value"] is None


def test_a_map_of_fewer_pixels_than_the_sample_is_labelled_whole(tmp_path: Path, here: Run) -> None:
    path = write_map(tmp_path / "m.tif", halves(6, 8, 3), **UTM)
    done = here("audit", "map", path)
    assert done.returncode == 0 and "48 pixels is all that the map has, fewer than --sample" in done.stdout
    fill(tmp_path / "m_audit", lambda number, row, column: NAMES[int(column >= 4)])
    assert here("audit", "map", path).returncode == 0
    (accuracy,) = _audit(path)["maps"]  # type: ignore[misc]
    area = accuracy["classes"][1]["area"]
    assert area["value"] == pytest.approx(0.5) and area["high"] - area["low"] < 0.01


@pytest.mark.parametrize(
    ("second", "where", "said"),
    [
        (halves(60, 80, 20), UTM, "has 80 x 60 pixels and"),
        (halves(), {**UTM, "crs": "EPSG:32632"}, "has another CRS than"),
        (halves(), {**UTM, "transform": from_origin(500_000, 5_340_000, 1, 1)}, "has another transform than"),
    ],
)
def test_two_maps_on_different_grids_are_refused(
    area_map: Path,
    here: Run,
    second: np.ndarray,
    where: dict[str, object],
    said: str,  # type: ignore[type-arg]
) -> None:
    other = write_map(area_map.with_name("other.tif"), second, **where)
    assert_refused(here("audit", "map", area_map, other), said, "rio warp")


def test_two_maps_are_compared_where_they_differ(area_map: Path, here: Run) -> None:
    better = write_map(area_map.with_name("better.tif"), halves(right=47), **UTM)
    folder = area_map.parent / "area_mask_or_better_audit"
    assert here("audit", "map", area_map, better, "--sample", 80).returncode == 0
    fill(folder, _truth)
    done = here("audit", "map", area_map, better)
    assert done.returncode == 0
    assert "better.tif is better than area_mask.tif: right on 4.4 % of all ground" in " ".join(done.stdout.split())
    paired = json.loads((folder / "accuracy.json").read_text())["paired"]
    assert (paired["first"], paired["second"]) == (0, 40)
    assert paired["probability"] == pytest.approx(2 * 0.5**40)
    assert paired["differing"] == pytest.approx(7 / 160)
    assert paired["high"] < -0.03


def test_two_maps_that_say_the_same_are_not_compared(area_map: Path, here: Run) -> None:
    twin = write_map(area_map.with_name("twin.tif"), halves(), **UTM)
    here("audit", "map", area_map, twin, "--sample", 20)
    fill(area_map.parent / "area_mask_or_twin_audit", _truth)
    done = here("audit", "map", area_map, twin)
    assert done.returncode == 0 and "say the same everywhere" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sample", "30"], "--sample 30: the sample in"),
        (["--seed", "1"], "--seed 1: the sample in"),
        (["--classes", "x,y"], "--classes x,y: the sample in"),
    ],
)
def test_another_sample_is_not_drawn_over_the_first(area_map: Path, here: Run, arguments: list[str], said: str) -> None:
    here("audit", "map", area_map, "--sample", 20)
    folder = area_map.parent / "area_mask_audit"
    folder.with_name("area_mask_audit_2").touch()  # in the way
    other = folder.with_name("area_mask_audit_3")
    refused = here("audit", "map", area_map, *arguments)
    assert_refused(refused, said, f"draw a new sample with --out {other}")
    assert here("audit", "map", area_map, *arguments, "--out", other).returncode == 0
    assert (other / "sample.csv").is_file()


@pytest.mark.parametrize("name", ["sheet.html", "accuracy.json"])
def test_a_file_that_somebody_edited_is_not_replaced(area_map: Path, here: Run, name: str) -> None:
    folder = area_map.parent / "area_mask_audit"
    here("audit", "map", area_map, "--sample", 20)
    if name == "accuracy.json":
        fill(folder, _truth)
        assert here("audit", "map", area_map).returncode == 0
    assert here("audit", "map", area_map).returncode == 0  # its own
    edited = (folder / name).read_text(encoding="utf-8") + "<!-- mine -->"
    (folder / name).write_text(edited, encoding="utf-8")
    refused = here("audit", "map", area_map)
    assert_refused(refused, f"{name}: exists already, not as tilesweep wrote it; move it")
    assert "--overwrite" not in refused.stderr  # which the command does not have
    assert (folder / name).read_text(encoding="utf-8") == edited
    (folder / name).rename(folder / "mine")
    assert here("audit", "map", area_map).returncode == 0


def test_a_sheet_without_its_sample_is_not_overwritten(area_map: Path, here: Run) -> None:
    folder = area_map.parent / "area_mask_audit"
    here("audit", "map", area_map, "--sample", 20)
    (folder / "sample.json").unlink()
    assert_refused(here("audit", "map", area_map, "--sample", 20), "sample.csv: is there without its sample.json")


def test_a_sample_that_was_edited_is_refused(area_map: Path, here: Run) -> None:
    path = area_map.parent / "area_mask_audit" / "sample.json"
    here("audit", "map", area_map, "--sample", 20)
    path.write_text(path.read_text().replace('"seed": 42', '"seed": 43'))
    assert_refused(here("audit", "map", area_map), "sample.json: was changed since it was written")


def test_the_page_shows_the_image_and_not_what_the_map_says(area_map: Path, here: Run) -> None:
    image = write_map(area_map.with_name("area.tif"), np.stack([halves() * 200] * 3), **UTM)
    assert here("audit", "map", area_map, "--image", image, "--sample", 20).returncode == 0
    page = (area_map.parent / "area_mask_audit" / "sheet.html").read_text(encoding="utf-8")
    assert page.count("data:image/webp") == 40 and '" checked>' not in page
    assert "connect-src" not in page and "default-src &#39;none&#39;" in page


def test_json_has_the_results_for_programs(area_map: Path, here: Run) -> None:
    here("audit", "map", area_map, "--sample", 20)
    fill(area_map.parent / "area_mask_audit", _truth)
    done = here("audit", "map", area_map, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["event"] for one in events] == ["map_audit", "end"]
    assert events[0]["maps"][0]["overall"]["low"] < events[0]["maps"][0]["overall"]["value"]


def test_the_report_takes_the_result_in(scored: SharedSweep, tmp_path: Path, here: Run) -> None:
    storage = ("--storage", scored.copy(tmp_path / "r"))
    random = np.random.default_rng(1)
    image = write_map(tmp_path / "area.tif", random.integers(0, 255, (3, 96, 128), dtype=np.uint8), **UTM)
    predicted = here("predict", image, "--model", "phase1-smoke", "--out", tmp_path / "map", *storage)
    assert predicted.returncode == 0, predicted.stderr
    words = ("audit", "map", tmp_path / "map" / "area_mask.tif", "--sample", 20, *storage)
    assert here(*words).returncode == 0
    folder = tmp_path / "map" / "area_mask_audit"
    assert "data:image/webp" in (folder / "sheet.html").read_text(encoding="utf-8")  # of what the map was made of
    fill(folder, _truth)
    done = here(*words)
    assert done.returncode == 0 and "kept with" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("next           python -m sweep.report phase1-smoke")
    for more in ((), ("--audit", folder / "accuracy.json")):
        report = here("report", "phase1-smoke", *storage, *more)
        assert report.returncode == 0, report.stderr
        page = (tmp_path / "r" / "phase1-smoke" / "report.html").read_text(encoding="utf-8")
        assert "How right is the map?" in page and "area_mask.tif is right on" in page
        assert "producer&#39;s accuracy" in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory); name the accuracy.json that sweep.audit map writes"),
        ("{}", "is no accuracy.json of sweep.audit map, or damaged"),
        ('{"format": 99}', "written by a newer tilesweep; update tilesweep"),
    ],
)
def test_a_report_refuses_what_is_no_result(
    scored: SharedSweep, tmp_path: Path, here: Run, content: str | None, said: str
) -> None:
    path = tmp_path / "accuracy.json"
    if content is not None:
        path.write_text(content)
    done = here("report", "phase1-smoke", "--storage", scored.storage, "--audit", path, "--out", tmp_path / "r.html")
    assert_refused(done, "accuracy.json:", said)
