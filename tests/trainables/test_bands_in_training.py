"""Tiles of four bands are trained, resumed, cross-validated, kept and drawn as those of three are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.bands import BANDS, OF, WORDS, write_nir
from tests.models import write_best
from trainables.checkpoints import dump_state, load_best, parse_state, read_best
from trainables.cross_validation import start_training
from trainables.data.folds import Fold
from trainables.data.imagery import RGB
from trainables.data.tiles import TuningData
from trainables.epochs import Training
from trainables.errors import ExperimentError
from trainables.models.weights import Weights
from trainables.overlays import draw_row, encode_prediction
from trainables.recipe import Recipe

FOLDS = (Fold(val=("t1", "t2"), train=("t3", "t4", "t5")), Fold(val=("t3", "t4", "t5"), train=("t1", "t2")))


@pytest.fixture(scope="module", params=OF)
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TuningData:
    return TuningData.read(write_nir(tmp_path_factory.mktemp("nir") / "patches", OF[request.param]))


def _recipe(**fields: Any) -> Recipe:
    fields = {
        "architecture": "unet",
        "model_size": "tiny",
        "crop_size": 64,
        "draws_per_epoch": 8,
        "batch_size": 4,
        "augmentation": "EXTREME",
        "learning_rate": 0.01,
        **fields,
    }
    return Recipe(**fields)


def _start(data: TuningData, recipe: Recipe, folds: tuple[Fold, ...] = ()) -> Training:
    weights = Weights(kind="none" if recipe.architecture == "unet" else "random")
    return start_training(recipe, data.pooled() if folds else data, folds, torch.device("cpu"), weights, workers=1)


def test_values_of_16_bits_are_read_as_bytes_by_each_band_s_scale(data: TuningData) -> None:
    tile = data.train[0]
    assert tile.image.shape == (64, 64, 4) and tile.image.dtype == np.uint8 and data.imagery.bands == BANDS
    nir = tile.image[..., 3]
    assert nir[tile.mask == 1].min() >= 199 and nir[tile.mask == 0].max() <= 60


@pytest.mark.parametrize("architecture", ["unet", "smp_unet_resnet34"])
def test_near_infrared_is_learnt_from(data: TuningData, architecture: str) -> None:
    """Red, green and blue are noise, so a model that does not see the fourth band cannot learn."""
    trainer = _start(data, _recipe(architecture=architecture, augmentation="LIGHT", draws_per_epoch=32))
    for _ in range(6):
        report = trainer.train_epoch()
    assert report.val_iou > 0.8


@pytest.mark.parametrize("folds", [(), FOLDS], ids=["one", "folds"])
def test_a_resumed_training_takes_the_same_steps(data: TuningData, folds: tuple[Fold, ...]) -> None:
    unbroken = _start(data, _recipe(), folds)
    expected = [unbroken.train_epoch().train_loss for _ in range(3)]
    first = _start(data, _recipe(), folds)
    first.train_epoch()
    second = _start(data, _recipe(), folds)
    second.load_state_dict(parse_state(dump_state(first.state_dict()), "state"))
    assert [second.train_epoch().train_loss for _ in range(2)] == expected[1:]


def test_pictures_show_red_green_and_blue(data: TuningData) -> None:
    trainer = _start(data, _recipe(draws_per_epoch=2, batch_size=2))
    trainer.train_epoch()
    (scored,) = trainer.preview(1)
    assert draw_row(scored, 64).shape == (64, 192, 3)
    assert np.array_equal(draw_row(scored, 64)[:, :64], scored.tile.image[..., :3])
    assert set(encode_prediction(scored)) >= {"overlays/t4.jpg", "images/t4.jpg"}


@pytest.mark.parametrize("architecture", ["unet", "smp_unet_resnet34"])
@pytest.mark.parametrize("folds", [(), (("t1",), ("t2", "t3"))], ids=["one", "folds"])
def test_a_weights_file_brings_its_bands_back(tmp_path: Path, architecture: str, folds: Any) -> None:
    patches = write_nir(tmp_path / "patches", WORDS)
    file = write_best(tmp_path / "best.safetensors", patches, architecture, folds=folds)
    assert read_best(file).imagery == WORDS
    model, best = load_best(file)
    assert best.imagery == WORDS and model(torch.rand(1, 4, 64, 64)).shape == (1, 1, 64, 64)
    assert model.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406, 0.449])


def test_a_file_that_says_nothing_of_bands_is_of_rgb(tmp_path: Path, dataset: Path) -> None:
    import json

    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    file = write_best(tmp_path / "best.safetensors", dataset, "unet")
    assert read_best(file).imagery == RGB
    with safe_open(file, framework="pt") as opened:
        values = json.loads(opened.metadata()["tilesweep"])
    for imagery, said in (
        ({}, None),
        ({"bands": ["red", "red"]}, "names must differ"),
        ({"bands": ["a"] * 0}, "bands"),
    ):
        save_file(load_file(file), file, {"tilesweep": json.dumps({**values, "imagery": imagery})})
        if said is None:
            assert load_best(file)[1].imagery == RGB
        else:
            with pytest.raises(ExperimentError, match=said):
                read_best(file)


def test_other_bands_are_another_fingerprint(tmp_path: Path) -> None:
    first, second = (TuningData.read(write_nir(tmp_path / name, OF[name])) for name in OF)
    assert len({first.fingerprint, second.fingerprint}) == 2
    manifest = tmp_path / "uint16" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("6000.0", "6001.0"))
    assert TuningData.read(tmp_path / "uint16").fingerprint != second.fingerprint
