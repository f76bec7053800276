"""Maps of uncertainty: what their values are, and how the choice of what to label next takes them."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sweep.rasters.uncertainty_band import DISAGREEMENT, ENTROPY
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.rasters import write_tif
from trainables.checkpoints import load_best
from trainables.held_out import fold_models
from trainables.scoring import forward_on
from trainables.uncertainty import class_probabilities, entropy_share, with_disagreement

FOLDS = (("t1",), ("t2",), ("t3",))
SIZE = 128


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    root = write_dataset(tmp_path_factory.mktemp("data") / "patches", size=SIZE)
    assert run_here("patches", "check", "--patches", root).returncode == 0
    return root


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> dict[str, Path]:
    """One model, and three folds' models that are fifty times as sure as untrained ones, so that they disagree."""
    folder = tmp_path_factory.mktemp("models")
    one = write_best(folder / "one.safetensors", patches, "unet")
    folds = write_best(folder / "folds.safetensors", patches, "unet", folds=FOLDS)
    with safe_open(folds, framework="pt") as opened:
        metadata = opened.metadata()
    tensors = {name: 50 * one if ".head." in name else one for name, one in load_file(folds).items()}
    save_file(tensors, folds, metadata)
    return {"one": one, "folds": folds}


def predict(raster: Path, model: Path, out: Path, *flags: object) -> str:
    done = run_here("predict", raster, "--model", model, "--out", out, "--device", "cpu", *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(path: Path) -> tuple[np.ndarray, dict[str, str], float]:
    with rasterio.open(path) as raster:
        assert raster.nodata == 255 and raster.descriptions == ("uncertainty",)
        return raster.read(1), raster.tags(1), raster.scales[0]


def test_by_hand() -> None:
    even, sure = torch.tensor([[[[0.0]]]]), torch.tensor([[[[50.0]]]])
    assert entropy_share(class_probabilities(even)).item() == 1
    assert entropy_share(class_probabilities(sure)).item() < 1e-6
    assert entropy_share(class_probabilities(torch.zeros(1, 5, 1, 1))).item() == pytest.approx(1)
    # One says 0.9 and the other 0.1: the mean is even odds, and each alone has an entropy of 0.469 bits.
    forwards = [lambda images, one=one: torch.full((1, 1, 1, 1), one) for one in (math.log(9), -math.log(9))]
    found = with_disagreement(lambda images: torch.full((1, 1, 1, 1), 7.0), forwards)(torch.zeros(1))
    assert found.flatten().tolist() == pytest.approx([7.0, 1 - 0.4690], abs=1e-3)
    alike = with_disagreement(forwards[0], [forwards[0], forwards[0]])(torch.zeros(1))
    assert alike[0, 1].item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", ["one", "folds"])
def test_a_map_says_how_unsure_its_models_are(kind: str, models: dict[str, Path], tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(1, 256, (64, 64, 3), dtype=np.uint8)
    image[:8] = 0
    raster = write_tif(tmp_path / "city.tif", image, nodata=0)
    predict(raster, models[kind], tmp_path / "out", "--uncertainty", "--probability")
    predict(raster, models[kind], tmp_path / "plain", "--probability")
    values, tags, scale = read(tmp_path / "out" / "city_uncertainty.tif")
    assert tags["UNCERTAINTY"] == (ENTROPY if kind == "one" else DISAGREEMENT) and scale == 1 / 250
    known = image.any(axis=2)
    assert (values[~known] == 255).all() and (values[known] <= 250).all()
    filled = torch.tensor(image).permute(2, 0, 1)[None]
    model, best = load_best(models[kind])
    if kind == "one":
        with rasterio.open(tmp_path / "out" / "city_probability.tif") as file:
            share = file.read(1)[known] / 250
        lower, upper = (np.clip(share + step, 1e-9, 1 - 1e-9) for step in (0, 1 / 250))
        stacked = (torch.tensor(np.stack([1 - p, p]))[None, ..., None] for p in (lower, upper))
        both = [entropy_share(one)[0, :, 0].numpy() for one in stacked]
        found = values[known] / 250
        near_half = (lower < 0.5) & (upper > 0.5)
        assert (found >= np.minimum(*both) - 1 / 250 - 1e-6).all()
        assert (found <= np.where(near_half, 1.0, np.maximum(*both)) + 1e-6).all()
    else:
        forward = forward_on(model, torch.device("cpu"), torch.float32)
        members = [forward_on(member, torch.device("cpu"), torch.float32) for member, _ in fold_models(model, best)]
        inner = with_disagreement(forward, members)(filled)[0, 1].numpy()
        # Pixels without data are the mean colour to the models; far from them the maps agree.
        far = np.zeros_like(known)
        far[56:] = True
        assert values[far].max() > 0 and np.abs(values[far] / 250 - inner[far]).mean() < 0.05
    for layer in ("mask", "probability"):  # are as without
        with (
            rasterio.open(tmp_path / "out" / f"city_{layer}.tif") as one,
            rasterio.open(tmp_path / "plain" / f"city_{layer}.tif") as other,
        ):
            assert np.array_equal(one.read(1), other.read(1))


def test_a_photo_has_a_map_too_and_other_settings_are_other_maps(models: dict[str, Path], tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(photo)
    predict(photo, models["one"], tmp_path / "out", "--uncertainty")
    assert read(tmp_path / "out" / "photo_uncertainty.tif")[0].shape == (70, 90)
    words = ("predict", photo, "--model", models["one"], "--out", tmp_path / "out", "--device", "cpu")
    assert_refused(run_here(*words), "holds predictions made otherwise (uncertainty)")


def test_the_most_uncertain_windows_are_labelled_next(models: dict[str, Path], patches: Path, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for number in range(4):
        image = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(image).resize((SIZE, SIZE)).save(incoming / f"p{number}.png")
    predict(incoming, models["folds"], tmp_path / "map", "--uncertainty")
    words = ("next", incoming, "--model", models["one"], "--patches", patches, "--strategy", "uncertainty")
    done = run_here(*words, "--out", tmp_path / "next", "--uncertainty-map", tmp_path / "map")
    assert done.returncode == 0, done.stderr
    assert f"uncertainty    {tmp_path / 'map'}: {DISAGREEMENT}" in done.stdout
    means = {f"p{number}": read(tmp_path / "map" / f"p{number}_uncertainty.tif")[0].mean() / 250 for number in range(4)}
    with (tmp_path / "next" / "ranking.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == sorted(means, key=lambda name: -means[name])
    assert [float(row["entropy"]) for row in rows] == pytest.approx(sorted(means.values(), reverse=True), abs=1e-3)
    (tmp_path / "map" / "p2_uncertainty.tif").unlink()
    again = run_here(*words, "--out", tmp_path / "other", "--uncertainty-map", tmp_path / "map")
    assert_refused(again, f"--uncertainty-map {tmp_path / 'map'}: has no p2_uncertainty.tif; make it with python -m")
    assert not (tmp_path / "other").exists()


def test_maps_that_do_not_fit_are_refused(models: dict[str, Path], patches: Path, tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "city.tif", np.full((SIZE, SIZE, 3), 9, np.uint8))
    predict(raster, models["one"], tmp_path / "map", "--uncertainty")
    write_tif(raster, np.full((SIZE, 2 * SIZE, 3), 9, np.uint8))
    words = ("next", raster, "--model", models["one"], "--patches", patches, "--out", tmp_path / "next")
    done = run_here(*words, "--uncertainty-map", tmp_path / "map")
    assert_refused(done, "city_uncertainty.tif: is on another grid than ")
    done = run_here("next", "--replay", "--patches", patches, "--uncertainty-map", tmp_path / "map")
    assert_refused(done, "--replay asks its own models; leave it out")
