"""Imagery of four bands from GeoTIFFs to map and exported file, by the commands that users type."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import rasterio
import torch
from PIL import Image

from tests.bands import BANDS, BYTES, WORDS, make_nir, write_scene
from tests.commands import Run, assert_refused
from trainables.checkpoints import load_best, read_best
from trainables.data.tiles import TuningData

SMOKE = ("--profile", "smoke", "--max-concurrent", 1)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, run: Run, here: Run) -> Path:
    """A folder with tiles cut from 16 bits and a scored sweep of them, which was stopped and resumed on its way."""
    folder = tmp_path_factory.mktemp("nir")
    patches, storage = make_nir(here, folder, WORDS, "--scale", "2%,98%"), ("--storage", folder / "results")
    refused = here("phase1", *SMOKE, "--patches", patches, *storage)
    assert_refused(
        refused,
        "nir: its tiles have 4 bands of uint16 (red, green, blue, nir), and encoders of foundation models take "
        "three; leave sam_vit_b_conv, sam_vit_b_unet out with "
        "--architectures unet,smp_unet_resnet34,smp_deeplabv3plus_resnet34, or",
    )
    advised = re.findall(r"--architectures \S+(?=, or)", refused.stderr)
    plan = here("phase1", *SMOKE, *advised[0].split(), "--patches", patches, "--plan", *storage)
    assert plan.returncode == 0, plan.stderr
    said = "bands: 4 bands of uint16 (red, green, blue, nir); augmentation changes the colours of red, green and blue"
    assert said in plan.stdout
    grid = (*SMOKE, "--architectures", "unet,smp_unet_resnet34", "--patches", patches)
    stopped = run("phase1", *grid, "--budget", "0.00001cpu-hours", *storage)
    assert stopped.returncode == 0 and "stopped by --budget" in stopped.stdout, stopped.stdout + stopped.stderr
    done = run("phase1", "--resume", "phase1-smoke", *storage)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 bands of uint16" in stopped.stdout + stopped.stderr
    scored = here("score", "phase1-smoke", *storage)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    return folder


def test_a_sweep_says_which_bands_it_saw(swept: Path) -> None:
    folder = swept / "results" / "phase1-smoke"
    data = json.loads((folder / "sweep.json").read_text())["data"]
    imagery = TuningData.read(swept / "patches").imagery
    assert (imagery.bands, imagery.stored) == (BANDS, "uint16")
    scale = [list(one) for one in imagery.scale or ()]
    assert data["imagery"] == {"bands": list(BANDS), "scale": scale, "stored": "uint16"}
    for attempt in ("unet", "smp_unet_resnet34"):
        assert read_best(folder / attempt / "best.safetensors").imagery == imagery
        predictions = folder / attempt / "predictions" / "val"
        for kind in ("overlays", "images"):
            (shown,) = (predictions / kind).glob("*.jpg")
            assert np.asarray(Image.open(shown)).shape == (64, 64, 3)


def test_each_band_is_scaled_by_its_own_percentiles_of_all_images(swept: Path) -> None:
    found = []
    for path in sorted((swept / "in" / "images").glob("*.tif")):
        with rasterio.open(path) as file:
            found.append(file.read().reshape(4, -1))
    ends = np.percentile(np.concatenate(found, axis=1), (2, 98), axis=1).T
    assert np.allclose(TuningData.read(swept / "patches").imagery.scale or (), ends, rtol=1e-6)


def test_a_report_shows_the_bands(swept: Path, here: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = here("report", "phase1-smoke", "--storage", swept / "results", "--out", page)
    assert done.returncode == 0, done.stderr
    assert "4 bands of uint16 (red, green, blue, nir)" in page.read_text()


def test_a_raster_of_four_bands_becomes_a_map(swept: Path, here: Run, tmp_path: Path) -> None:
    write_scene(tmp_path / "scene.tif", WORDS)
    out = tmp_path / "out"
    done = here(
        "predict", tmp_path / "scene.tif", "--out", out, "--model", "phase1-smoke", "--storage", swept / "results"
    )
    assert done.returncode == 0, done.stderr
    with rasterio.open(out / "scene_mask.tif") as file:
        assert file.shape == (160, 160) and set(np.unique(file.read(1))) <= {0, 1}


def test_an_exported_file_takes_four_bands_and_says_how_they_were_scaled(
    swept: Path, here: Run, tmp_path: Path
) -> None:
    out = tmp_path / "m.onnx"
    done = here("export", "--model", "phase1-smoke/smp_unet_resnet34", "--storage", swept / "results", "--out", out)
    assert done.returncode == 0, done.stderr
    assert (
        "image: uint8 red, green, blue, nir scaled from the imagery's values (batch, 4, height, width)" in done.stdout
    )
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["tilesweep"])["input"]
    assert about["shape"] == ["batch", 4, "height", "width"] and about["bands"] == list(BANDS)
    data = TuningData.read(swept / "patches")
    assert about["scale"] == [list(one) for one in data.imagery.scale or ()]
    tile = data.val[0]
    image = torch.tensor(tile.image).permute(2, 0, 1)[None]
    model, _ = load_best(swept / "results" / "phase1-smoke" / "smp_unet_resnet34" / "best.safetensors")
    with torch.inference_mode():
        expected = model(image.float() / 255)
    (found,) = session.run(["logits"], {"image": image.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_folds_of_four_bands_of_bytes_are_cross_validated_and_predicted_with(
    run: Run, here: Run, tmp_path: Path
) -> None:
    patches, storage = make_nir(here, tmp_path, BYTES), ("--storage", tmp_path / "results")
    done = run("phase1", *SMOKE, "--architectures", "unet", "--folds", 2, "--patches", patches, *storage)
    assert done.returncode == 0, done.stdout + done.stderr
    write_scene(tmp_path / "scene.tif", BYTES)
    out = tmp_path / "out"
    predicted = here("predict", tmp_path / "scene.tif", "--out", out, "--model", "phase1-smoke", "--tta", *storage)
    assert predicted.returncode == 0, predicted.stderr
    assert "out-of-fold IoU" in predicted.stdout
