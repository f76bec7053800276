"""A model of four bands of 16 bits maps rasters whose bands it finds by name, with the scale of its tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.bands import BYTES, SCALES, WORDS, draw, write_nir, write_scene
from tests.commands import Run, assert_refused
from tests.models import write_best
from tests.rasters import write_tif
from trainables.checkpoints import BestWeights, dump_best, load_best
from trainables.data.imagery import RGB, to_bytes
from trainables.data.tiles import TuningData
from trainables.inference import choose_device, ready
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.training import Trainer
from trainables.windows import predict_by_windows


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a U-Net that has learnt that near infrared decides."""
    folder = tmp_path_factory.mktemp("nir")
    data = TuningData.read(write_nir(folder / "patches", WORDS))
    recipe = Recipe(
        architecture="unet",
        model_size="tiny",
        crop_size=64,
        draws_per_epoch=32,
        augmentation="LIGHT",
        learning_rate=0.01,
    )
    weights = Weights(kind="none")
    trainer = Trainer(recipe, data, torch.device("cpu"), weights, workers=1)
    for _ in range(6):
        trainer.train_epoch()
    described = BestWeights(
        recipe=recipe,
        weights=weights,
        epoch=trainer.best.epoch,
        val_iou=trainer.best.iou,
        data_fingerprint=data.fingerprint,
        imagery=data.imagery,
    )
    (folder / "best.safetensors").write_bytes(dump_best(trainer.best_state, described))
    return folder / "best.safetensors"


def _predict(here: Run, best: Path, raster: Path, *arguments: object) -> NDArray[np.int64]:
    """Return probabilities in 250ths."""
    out = raster.with_suffix("")
    done = here("predict", raster, "--out", out, "--model", best, "--probability", "--overwrite", *arguments)
    assert done.returncode == 0, done.stderr
    with rasterio.open(out / f"{raster.stem}_probability.tif") as file:
        return np.asarray(file.read(1), dtype=np.int64)


def test_a_raster_is_scaled_and_ordered_like_the_tiles(best: Path, here: Run, tmp_path: Path) -> None:
    values, mask = draw(99, WORDS, 160)
    model, described = load_best(best)
    image = torch.from_numpy(to_bytes(values, SCALES)).permute(2, 0, 1)
    forward = ready(model, described.recipe, choose_device("cpu"))
    (logits,) = predict_by_windows(forward, [image], window=described.recipe.crop_size)
    expected = (logits[0].sigmoid() * 250).floor().numpy().astype(int)
    assert ((expected >= 125) == mask).mean() > 0.9

    def off(name: str, *arguments: object, order: tuple[int, ...] = (0, 1, 2, 3), named: bool = True) -> int:
        write_scene(tmp_path / name, WORDS, order=order, named=named)
        return int(np.abs(_predict(here, best, tmp_path / name, *arguments) - expected).max())

    assert off("plain.tif") <= 1
    assert off("unnamed.tif", named=False) <= 1
    assert off("bgrn.tif", order=(2, 1, 0, 3)) <= 1
    assert off("reversed.tif", "--bands", "4,3,2,1", order=(3, 2, 1, 0), named=False) <= 1
    assert off("wrong.tif", order=(3, 2, 1, 0), named=False) > 20, "other bands show another scene"
    assert off("other.tif", "--scale", "0,6000") > 20, "and so does another scale"


def test_a_picture_s_overlay_shows_three_bands(best: Path, here: Run, tmp_path: Path) -> None:
    tile = tmp_path / "tile.tif"
    with rasterio.open(tile, "w", driver="GTiff", width=64, height=64, count=4, dtype="uint16") as file:
        file.write(draw(7, WORDS)[0].transpose(2, 0, 1))
    done = here("predict", tile, "--out", tmp_path / "out", "--model", best)
    assert done.returncode == 0, done.stderr
    assert np.asarray(Image.open(tmp_path / "out" / "tile_overlay.jpg")).shape == (64, 64, 3)
    taken = "red 0 to 3000, green 0 to 3000, blue 0 to 3000, nir 500 to 6000 become 0 to 255, as in the tiles that were"
    assert taken in done.stdout + done.stderr
    said = here("predict", tile, "--out", tmp_path / "other", "--model", best, "--scale", "0,6000")
    assert "0 to 6000 become 0 to 255, as --scale says" in said.stdout + said.stderr


def test_a_raster_that_does_not_fit_is_refused_in_a_line(best: Path, here: Run, tmp_path: Path) -> None:
    model = ("--model", best, "--out", tmp_path / "out")
    rgb = write_tif(tmp_path / "rgb.tif", np.zeros((64, 64, 3), np.uint16))
    assert_refused(here("predict", rgb, *model), "red, green, blue and nir are needed; take a raster that has them")
    assert_refused(here("predict", rgb, "--bands", "1,2,3", *model), "--bands 1,2,3: name four of")
    write_scene(tmp_path / "bytes.tif", BYTES)
    refused = here("predict", tmp_path / "bytes.tif", *model)
    assert_refused(
        refused, "bytes.tif: its bands are uint8, but the model's tiles were made of values from 500 to 6000"
    )
    assert "--scale 0,255" in refused.stderr
    done = here("predict", tmp_path / "bytes.tif", *model, "--scale", "0,255")
    assert done.returncode == 0, done.stderr


def test_models_of_other_bands_are_no_ensemble(best: Path, tmp_path: Path, dataset: Path) -> None:
    from sweep.results.ensemble import Ensemble
    from sweep.results.trained_models import find_models
    from trainables.errors import ExperimentError
    from trainables.storage import Storage

    plain = write_best(tmp_path / "plain.safetensors", dataset, "unet")
    assert load_best(plain)[1].imagery == RGB
    chosen = [find_models(Storage.open(str(tmp_path)), str(one))[0] for one in (best, plain)]
    with pytest.raises(
        ExperimentError, match=r"--ensemble 2: .*plain.* was trained on 8-bit RGB, .* on 4 bands of uint16"
    ):
        Ensemble.load(chosen, device="cpu", batch_size=None, tta=False)
