"""From winner to map, by the command that users type."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import tyro
from affine import Affine
from PIL import Image

from sweep.cli.console import open_output
from sweep.predict.command import PredictOptions, main
from sweep.records.experiment import Experiment
from tests.commands import Run, assert_refused, start
from tests.conftest import ROOT, SHARED, WriteDataset
from tests.e2e.maps import HERE, Predict, scene
from tests.rasters import write_tif
from tests.shared_sweeps import SharedSweep
from trainables.errors import TilesweepError
from trainables.models.registry import GRID_OF_FIVE
from trainables.storage import Storage


def test_a_val_tile_is_predicted_as_the_sweep_predicted_it(
    scored: SharedSweep, predict: Predict, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    val = write_dataset(tmp_path / "patches", size=128) / "val" / "images"
    for attempt in ("unet", "smp_unet_resnet34"):
        out = tmp_path / attempt
        predict(val, "--out", out, model=f"phase1-smoke/{attempt}")
        sweeps = sorted((scored.storage / "phase1-smoke" / attempt / "predictions" / "val" / "masks").iterdir())
        assert len(sweeps) == 2
        for mask in sweeps:
            ours = np.asarray(Image.open(out / f"{mask.stem}_mask.png"))
            assert np.array_equal(ours, np.asarray(Image.open(mask)))
            assert Image.open(out / f"{mask.stem}_overlay.jpg").size == (128, 128)


def test_a_geotiff_becomes_mask_probability_and_polygons_that_agree(predict: Predict, tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "in" / "city.tif", scene(400, 600), transform=HERE @ Affine.rotation(15))
    said = predict(raster, "--out", tmp_path / "out", "--probability", "--polygons", "gpkg")
    assert (
        "city: city_mask.tif, city_mask.qml, city_probability.tif, city_probability.qml, city_polygons.gpkg" in said
        and "m2" in said
    )
    assert f"how right      python -m sweep.audit map {tmp_path / 'out' / 'city_mask.tif'}" in said
    with rasterio.open(tmp_path / "out" / "city_mask.tif") as mask, rasterio.open(raster) as before:
        assert (mask.crs, mask.shape) == (before.crs, before.shape) and mask.transform.almost_equals(before.transform)
        found = mask.read(1)
    with rasterio.open(tmp_path / "out" / "city_probability.tif") as file:
        probability = file.read(1)
    assert np.array_equal(found == 1, probability >= 125)  # 125 of 250 is 0.5
    assert found.any()
    meta, _, _, (_, area, mean) = pyogrio.raw.read(tmp_path / "out" / "city_polygons.gpkg")
    assert meta["crs"] == "EPSG:32633"
    assert area.sum() == pytest.approx(0.09 * (found == 1).sum(), rel=0.005)  # UTM stretches by up to 0.1 %
    assert (area * mean).sum() / area.sum() == pytest.approx(probability[found == 1].mean() / 250, abs=1e-4)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "city_mask.qml", "city_mask.tif", "city_polygons.gpkg",
        "city_probability.qml", "city_probability.tif", "predictions.json",
    ]  # fmt: skip


def test_a_mosaic_of_files_is_predicted_as_the_one_raster_that_it_shows(predict: Predict, tmp_path: Path) -> None:
    """To the last pixel, also beside the files' borders, and with whole polygons across them."""
    image, tiles, outs = scene(400, 600), tmp_path / "tiles", {"whole": tmp_path / "w", "mosaic": tmp_path / "m"}
    whole = write_tif(tmp_path / "in" / "mosaic.tif", image, transform=HERE)
    for top in range(0, 400, 100):
        for left in range(0, 600, 200):
            place = HERE @ Affine.translation(left, top)
            write_tif(tiles / f"t{top}" / f"{left}.tif", image[top : top + 100, left : left + 200], transform=place)
    flags = ("--probability", "--polygons", "gpkg")
    predict(whole, "--out", outs["whole"], *flags)
    said = predict(tiles / "*" / "*.tif", "--mosaic", "--out", outs["mosaic"], *flags)
    assert "mosaic         12 files, 600 x 400 pixels" in said and "without a file" not in said
    for layer in ("mask", "probability"):
        pixels = []
        for out in outs.values():
            with rasterio.open(out / f"mosaic_{layer}.tif") as file:
                pixels.append((file.read(1).tolist(), file.transform, file.crs, file.bounds))
        assert pixels[0] == pixels[1]
    found = [pyogrio.raw.read(out / "mosaic_polygons.gpkg")[2:] for out in outs.values()]
    assert found[0][0].tolist() == found[1][0].tolist()
    assert "mosaic: is there already" in predict(tiles / "*" / "*.tif", "--mosaic", "--out", outs["mosaic"], *flags)
    (tiles / "t100" / "200.tif").unlink()
    said = predict(tiles / "*" / "*.tif", "--mosaic", "--out", outs["mosaic"], *flags)
    assert "1 cell of the grid of 12 without a file: row 2, column 2" in said and "mosaic: mosaic_mask.tif" in said
    with rasterio.open(outs["mosaic"] / "mosaic_mask.tif") as file:
        again = file.read(1)
    assert (again[100:200, 200:400] == 255).all() and (np.delete(again, np.s_[100:200], axis=0) != 255).all()


def test_a_clipped_map_is_the_whole_map_inside_of_the_area(predict: Predict, tmp_path: Path) -> None:
    """At its edge, too: windows see what is outside."""
    raster = write_tif(tmp_path / "in" / "city.tif", scene(300, 400), transform=HERE)
    predict(raster, "--out", tmp_path / "whole")
    with rasterio.open(tmp_path / "whole" / "city_mask.tif") as file:
        whole = file.read(1)
    write_tif(tmp_path / "in" / "far.tif", scene(100, 100), transform=HERE @ Affine.translation(9000, 0))
    corners = [HERE @ one for one in ((100, 50), (300, 50), (300, 250), (100, 250))]
    area = tmp_path / "area.gpkg"
    geopandas.GeoDataFrame(geometry=[shapely.Polygon(corners)], crs="EPSG:32633").to_crs(3857).to_file(area)
    said = predict(tmp_path / "in", "--out", tmp_path / "out", "--clip", area)
    assert "1 raster of which --clip shows nothing" in said and "city: city_mask.tif" in said
    with rasterio.open(tmp_path / "out" / "city_mask.tif") as file:
        found = file.read(1)
    assert np.array_equal(found[50:250, 100:300], whole[50:250, 100:300])
    found[50:250, 100:300] = 255
    assert (found == 255).all()
    with pytest.raises(TilesweepError, match=r"made otherwise \(clip\)"):
        predict(raster, "--out", tmp_path / "out")
    with pytest.raises(TilesweepError, match="nothing of it is on"):
        predict(tmp_path / "in" / "far.tif", "--out", tmp_path / "far", "--clip", area)


def test_a_black_collar_is_noticed_and_the_printed_fix_leaves_it_out(predict: Predict, tmp_path: Path) -> None:
    """In a file by itself, and in a mosaic, where it hides nothing of the neighbour."""
    image = scene(200, 300)
    collar = image.copy()
    collar[:, 200:] = 0
    left = write_tif(tmp_path / "in" / "a.tif", collar, transform=HERE)
    write_tif(tmp_path / "in" / "b.tif", image[:, 180:], transform=HERE @ Affine.translation(180, 0))
    said = predict(left, "--out", tmp_path / "a")
    assert f"{left}: 33.3% of its pixels are black up to its edge" in said and "--nodata 0" in said
    assert "are black" not in predict(left, "--out", tmp_path / "b", "--nodata", 0)
    flags = ("--mosaic", "--on-top", "first", tmp_path / "in")
    said = predict(*flags, "--out", tmp_path / "c")
    assert f"1 of 2 files that were looked at are black up to their edge, such as {left} by 33.3%" in said
    assert "are black" not in predict(*flags, "--out", tmp_path / "d", "--nodata", 0)
    predict(write_tif(tmp_path / "whole" / "mosaic.tif", image, transform=HERE), "--out", tmp_path / "e")
    masks = {name: rasterio.open(tmp_path / name / "mosaic_mask.tif").read(1) for name in "cde"}
    assert np.array_equal(masks["d"], masks["e"]) and not np.array_equal(masks["c"], masks["e"])


def test_overlaps_are_seen_by_their_mean_and_never_mixed_with_others(predict: Predict, tmp_path: Path) -> None:
    image = scene(100, 200)
    dark, light = image - 20, image + 20
    write_tif(tmp_path / "in" / "a.tif", dark, transform=HERE)
    write_tif(tmp_path / "in" / "b.tif", light, transform=HERE)
    predict(tmp_path / "in", "--mosaic", "--on-top", "mean", "--out", tmp_path / "out", "--probability")
    predict(write_tif(tmp_path / "w" / "mosaic.tif", image, transform=HERE), "--out", tmp_path / "o", "--probability")
    for layer in ("mask", "probability"):
        one, other = (rasterio.open(tmp_path / name / f"mosaic_{layer}.tif").read(1) for name in ("out", "o"))
        assert np.array_equal(one, other)
    with pytest.raises(TilesweepError, match=r"made otherwise \(on_top\)"):
        predict(tmp_path / "in", "--mosaic", "--out", tmp_path / "out", "--probability")


def test_files_of_one_name_in_two_folders_keep_their_folders(predict: Predict, tmp_path: Path) -> None:
    for folder in ("north", "south"):
        write_tif(tmp_path / folder / "a.tif", scene(100, 100))
    write_tif(tmp_path / "south" / "b.tif", scene(100, 100))
    predict(tmp_path / "north", tmp_path / "south", "--out", tmp_path / "out")
    masks = sorted(path.name for path in (tmp_path / "out").glob("*_mask.tif"))
    assert masks == ["b_mask.tif", "north-a_mask.tif", "south-a_mask.tif"]


def test_what_is_there_is_not_predicted_again_and_never_mixed(predict: Predict, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a", "b"):
        write_tif(folder / f"{name}.tif", scene(100, 100))
    predict(folder, "--out", out)
    first = (out / "a_mask.tif").stat().st_mtime_ns
    write_tif(folder / "c.tif", scene(100, 100))
    said = predict(folder, "--out", out)
    assert "a: is there already" in said and "c: c_mask.tif" in said
    assert (out / "a_mask.tif").stat().st_mtime_ns == first
    (out / "b_mask.tif").unlink()
    said = predict(folder, "--out", out)
    assert "b: b_mask.tif" in said and "c: is there already" in said
    with pytest.raises(TilesweepError, match=r"made otherwise \(threshold\)"):
        predict(folder, "--out", out, "--threshold", "0.6")
    predict(folder, "--out", out, "--threshold", "0.6", "--overwrite")
    assert (out / "a_mask.tif").stat().st_mtime_ns > first


def test_ensemble_and_symmetries_show_their_gain_on_val_before_use(
    scored: SharedSweep, predict: Predict, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    storage = tmp_path / "results"
    shutil.copytree(scored.storage, storage)
    patches = write_dataset(tmp_path / "patches", size=128)
    raster = write_tif(tmp_path / "in" / "a.tif", scene(100, 100))
    flags = ("--ensemble", "2", "--tta")
    said = predict(raster, "--out", tmp_path / "out", *flags, "--patches", patches, storage=storage)
    assert said.index("gain on val    val IoU") < said.index("a: a_mask.tif")
    assert "eight symmetries" in said and said.count("model  ") == 2
    experiment = Experiment(Storage.open(str(storage)), "phase1-smoke")
    ((plain, chosen),) = json.loads(experiment.read("prediction_gains.json")).values()
    rows = {
        name: [row["iou"] for row in experiment.read_table("val_scores.parquet").to_pylist() if row["attempt"] == name]
        for name in GRID_OF_FIVE
    }
    assert plain == max(rows.values(), key=sum)  # the leader's own scores, to the last digit
    assert f"{np.mean(plain):.3f} -> {np.mean(chosen):.3f}" in said
    again = predict(raster, "--out", tmp_path / "out2", *flags, "--patches", patches, storage=storage)
    assert said.split("gain on val")[1].splitlines()[0] == again.split("gain on val")[1].splitlines()[0]
    unknown = predict(raster, "--out", tmp_path / "out3", "--tta", storage=storage)
    assert "gain on val    not known: " in unknown and "--patches" in unknown


def test_a_prediction_that_was_killed_goes_on_after_its_last_part(
    scored: SharedSweep, here: Run, predict: Predict, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    raster = write_tif(tmp_path / "in" / "big.tif", scene(1300, 800))
    model = ("--model", "phase1-smoke", "--storage", scored.storage, "--batch-size", "2")
    out = tmp_path / "out"
    process = start("predict", raster, *model, "--out", out)
    processes.append(process)
    parts = out / ".big.parts"
    deadline = time.monotonic() + 120
    while len(list(parts.glob("row*.tif"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("row*.tif")}
    assert 3 <= len(kept) < 50 and not (out / "big_mask.tif").exists()
    done = here("predict", raster, *model, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["model", "predicted", "end"]
    predict(raster, "--out", tmp_path / "whole")
    masks = [rasterio.open(folder / "big_mask.tif").read(1) for folder in (out, tmp_path / "whole")]
    assert np.array_equal(*masks) and not parts.exists()


def test_parts_are_not_predicted_twice(scored: SharedSweep, predict: Predict, tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "in" / "a.tif", scene(400, 200))
    with pytest.MonkeyPatch.context() as patch:
        from sweep.predict import job

        patch.setattr(job, "write_geotiff", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            predict(raster, "--out", tmp_path / "out")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / ".a.parts").glob("row*.tif")}
    with pytest.MonkeyPatch.context() as patch:
        from sweep.predict import mapper

        patch.setattr(mapper, "predict_in_batches", None)  # whoever predicts now, fails
        predict(raster, "--out", tmp_path / "out")
    assert len(kept) > 5 and (tmp_path / "out" / "a_mask.tif").exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("{in}/a.tif", "--out", "{in}/../out", "--model", "gone"), "--model gone: "),
        (("{in}/a.tif", "--out", "{in}/../out", "--model", "phase1-smoke/unte"), "did you mean 'unet'?"),
        (("{in}/a.tif", "--out", "{in}/../out", "--model", "none.safetensors"), "none.safetensors: cannot be read"),
        (("{in}/a.tif", "--out", "{in}/../out", "--model", "{in}/bad.safetensors"), "not a tilesweep weights file"),
        (("{in}/a.tif", "--out", "{in}/../out", "--ensemble", "9"), "--ensemble 9: phase1-smoke has 5 contenders"),
        (("{in}/a.tif", "--out", "{in}/../out", "--ensemble", "0"), "--ensemble 0: must be at least 1"),
        (("{in}/a.tif", "--out", "{in}/../out", "--threshold", "1"), "--threshold 1: must be between 0 and 1"),
        (("{in}/a.tif", "--out", "{in}/../out", "--min-area", "5"), "--min-area 5: acts on polygons"),
        (("{in}/a.tif", "--out", "{in}/../out", "--scale", "9,3"), "--scale 9,3: the value of black comes first"),
        (("{in}/none.tif", "--out", "{in}/../out"), "no such file or folder"),
        (("{in}", "--out", "{in}/out"), "is inside the input folder"),
        (("{in}/no.tif", "--out", "{in}/../out"), "no raster that GDAL can open"),
        (("{in}/nocrs.tif", "--out", "{in}/../out", "--polygons", "gpkg"), "nocrs.tif: has no CRS"),
        (("{in}/a.tif", "--out", "{in}/a.tif/out"), "--out"),
    ],
)
def test_mistakes_are_one_line_before_any_work(
    scored: SharedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    folder = tmp_path / "in"
    write_tif(folder / "a.tif", scene(64, 64))
    write_tif(folder / "nocrs.tif", scene(64, 64), crs=None)
    (folder / "no.tif").write_text("no raster")
    (folder / "bad.safetensors").write_bytes(b"no weights")
    words = [word.replace("{in}", str(folder)) for word in arguments]
    words += [] if "--model" in words else ["--model", "phase1-smoke"]
    options = tyro.cli(PredictOptions, args=[*words, "--storage", str(scored.storage)])
    with pytest.raises(TilesweepError) as caught:
        main(options, open_output(options))
    assert len(caught.value.faults) == 1 and said in caught.value.faults[0]
    assert not list(tmp_path.rglob("*_mask*"))


def test_no_room_is_one_line_and_the_same_command_goes_on(scored: SharedSweep, here: Run, tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "in" / "a.tif", scene(1200, 1000))
    model = ("--model", "phase1-smoke", "--storage", scored.storage)
    arguments = (raster, "--probability", *model, "--out", tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-m", "sweep.predict", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000)),
    )
    assert_refused(done, "cannot be written", "the same command resumes")
    assert here("predict", *arguments).returncode == 0


@pytest.mark.skipif(not (SHARED / "dubai").is_dir(), reason="real tiles are not here")
def test_a_real_tile_gives_one_mask_as_a_picture_and_as_a_map(predict: Predict, tmp_path: Path) -> None:
    tile = SHARED / "dubai" / "tile4" / "images" / "image_part_001.jpg"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tile) as picture:
            image = picture.read().transpose(1, 2, 0)
    raster = write_tif(tmp_path / "in" / "map.tif", image)
    predict(tile, raster, "--out", tmp_path / "out")
    predict(raster, "--out", tmp_path / "more", "--polygons", "geojson")
    mask = np.asarray(Image.open(tmp_path / "out" / "image_part_001_mask.png"))
    with rasterio.open(tmp_path / "out" / "map_mask.tif") as file:
        assert np.array_equal(file.read(1), mask // 255)
    assert json.loads((tmp_path / "more" / "map_polygons.geojson").read_text())["type"] == "FeatureCollection"


@pytest.mark.slow
def test_a_city_of_20_000_pixels_a_side_stays_under_two_gibibytes(scored: SharedSweep, tmp_path: Path) -> None:
    """Most of it holds no data, as even the tiny model would need many minutes for all; every pixel is written."""
    side = 20_000
    raster = tmp_path / "in" / "city.tif"
    raster.parent.mkdir()
    profile = {"crs": "EPSG:32640", "transform": HERE, "tiled": True, "compress": "deflate", "nodata": 0}
    with rasterio.open(
        raster, "w", driver="GTiff", height=side, width=side, count=3, dtype="uint8", sparse_ok=True, **profile
    ) as file:
        block = np.maximum(scene(1500, 1500), 1).transpose(2, 0, 1)
        for top, left in ((0, 0), (9_000, 16_000), (18_500, 18_500)):
            file.write(block, window=rasterio.windows.Window(left, top, 1500, 1500))
    arguments = (raster, "--model", "phase1-smoke", "--storage", scored.storage, "--out", tmp_path / "out")
    process = start("predict", *arguments, "--polygons", "gpkg")
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, said
    assert usage.ru_maxrss * 1024 < 2 * 2**30, f"{usage.ru_maxrss / 2**20:.2f} GiB"
    with rasterio.open(tmp_path / "out" / "city_mask.tif") as mask:
        assert mask.shape == (side, side)
        assert (mask.read(1, window=rasterio.windows.Window(18_500, 18_500, 1500, 1500)) != 255).all()
        assert (mask.read(1, window=rasterio.windows.Window(5_000, 5_000, 100, 100)) == 255).all()
