"""Several processes make one map: real commands side by side, one of them killed, and the map is that of one."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import geopandas
import numpy as np
import psutil
import pyogrio
import pytest
import rasterio
import shapely
from numpy.typing import NDArray

from sweep.predict import calibrated, running
from sweep.predict.command import PredictOptions
from sweep.predict.workers import FIRST, words_of
from tests.commands import Run, assert_refused, run_process, start
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.rasters import write_tif


@pytest.fixture
def model(write_dataset: WriteDataset, tmp_path: Path) -> Path:
    """Return a weights file of random weights."""
    return write_best(tmp_path / "best.safetensors", write_dataset(tmp_path / "patches"), "unet")


def scene(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(1, 255, (height, width, 3), dtype=np.uint8)


def layers(out: Path, name: str, *more: str) -> list[NDArray[np.uint8]]:
    found = []
    for layer in ("mask", "probability", *more):
        with rasterio.open(out / f"{name}_{layer}.tif") as file:
            found.append(file.read(1))
    return found


def wait_for_parts(out: Path, count: int) -> None:
    deadline = time.monotonic() + 180
    while len(list(out.glob(".*.parts/row*.tif"))) < count and time.monotonic() < deadline:
        time.sleep(0.02)


def test_two_commands_and_a_killed_one_make_the_map_of_one(
    model: Path, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """The third one is killed in the middle of its rows; of a mosaic, as cities come."""
    image, out = scene(1400, 400), tmp_path / "out"
    for top in range(0, 1400, 200):
        place = rasterio.Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000 - 0.3 * top)
        write_tif(tmp_path / "in" / f"{top}.tif", image[top : top + 200], transform=place)
    flags = ("--model", model, "--probability", "--polygons", "gpkg", "--batch-size", "4")
    command = ("predict", tmp_path / "in", "--mosaic", *flags, "--out", out)
    running = [start(*command) for _ in range(3)]
    processes += running
    wait_for_parts(out, 3)
    running[2].kill()
    ends = [process.communicate(timeout=300)[0] for process in running[:2]]
    assert [process.returncode for process in running[:2]] == [0, 0], ends
    said = "".join(ends)
    assert said.count("mosaic: mosaic_mask.tif") == 1, "one of them writes the map"
    assert sorted(path.name for path in out.iterdir()) == [
        "mosaic.vrt", "mosaic_mask.qml", "mosaic_mask.tif",
        "mosaic_polygons.gpkg", "mosaic_probability.qml", "mosaic_probability.tif", "predictions.json",
    ]  # fmt: skip
    whole = write_tif(tmp_path / "whole" / "mosaic.tif", image)
    alone = run_process("predict", whole, *flags, "--out", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    for ours, theirs in zip(layers(out, "mosaic"), layers(tmp_path / "alone", "mosaic"), strict=True):
        assert np.array_equal(ours, theirs)
    shapes = [pyogrio.raw.read(folder / "mosaic_polygons.gpkg")[2] for folder in (out, tmp_path / "alone")]
    assert shapes[0].tolist() == shapes[1].tolist()
    inputs = json.loads((out / "predictions.json").read_text())["inputs"]
    assert list(inputs) == ["mosaic"]


def test_workers_of_one_command_share_a_list_of_rasters(model: Path, tmp_path: Path) -> None:
    for name in "abc":
        write_tif(tmp_path / "in dir" / f"{name}.tif", scene(300, 300))
    flags = (tmp_path / "in dir", "--model", model, "--probability", "--bands", "3,2,1", "--json")
    for workers in (1, 3):
        done = run_process("predict", *flags, "--out", tmp_path / str(workers), "--workers", workers)
        assert done.returncode == 0, done.stderr
        assert not [line for line in done.stdout.splitlines() if json.loads(line)["event"] == "warning"]
    for name in "abc":
        for ours, theirs in zip(layers(tmp_path / "1", name), layers(tmp_path / "3", name), strict=True):
            assert np.array_equal(ours, theirs)
    assert len(list((tmp_path / "3").iterdir())) == 13


WAYS = {
    "calibrated": ("--calibrated", "--patches", "PATCHES"),
    "uncertainty": ("--uncertainty",),
    "resample": ("--resample", "0.45"),
    "clip": ("--clip", "AREA"),
    "mosaic": ("--mosaic", "--on-top", "mean", "--nodata", "0"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_further_process_alone_makes_the_map_that_the_first_one_would_make(
    way: str, model: Path, here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one waits until the other has ended, and then finds all of it done, in its own way."""
    image = scene(160, 300)
    corners = [(500_010, 5_299_990), (500_060, 5_299_990), (500_060, 5_299_960)]
    geopandas.GeoDataFrame(geometry=[shapely.Polygon(corners)], crs="EPSG:32633").to_file(tmp_path / "area.gpkg")
    for name, left in (("a", 0), ("b", 100)):
        place = rasterio.Affine(0.3, 0, 500_000 + 0.3 * left, 0, -0.3, 5_300_000)
        write_tif(tmp_path / "in" / f"{name}.tif", image[:, left : left + 200], transform=place)
    places = {"PATCHES": str(tmp_path / "patches"), "AREA": str(tmp_path / "area.gpkg")}
    flags = ("--model", model, "--probability", *(places.get(word, word) for word in WAYS[way]))
    if way == "calibrated":  # as if the fits of two processes did not agree
        fit = calibrated.find_calibration
        monkeypatch.setattr(
            calibrated, "find_calibration", lambda *given: {**fit(*given), "temperature": 0.3, "threshold": 0.49}
        )
    assert here("predict", tmp_path / "in", *flags, "--out", tmp_path / "alone").returncode == 0
    map_all = running.map_all

    def last(*given: object) -> None:
        for child in psutil.Process().children():
            with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                while "sweep.predict" in child.cmdline():
                    time.sleep(0.05)
        map_all(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "map_all", last)
    done = here("predict", tmp_path / "in", *flags, "--out", tmp_path / "both", "--workers", 2)
    assert done.returncode == 0 and "ended early" not in done.stdout, done.stdout + done.stderr
    names = ("mosaic",) if way == "mosaic" else ("a", "b")
    assert all(f"{name}: is there already" in done.stdout for name in names), done.stdout
    more = ("uncertainty",) if way == "uncertainty" else ()
    for name in names:
        for both, alone in zip(*(layers(tmp_path / out, name, *more) for out in ("both", "alone")), strict=True):
            assert np.array_equal(both, alone) and len(np.unique(both)) > 1
    settings = [json.loads((tmp_path / out / "predictions.json").read_text())["settings"] for out in ("both", "alone")]
    assert settings[0] == settings[1]


def test_what_needs_the_dataset_is_done_by_the_first_process_alone(model: Path, here: Run, tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "a.tif", scene(64, 64))
    flags = ("predict", raster, "--model", model, "--patches", tmp_path / "patches", "--tta")
    assert "gain on val    val IoU" in here(*flags, "--out", tmp_path / "first").stdout
    assert "gain on val" not in here(*flags, "--out", tmp_path / "further", **{FIRST: "{}"}).stdout
    refused = here(*flags, "--calibrated", "--out", tmp_path / "odd", **{FIRST: "[1"})
    assert_refused(refused, f"{FIRST}: was not set by tilesweep", "unset it")


def test_two_commands_that_predict_otherwise_are_not_mixed(
    model: Path, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    raster = write_tif(tmp_path / "in" / "a.tif", scene(900, 300))
    command = ("predict", raster, "--model", model, "--out", tmp_path / "out")
    running = start(*command)
    processes.append(running)
    wait_for_parts(tmp_path / "out", 1)
    running.send_signal(signal.SIGSTOP)
    kept = {path.name for path in (tmp_path / "out" / ".a.parts").glob("row*.tif")}
    refused = run_process(*command, "--threshold", "0.4")
    assert_refused(refused, "another command predicts a there in another way; wait for it, or choose another folder")
    assert kept and kept <= {path.name for path in (tmp_path / "out" / ".a.parts").glob("row*.tif")}
    running.send_signal(signal.SIGCONT)
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 0 and "a: a_mask.tif" in said, "and the first one works on"


def test_a_further_process_gets_the_words_that_were_typed() -> None:
    options = PredictOptions(
        inputs=("a.tif", "-b.tif"),
        out=Path("my map"),
        model="m",
        bands=(3, 2, 1),
        scale=(0.0, 3000.0),
        tta=True,
        workers=3,
        patches=Path("p"),
        nodata=-1.0,
        quiet=True,
    )
    assert words_of(options) == [
        "--model=m", "--out=my map", "--tta", "--bands=3,2,1", "--scale=0.0,3000.0",
        "--nodata=-1.0",
    ]  # fmt: skip
