"""``python -m sweep.next``: what it writes, what it leaves out, and what it refuses in a line."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
from PIL import Image

from sweep.next.strategies.registry import STRATEGIES
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.rasters import write_tif

FOLDS = (("t1",), ("t2",), ("t3",))
SIZE = 128


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    root = write_dataset(tmp_path_factory.mktemp("data") / "patches", size=SIZE)
    assert run_here("patches", "check", "--patches", root).returncode == 0
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> Path:
    path = tmp_path_factory.mktemp("model") / "folds.safetensors"
    return write_best(path, patches, "smp_unet_resnet34", folds=FOLDS)


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """Six photos of the dataset's size."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    for number in range(6):
        image = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(image).resize((SIZE, SIZE)).save(folder / f"p{number}.png")
    return folder


def run(*arguments: object, model: Path, patches: Path, out: Path) -> Any:
    return run_here("next", *arguments, "--model", model, "--patches", patches, "--out", out)


def events(text: str, kind: str) -> list[dict[str, Any]]:
    return [one for line in text.splitlines() if (one := json.loads(line))["event"] == kind]


def test_the_folder_is_ready_to_be_labelled(incoming: Path, model: Path, patches: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(incoming, "--count", 3, model=model, patches=patches, out=out)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((out / "ranking.csv").open()))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert all(0 <= float(row["entropy"]) <= 1 and float(row["disagreement"]) > 0 for row in rows)
    names = {row["name"] for row in rows}
    assert {path.stem for path in (out / "tiles").glob("*.png")} == names
    for name in names:
        values = json.loads((out / "tiles" / f"{name}.json").read_text())
        assert values["imagePath"] == f"{name}.png" and values["imageHeight"] == SIZE
        assert np.array_equal(Image.open(out / "tiles" / f"{name}.png"), Image.open(incoming / f"{name}.png"))
    page = (out / "index.html").read_text()
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page) and page.count('class="card"') == 3
    assert (out / "cvat" / "annotations.xml").is_file() and not (out / "windows.gpkg").exists()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_chooses(strategy: str, incoming: Path, model: Path, patches: Path, tmp_path: Path) -> None:
    flags = ("--strategy", strategy, "--count", 2, "--json")
    done = run(incoming, *flags, model=model, patches=patches, out=tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert len({one["name"] for one in events(done.stdout, "chosen")}) == 2


def test_windows_of_a_large_raster_open_in_a_gis(model: Path, patches: Path, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 420, 3), dtype=np.uint8)
    raster = write_tif(tmp_path / "ortho.tif", image)
    out = tmp_path / "out"
    done = run(raster, "--count", 4, model=model, patches=patches, out=out)
    assert done.returncode == 0, done.stderr
    found = pyogrio.read_dataframe(out / "windows.gpkg")
    assert len(found) == 4 and found.crs.to_epsg() == 32633 and found["rank"].tolist() == [1, 2, 3, 4]
    rows = {row["name"]: row for row in csv.DictReader((out / "ranking.csv").open())}
    for _, one in found.iterrows():
        left, top = (int(rows[one["name"]][key]) for key in "xy")
        x0, y0, x1, y1 = one.geometry.bounds
        assert np.allclose([x0, y1], [500_000 + 0.3 * left, 5_300_000 - 0.3 * top])
        assert np.allclose([x1 - x0, y1 - y0], 0.3 * SIZE)


def test_what_is_labelled_or_held_out_is_left_out_and_counted(
    incoming: Path, model: Path, patches: Path, tmp_path: Path
) -> None:
    for split, name in (("train", "t1"), ("val", "t4"), ("val", "t5"), ("test", "t6")):
        shutil.copyfile(patches / split / "images" / f"{name}.png", incoming / f"{split}_{name}.png")
    done = run(incoming, "--count", 20, "--json", model=model, patches=patches, out=tmp_path / "out")
    assert events(done.stdout, "looked")[0]["left_out"] == {"train": 1, "val": 2, "test": 1}
    assert {one["name"] for one in events(done.stdout, "chosen")} == {f"p{number}" for number in range(6)}


def test_the_same_pixels_saved_again_are_left_out(incoming: Path, model: Path, patches: Path, tmp_path: Path) -> None:
    Image.open(patches / "val" / "images" / "t4.png").save(incoming / "again.tif")
    done = run(incoming, "--json", model=model, patches=patches, out=tmp_path / "out")
    assert events(done.stdout, "looked")[0]["left_out"] == {"val": 1}


def test_no_test_tile_is_opened(incoming: Path, model: Path, patches: Path, tmp_path: Path) -> None:
    copy = tmp_path / "patches"
    shutil.copytree(patches, copy)
    for path in (copy / "test").rglob("*.png"):
        path.write_bytes(b"nobody reads this")
    done = run(incoming, "--count", 2, model=model, patches=copy, out=tmp_path / "out")
    assert done.returncode == 0, done.stderr


def test_fewer_windows_than_asked_for_are_all_taken_and_that_is_said(
    incoming: Path, model: Path, patches: Path, tmp_path: Path
) -> None:
    done = run(incoming, "--count", 50, model=model, patches=patches, out=tmp_path / "out")
    assert done.returncode == 0 and "6 windows, fewer than --count 50: all are taken" in done.stdout


def test_windows_without_data_are_left_out(model: Path, patches: Path, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(1, 255, (SIZE, 2 * SIZE, 3), dtype=np.uint8)
    image[:, :SIZE] = 0
    raster = write_tif(tmp_path / "ortho.tif", image, nodata=0)
    done = run(raster, "--json", model=model, patches=patches, out=tmp_path / "out")
    assert events(done.stdout, "looked")[0] | {"time": ""} == {
        "event": "looked", "time": "", "windows": 1, "left_out": {"empty": 1}, "bad": [],
    }  # fmt: skip


def test_tables_fit_eighty_columns(incoming: Path, model: Path, patches: Path, tmp_path: Path) -> None:
    done = run_here("next", incoming, "--model", model, "--patches", patches, "--out", tmp_path / "out", COLUMNS="80")
    table = [line for line in done.stdout.splitlines() if re.match(r"\s+\d  ", line)]
    assert len(table) == 6 and max(map(len, table)) <= 80


def test_another_band_count_is_refused_with_both_numbers(model: Path, patches: Path, tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "grey.tif", np.zeros((SIZE, SIZE, 2), np.uint8))
    assert_refused(run(raster, model=model, patches=patches, out=tmp_path / "out"), "grey.tif", "2 bands")


def test_every_damaged_file_is_named_and_skip_bad_leaves_it_out(
    incoming: Path, model: Path, patches: Path, tmp_path: Path
) -> None:
    (incoming / "broken.png").write_bytes(b"\x89PNG not really")
    (incoming / "empty.tif").write_bytes(b"")
    refused = run(incoming, model=model, patches=patches, out=tmp_path / "out")
    assert_refused(refused, "broken.png", "empty.tif")
    done = run(incoming, "--skip-bad", model=model, patches=patches, out=tmp_path / "out")
    assert done.returncode == 0 and "broken.png" in done.stdout and "empty.tif" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{empty}",), ("holds no image",)),
        (("nowhere.tif",), ("nowhere.tif: no such file or folder",)),
        ((), ("INPUT: name an image",)),
        (("{incoming}", "--strategy", "divers"), ("--strategy divers", "did you mean 'diverse'")),
        (("{incoming}", "--size", "100"), ("--size 100: must be a multiple of 32",)),
        (("{incoming}", "--count", "0"), ("--count 0",)),
        (("{patches}/train/images",), ("no window is left to label: 3 labelled already",)),
    ],
)
def test_mistakes_are_said_in_a_line(
    arguments: tuple[str, ...], said: tuple[str, ...], incoming: Path, model: Path, patches: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"incoming": incoming, "patches": patches, "empty": tmp_path / "empty"}
    words = [one.format(**places) for one in arguments]
    assert_refused(run(*words, model=model, patches=patches, out=tmp_path / "out"), *said)
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_told_the_nearest(incoming: Path, scored_storage: Path, tmp_path: Path) -> None:
    done = run_here("next", incoming, "--model", "phase1-smok", "--storage", scored_storage, "--out", tmp_path / "out")
    assert_refused(done, "phase1-smok", "did you mean 'phase1-smoke'")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    again = run_here("next", incoming, "--model", "phase1-smok", "--storage", scored_storage, "--out", tmp_path / "out")
    assert_refused(again, "phase1-smok")  # a model is looked for before the place of the results is


@pytest.fixture
def scored_storage(tmp_path: Path) -> Path:
    from tests.cases.experiments import write_experiment

    write_experiment(tmp_path / "results", "phase1-smoke")
    return tmp_path / "results"


def test_a_dataset_of_other_bands_is_refused(
    incoming: Path, model: Path, write_scenes: WriteDataset, tmp_path: Path
) -> None:
    other = write_scenes(tmp_path / "other")
    done = run(incoming, model=model, patches=other, out=tmp_path / "out")
    assert_refused(done, "has the classes ground, roof, tree, and the model background, foreground")


def test_a_folder_that_is_not_ours_is_not_touched(incoming: Path, model: Path, patches: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    refused = run(incoming, "--overwrite", model=model, patches=patches, out=out)
    assert_refused(refused, "holds what this command has not written")
    assert (out / "thesis.txt").read_text() == "mine" and len(list(out.iterdir())) == 1


def test_an_earlier_choice_is_replaced_if_said_and_never_labels_that_somebody_saved(
    incoming: Path, model: Path, patches: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = {"model": model, "patches": patches, "out": out}
    assert run(incoming, "--count", 2, **flags).returncode == 0
    assert_refused(run(incoming, "--count", 2, **flags), f"holds an earlier choice; say --out {tmp_path / 'out_2'}, or")
    assert run(incoming, "--count", 2, "--overwrite", **flags).returncode == 0
    label = next((out / "tiles").glob("*.json"))
    label.write_text(json.dumps(json.loads(label.read_text()) | {"imageData": "as a program saves it"}))
    refused = run(incoming, "--count", 2, "--overwrite", **flags)
    assert_refused(refused, "files that somebody has worked on", label.name)


@pytest.mark.parametrize("name", ["cvat/annotations.xml", "windows.gpkg", "ranking.csv", "tiles/mask_of_mine.png"])
def test_a_choice_in_which_somebody_changed_or_added_a_file_is_not_replaced(
    incoming: Path, model: Path, patches: Path, tmp_path: Path, name: str
) -> None:
    flags = {"model": model, "patches": patches, "out": tmp_path / "out"}
    assert run(incoming, "--count", 2, **flags).returncode == 0
    with (tmp_path / "out" / name).open("ab") as file:
        file.write(b"mine")
    assert_refused(run(incoming, "--count", 2, "--overwrite", **flags), "somebody has worked on", name)
    assert (tmp_path / "out" / name).read_bytes().endswith(b"mine")


def test_without_a_dataset_that_is_said(incoming: Path, model: Path, tmp_path: Path) -> None:
    done = run_here("next", incoming, "--model", model, "--out", tmp_path / "out")
    assert done.returncode == 0 and "no dataset is known" in done.stdout


def test_classes_and_more_bands_are_labelled_on_pictures(
    write_scenes: WriteDataset, incoming: Path, tmp_path: Path
) -> None:
    patches = write_scenes(tmp_path / "scenes", size=SIZE)
    best = write_best(tmp_path / "m.safetensors", patches, "unet")
    done = run(incoming, "--count", 2, "--json", model=best, patches=patches, out=tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert set(events(done.stdout, "chosen")[0]["shares"]) == {"ground", "roof", "tree"}
