"""``tilesweep.load``: an array is predicted as the command predicts a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tilesweep
from tests.commands import Run
from tests.shared_sweeps import SharedSweep


def _image(height: int = 150, width: int = 210) -> np.ndarray:
    blocks = np.random.default_rng(0).integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    return blocks.repeat(10, 0).repeat(10, 1)


def test_an_array_is_predicted_as_its_file(scored: SharedSweep, here: Run, tmp_path: Path) -> None:
    image = _image()
    Image.fromarray(image).save(tmp_path / "photo.png")
    out = tmp_path / "maps"
    words = (tmp_path / "photo.png", "--model", scored.name, "--storage", scored.storage, "--out", out)
    done = here("predict", *words, "--probability")
    assert done.returncode == 0, done.stderr
    model = tilesweep.load(scored.name, storage=scored.storage)
    found = model.predict(image)
    (mask,) = out.glob("photo*mask*.png")
    written = np.asarray(Image.open(mask))
    assert found.mask.shape == found.probability.shape == image.shape[:2] and found.mask.dtype == np.uint8
    np.testing.assert_array_equal(found.mask > 0, written > 0)
    assert found.classes == model.classes == ("background", "foreground") and model.bands == ("red", "green", "blue")
    assert ((found.probability >= 0.5) == (found.mask == 1)).all()
    assert (model.predict(image, threshold=0.9).mask <= found.mask).all()


def test_one_trial_and_a_file_are_models_too(scored: SharedSweep) -> None:
    weights = next(scored.experiment.glob("unet/**/*.safetensors"))
    one = tilesweep.load(f"{scored.name}/unet", storage=scored.storage).predict(_image())
    other = tilesweep.load(weights).predict(_image())
    np.testing.assert_array_equal(one.probability, other.probability)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image: image[..., :2], r"image: is \(150, 210, 2\) of uint8; give \(H, W, 3\) of uint8 \(red, green"),
        (lambda image: image[..., 0], r"image: is \(150, 210\) of uint8"),
        (lambda image: image / 255, r"image: is \(150, 210, 3\) of float64"),
        (lambda image: image.tolist(), r"image: is \(150, 210, 3\) of list"),
        (lambda image: image[:0], r"image: is 210x0; give 1 to 32,768 pixels per side"),
    ],
)
def test_another_array_is_one_line(scored: SharedSweep, change: Callable[[np.ndarray], Any], said: str) -> None:
    model = tilesweep.load(f"{scored.name}/unet", storage=scored.storage)
    with pytest.raises(tilesweep.Error, match=said):
        model.predict(change(_image()))


def test_thresholds_and_names_that_make_no_sense_are_one_line(scored: SharedSweep) -> None:
    model = tilesweep.load(f"{scored.name}/unet", storage=scored.storage)
    for threshold in (0.0, 1.0, float("nan")):
        with pytest.raises(tilesweep.Error, match="threshold"):
            model.predict(_image(), threshold=threshold)
    with pytest.raises(tilesweep.Error, match="none"):
        tilesweep.load(f"{scored.name}/none", storage=scored.storage)
