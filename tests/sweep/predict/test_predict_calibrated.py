"""Calibrated maps: the fitted temperature is in the probabilities, the polygons, the record and exported files."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import rasterio
import torch
from affine import Affine
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sweep.export.card import card_path
from sweep.export.stac import stac_path
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData
from trainables.held_out import fold_models
from trainables.scoring import forward_on
from trainables.windows import predict_by_windows

UNSEEN = (("t2", "t5"), ("t1",), ("t3", "t4"))
SHARP, HEAT = 10.0, 5.0
"""The logits of untrained models are small: so many times they mean what they say; so many times more they do not."""


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    """Tiles whose masks are drawn by the probabilities of the fold that has not seen them."""
    patches = write_dataset(tmp_path_factory.mktemp("data") / "patches", size=96)
    models = fold_models(*load_best(write_best(patches.parent / "unet.safetensors", patches, "unet", folds=UNSEEN)))
    generator = torch.Generator().manual_seed(0)
    for (model, _), names in zip(models, UNSEEN, strict=True):
        for name in names:
            (path,) = patches.glob(f"*/images/{name}.png")
            image = torch.tensor(np.array(Image.open(path))).permute(2, 0, 1)
            forward = forward_on(model, torch.device("cpu"), torch.float32)
            (logits,) = predict_by_windows(forward, [image], window=64)
            truth = torch.rand(96, 96, generator=generator) < (SHARP * logits[0]).sigmoid()
            Image.fromarray(truth.numpy().astype(np.uint8)).save(path.parent.with_name("masks") / path.name)
    return patches


def heated(patches: Path, *heats: float) -> Path:
    """Return the models of each fold with logits so many times as large, as if the masks had always been those."""
    made = patches.parent / "unet.safetensors"
    path = patches.parent / f"times{'-'.join(f'{heat:g}' for heat in heats)}.safetensors"
    with safe_open(made, framework="pt") as opened:
        about = json.loads(opened.metadata()["tilesweep"])
    about["data_fingerprint"] = TuningData.read(patches).fingerprint
    tensors = load_file(made)
    heads = [name for name in tensors if ".head." in name]
    assert len(heads) == 2 * len(UNSEEN)
    heat_of = {name: heats[int(re.findall(r"\d+", name)[0]) - 1] if name in heads else 1.0 for name in tensors}
    changed = {name: heat_of[name] * one for name, one in tensors.items()}
    save_file(changed, path, {"tilesweep": json.dumps(about)})
    return path


@pytest.fixture(scope="module")
def hot(patches: Path) -> Path:
    """Models of three folds, five times as sure as they may be."""
    return heated(patches, *[SHARP * HEAT] * 3)


@pytest.fixture(scope="module")
def uneven(patches: Path) -> Path:
    """Models of three folds of which one is five times as sure as it may be, and the others a fifth of that."""
    return heated(patches, SHARP / HEAT, SHARP * HEAT, SHARP / HEAT)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> Path:
    """A raster with a place on earth that shows a tile."""
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    image = TuningData.read(patches).val[0].image.transpose(2, 0, 1)
    profile = {"driver": "GTiff", "count": 3, "height": 96, "width": 96, "dtype": "uint8", "crs": "EPSG:32637"}
    with rasterio.open(path, "w", transform=Affine(0.5, 0, 5e5, 0, -0.5, 2.7e6), **profile) as raster:
        raster.write(image)
    return path


def predict(scene: Path, model: Path, out: Path, *flags: object) -> str:
    words = ("--model", model, "--out", out, "--probability", "--polygons", "gpkg", "--device", "cpu")
    done = run_here("predict", scene, *words, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read(1)


def settings(out: Path) -> dict[str, object]:
    return json.loads((out / "predictions.json").read_text())["settings"]


def test_overconfident_models_get_their_temperature_and_keep_their_masks(
    hot: Path, scene: Path, patches: Path, tmp_path: Path
) -> None:
    said = predict(scene, hot, tmp_path / "hot", "--calibrated", "--patches", patches, "--threshold", 0.5)
    predict(scene, hot, tmp_path / "raw")
    warm = settings(tmp_path / "hot")["temperature"]
    assert isinstance(warm, float) and warm == pytest.approx(HEAT, rel=0.15)
    assert f"calibration    temperature {warm:.3g}; error " in said and "5 tiles out of fold" in said
    hot_map, raw_map = (read(tmp_path / name / "scene_probability.tif") for name in ("hot", "raw"))
    assert np.array_equal(read(tmp_path / "hot" / "scene_mask.tif"), read(tmp_path / "raw" / "scene_mask.tif"))
    assert abs(hot_map.astype(int) - 125).mean() < 0.7 * abs(raw_map.astype(int) - 125).mean()
    means = []
    for name in ("hot", "raw"):
        with closing(sqlite3.connect(tmp_path / name / "scene_polygons.gpkg")) as database:
            rows = database.execute("SELECT area_m2, mean_probability FROM polygons").fetchall()
        areas, probabilities = map(np.array, zip(*rows, strict=True))
        mask, probability = (read(tmp_path / name / f"scene_{layer}.tif") for layer in ("mask", "probability"))
        means.append(float((areas * probabilities).sum() / areas.sum()))
        assert means[-1] == pytest.approx(probability[mask == 1].mean() / 250, abs=1e-6)
    assert means[0] < means[1]


def test_a_map_is_never_half_calibrated(hot: Path, scene: Path, patches: Path, tmp_path: Path) -> None:
    predict(scene, hot, tmp_path / "out")
    flags = ("--calibrated", "--patches", patches, "--threshold", 0.5)
    words = ("--model", hot, "--out", tmp_path / "out", "--probability", "--polygons", "gpkg", "--device", "cpu")
    assert_refused(run_here("predict", scene, *words, *flags), "holds predictions made otherwise (temperature)")
    assert_refused(
        run_here("predict", "--from", tmp_path / "out", "--out", tmp_path / "b", "--calibrated"),
        "--calibrated: needs a new prediction",
    )


def test_what_makes_other_tiles_worse_is_not_applied_and_said(
    uneven: Path, scene: Path, patches: Path, tmp_path: Path
) -> None:
    said = predict(scene, uneven, tmp_path / "kept", "--calibrated", "--patches", patches)
    kept = settings(tmp_path / "kept")
    assert kept["temperature"] == 1 and isinstance(kept["temperature_not_applied"], float)
    line = f"calibration    probabilities are kept as they are: temperature {kept['temperature_not_applied']:.3g} makes"
    assert line in said and " tiles that it was not fitted to; error " in said
    predict(scene, uneven, tmp_path / "raw")
    maps = [read(tmp_path / name / "scene_probability.tif") for name in ("kept", "raw")]
    assert np.array_equal(*maps)


@pytest.mark.parametrize("name", ["safetensors", "onnx"])
def test_an_exported_file_carries_its_calibration(
    name: str, hot: Path, scene: Path, patches: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"m.{name}"
    words = ("--model", hot, "--patches", patches, "--calibrated", "--format", name, "--out", out)
    done = run_here("export", *words)
    assert done.returncode == 0, done.stderr
    if name == "onnx":
        text = onnxruntime.InferenceSession(str(out)).get_modelmeta().custom_metadata_map["tilesweep"]
    else:
        with safe_open(out, framework="pt") as opened:
            text = opened.metadata()["tilesweep.export"]
    about = json.loads(text)
    found = about["calibration"]
    assert about["temperature"] == found["temperature"] and about["threshold"] == found["threshold"]
    assert f"calibrated     temperature {found['temperature']:.3g}; error" in done.stdout
    assert sorted(found["tiles"]) == [f"t{number}" for number in range(1, 6)]
    if name == "safetensors":  # needs no tiles any more
        predict(scene, out, tmp_path / "map", "--calibrated")
        assert settings(tmp_path / "map")["temperature"] == found["temperature"]
        assert settings(tmp_path / "map")["threshold"] == found["threshold"]


def test_probabilities_for_deepness_are_calibrated_ones(hot: Path, patches: Path, tmp_path: Path) -> None:
    for name, flags in (("raw", ()), ("right", ("--calibrated",))):
        words = ("--model", hot, "--patches", patches, "--for", "deepness", "--out", tmp_path / f"{name}.onnx", *flags)
        assert run_here("export", *words).returncode == 0
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).numpy()
    found = []
    for name in ("raw", "right"):
        session = onnxruntime.InferenceSession(str(tmp_path / f"{name}.onnx"))
        found.append(torch.from_numpy(session.run(None, {"image": image})[0]))
        about = json.loads(session.get_modelmeta().custom_metadata_map["tilesweep"])
    inner = (found[0] - 0.5).abs() < 0.49  # beyond it the digits do not tell logits apart
    expected = (found[0].logit() / about["temperature"]).sigmoid()
    torch.testing.assert_close(found[1][inner], expected[inner], atol=1e-3, rtol=0)


def test_without_tiles_there_is_no_calibration(hot: Path, scene: Path, tmp_path: Path) -> None:
    words = ("--model", hot, "--out", tmp_path / "out", "--device", "cpu", "--calibrated")
    assert_refused(
        run_here("predict", scene, *words), "--calibrated: cannot be fitted: name the dataset with --patches"
    )
    assert not (tmp_path / "out" / "predictions.json").exists()


def test_an_exported_file_says_that_its_probabilities_are_kept(uneven: Path, patches: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    words = ("--model", uneven, "--patches", patches, "--calibrated", "--format", "safetensors", "--out", out)
    done = run_here("export", *words)
    assert done.returncode == 0, done.stderr
    assert "not calibrated probabilities are kept as they are: temperature " in done.stdout
    with safe_open(out, framework="pt") as opened:
        about = json.loads(opened.metadata()["tilesweep.export"])
    assert about["temperature"] == 1 and "temperature" not in about["output"]["meaning"]
    card = card_path(out).read_text()
    assert "- Not calibrated: probabilities are kept as they are: " in card
    assert "- The probabilities are not calibrated." in card
    hyperparameters = json.loads(stac_path(out).read_text())["properties"]["mlm:hyperparameters"]
    assert hyperparameters["temperature_not_applied"] == about["calibration"]["not_applied"] != 1
