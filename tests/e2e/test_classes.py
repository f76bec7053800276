"""A data set of three classes from the sweep to the map, by the commands that users type."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pyogrio.raw
import pytest
import rasterio
from affine import Affine
from PIL import Image

from sweep.records.experiment import Experiment
from sweep.results.classes import class_rows, task_of
from sweep.results.leaderboard import Leaderboard
from tests.commands import Run, assert_refused, run_here
from tests.conftest import SCENES, WriteDataset
from trainables.metrics import score_mask
from trainables.storage import Storage

RECIPES = """
[unet]
schedule = "cosine"
min_learning_rate = 1e-6
class_weights = "inverse_frequency"
clip_norm = 1.0
max_epochs = 4
draws_per_epoch = 24
learning_rate = 0.02

[smp_unet_resnet34]
optimizer = "Adam"
class_weights = "0.5,1,2"
plateau_metric = "f1"
"""
NAME = "phase1-smoke"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, write_scenes: WriteDataset, run: Run) -> Path:
    """A finished and scored smoke sweep over three classes, with its tiles beside it."""
    folder = tmp_path_factory.mktemp("classes")
    patches = write_scenes(folder / "patches", train=4, val=3, test=3, size=128)
    (folder / "recipes.toml").write_text(RECIPES)
    where = ("--storage", folder / "results")
    done = run("phase1", "--profile", "smoke", "--patches", patches, *where, "--recipes", folder / "recipes.toml")
    assert done.returncode == 0, done.stderr
    assert "multiclass: ground, roof, tree" in done.stdout
    scored = run_here("score", NAME, *where)
    assert scored.returncode == 0 and " test " in scored.stdout, scored.stderr
    return folder


def test_the_scores_are_those_of_the_kept_masks(swept: Path) -> None:
    experiment = Experiment(Storage.open(str(swept / "results")), NAME)
    rows = {(row["attempt"], row["tile"]): row for row in experiment.read_table("test_scores.parquet").to_pylist()}
    assert len(rows) == 6
    for (attempt, tile), row in rows.items():
        folder = swept / "results" / NAME / attempt / "predictions" / "test"
        predicted, truth = (np.asarray(Image.open(folder / kind / f"{tile}.png")) for kind in ("masks", "truth"))
        by_hand = score_mask(tile, predicted, truth, task=SCENES)
        assert row["confusion"] == [list(counts) for counts in by_hand.confusion]
        assert row["iou"] == pytest.approx(by_hand.iou) and (truth == 255).any()


def test_the_leaderboard_tells_classes_apart(swept: Path) -> None:
    board = Leaderboard(Experiment(Storage.open(str(swept / "results")), NAME))
    found = {(row.contender, row.split): row.pooled for row in board.class_rows}
    assert set(found) == {(entry, split) for entry in ("unet", "smp_unet_resnet34") for split in ("val", "test")}
    row = next(row for row in board.rows if row.contender == "unet")
    assert row.val_pixel_accuracy == pytest.approx(found["unet", "val"].pixel_accuracy)
    assert row.val_pooled_iou == pytest.approx(found["unet", "val"].iou)
    assert row.val_frequency_weighted_iou == pytest.approx(found["unet", "val"].frequency_weighted_iou)
    assert "0.5 CE" in board.markdown() and "means over the classes" in board.markdown()
    assert not class_rows(task_of(board.experiment), board.rows, {"val": [], "test": []})


def test_history_and_log_name_the_classes(swept: Path) -> None:
    folder = swept / "results" / NAME / "unet"
    assert "val_pixel_accuracy" in (folder / "history.csv").read_text().splitlines()[0]
    assert "  class  ground 0." in (folder / "trial.log").read_text()


def test_the_report_shows_classes(swept: Path, here: Run) -> None:
    done = here("report", NAME, "--storage", swept / "results")
    assert done.returncode == 0, done.stderr
    page = (swept / "results" / NAME / "report.html").read_text()
    for words in ("Class by class", "where each class&#39;s pixels go", "wrong class (magenta, grid)", "multiclass: "):
        assert words in page, words
    assert "false alarm" not in page


def _raster(folder: Path) -> Path:
    """A scene that no model has seen, somewhere on earth."""
    image = np.hstack([np.asarray(Image.open(path)) for path in sorted((folder / "patches/test/images").iterdir())])
    path, place = folder / "scene.tif", Affine(0.3, 0, 325_000, 0, -0.3, 2_787_000)
    options = {"count": 3, "dtype": "uint8", "crs": "EPSG:32640", "transform": place}
    with rasterio.open(path, "w", driver="GTiff", height=image.shape[0], width=image.shape[1], **options) as file:
        file.write(image.transpose(2, 0, 1))
    return path


def test_maps_hold_classes_and_polygons_say_theirs(swept: Path, here: Run, tmp_path: Path) -> None:
    model = ("--model", NAME, "--storage", swept / "results", "--out", tmp_path / "maps")
    done = here("predict", _raster(swept), *model, "--polygons", "gpkg", "--probability", "--ensemble", "2", "--tta")
    assert done.returncode == 0 and "gain on val" in done.stdout, done.stderr
    with rasterio.open(tmp_path / "maps" / "scene_mask.tif") as file:
        mask, tags, table = file.read(1), file.tags(), file.colormap(1)
    assert set(np.unique(mask).tolist()) <= {0, 1, 2} and len(np.unique(mask)) > 1
    assert tags["CLASSES"] == "0=ground,1=roof,2=tree" and table[1][:3] == SCENES.colours[1]
    with rasterio.open(tmp_path / "maps" / "scene_probability.tif") as file:
        assert file.read(1).min() >= 250 // 3, "the most probable of three classes has at least a third"
    fields, _, _, columns = pyogrio.raw.read(tmp_path / "maps" / "scene_polygons.gpkg")
    areas, names = (columns[list(fields["fields"]).index(name)] for name in ("area_m2", "class"))
    for index, name in enumerate(SCENES.classes):
        assert areas[names == name].sum() == pytest.approx((mask == index).sum() * 0.09, rel=2e-3)


def test_a_threshold_is_refused(swept: Path, here: Run, tmp_path: Path) -> None:
    model = ("--model", NAME, "--storage", swept / "results", "--out", tmp_path / "maps")
    assert_refused(here("predict", _raster(swept), *model, "--threshold", "0.3"), "--threshold 0.3", "3 classes apart")


def test_an_export_gives_a_logit_a_class(swept: Path, here: Run, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    done = here("export", "--model", f"{NAME}/unet", "--storage", swept / "results", "--out", out)
    assert done.returncode == 0 and "ground, roof, tree: the largest logit decides" in done.stdout, done.stderr
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["tilesweep"])
    assert (about["task"], about["classes"], about["threshold"]) == ("multiclass", list(SCENES.classes), None)
    logits = session.run(["logits"], {"image": np.zeros((1, 3, 64, 96), np.uint8)})[0]
    assert logits.shape == (1, 3, 64, 96)


def test_wrong_numbers_of_class_weights_stop_a_sweep_before_it_begins(swept: Path, here: Run, tmp_path: Path) -> None:
    (tmp_path / "recipes.toml").write_text('[unet]\nclass_weights = "1,2"\n')
    options = ("--profile", "smoke", "--patches", swept / "patches", "--storage", tmp_path / "results")
    done = here("phase1", *options, "--recipes", tmp_path / "recipes.toml")
    assert_refused(done, "class_weights is '1,2': 2 weights for 3 classes (ground, roof, tree); give one per class")
    assert not (tmp_path / "results").exists()
