"""Imagery that is not 8-bit RGB: stored without loss, read by the manifest's word, and refused where they differ."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from sweep.patches.folders import write_tile
from tests.rasters import write_tif
from trainables.data.decoding import decode_image
from trainables.data.imagery import COLOURS, RGB, Imagery, to_bytes
from trainables.data.manifest import Manifest
from trainables.data.tiles import Tile, TuningData
from trainables.errors import DataError
from trainables.task import Task

NIR = Imagery(bands=(*COLOURS, "nir"), scale=((100, 1100), (0, 2550), (0, 255), (50, 60)), stored="uint16")
SIDE = 64


def test_scaling_is_linear_clips_and_rounds() -> None:
    values = np.array([[[0.0], [100.0], [600.0], [1100.0], [5000.0], [np.nan]]])
    assert to_bytes(values, ((100, 1100),)).ravel().tolist() == [0, 0, 128, 255, 255, 0]
    assert to_bytes(values[:, :2].astype(np.uint8), None).ravel().tolist() == [0, 100]


@pytest.mark.parametrize("side", [100, 300])
def test_a_table_of_16_bits_gives_the_values_of_the_formula(side: int) -> None:
    values = np.random.default_rng(0).integers(0, 65_536, (side, side, 2), dtype=np.uint16)
    scale = ((100.5, 20_000), (0, 65_535))
    assert np.array_equal(to_bytes(values, scale), to_bytes(values.astype(np.float32), scale))


@pytest.mark.parametrize("imagery", [NIR, replace(NIR, stored="uint8"), Imagery(bands=("grey",))], ids=str)
def test_a_tile_comes_back_without_loss(tmp_path: Path, imagery: Imagery) -> None:
    dtype = np.dtype(imagery.stored)
    shape = (SIDE, SIDE, len(imagery.bands))
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    for kind in ("images", "masks"):
        (tmp_path / "train" / kind).mkdir(parents=True)
    write_tile(tmp_path, "train", "a", values, np.eye(SIDE, dtype=np.uint8), Task(), imagery)
    path = tmp_path / "train/images/a.tif"
    assert np.array_equal(tifffile.imread(path).reshape(shape), values)
    assert np.array_equal(decode_image(path.read_bytes(), path, imagery), imagery.scaled(values))


def test_the_manifest_keeps_it_and_says_nothing_of_8_bit_rgb(tmp_path: Path) -> None:
    manifest = Manifest(name="n", origin="", licence="", version="1", synthetic=False, splits={}, files={}, imagery=NIR)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    replace(manifest, imagery=RGB).write(tmp_path)
    assert "imagery" not in json.loads((tmp_path / "manifest.json").read_text())
    found = Manifest.read(tmp_path)
    assert found is not None and found.imagery == RGB


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"bands": []}, "0 bands"),
        ({"bands": ["a", "a"]}, "names must differ"),
        ({"bands": ["nir", "red", "green", "blue"]}, "must be the first three"),
        ({"bands": ["\x1b"]}, "printable"),
        ({"stored": "float32"}, "it must be uint8 or uint16"),
        ({"stored": "uint16"}, "without a scale"),
        ({"scale": [[0, 1]]}, "scale of 1 bands where there are 3"),
        ({"scale": [[0, 1], [0, 1], [1, 1]]}, "scale of blue is 1,1"),
        ({"scale": [[0, 1], [0, 1], [0]]}, "give two values per band"),
        ({"scale": [[0, 1], [0, 1], [0, float("inf")]]}, "scale of blue"),
        ({"depth": 8}, "'depth' does not exist"),
        ({"bands": 3}, "bands"),
    ],
)
def test_a_manifest_with_imagery_that_cannot_be_is_refused(tmp_path: Path, values: Any, said: str) -> None:
    manifest = Manifest(name="n", origin="", licence="", version="1", synthetic=False, splits={}, files={})
    manifest.write(tmp_path)
    document = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**document, "imagery": values}))
    with pytest.raises(DataError, match=f"manifest.json: imagery: .*{re.escape(said)}"):
        Manifest.read(tmp_path)


def _with_nir(dataset: Path) -> None:
    """Give a dataset of 8-bit RGB tiles a fourth band and 16 bits."""
    for path in sorted(dataset.glob("*/images/*.png")):
        pixels = np.asarray(Image.open(path)).astype(np.uint16)
        write_tif(path.with_suffix(".tif"), np.dstack([pixels * 4 + 100, pixels[..., 0] // 25 + 50]))
        path.unlink()


def _manifest_of(dataset: Path) -> Manifest:
    files = {
        path.relative_to(dataset).as_posix(): {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in dataset.glob("*/*/*")
    }
    return Manifest(name="n", origin="", licence="", version="1", synthetic=False, splits={}, files=files, imagery=NIR)


def test_a_dataset_of_four_bands_of_16_bits_is_read_as_bytes(dataset: Path) -> None:
    before = TuningData.read(dataset)
    _with_nir(dataset)
    with pytest.raises(DataError, match=r"t1.tif: has 4 bands of uint16, but the dataset's manifest says 8-bit RGB"):
        TuningData.read(dataset)
    _manifest_of(dataset).write(dataset)
    data = TuningData.read(dataset)
    assert data.imagery == NIR and data.fingerprint != before.fingerprint
    tile, old = data.train[0], before.train[0]
    assert tile.image.shape == (*tile.mask.shape, 4) and tile.image.dtype == np.uint8
    red = np.minimum(np.round(old.image[..., 0].astype(float) * 4 / 1000 * 255), 255)
    assert np.abs(tile.image[..., 0] - red).max() <= 1
    assert np.array_equal(tile.picture, tile.image[..., :3])


@pytest.mark.parametrize(
    ("bands", "dtype", "said"),
    [(3, "uint16", "3 bands of uint16"), (4, "uint8", "4 bands of uint8"), (4, "float32", "4 bands of float32")],
)
def test_another_tiff_than_the_manifest_says_is_refused(tmp_path: Path, bands: int, dtype: str, said: str) -> None:
    path = write_tif(tmp_path / "a.tif", np.zeros((SIDE, SIDE, bands), dtype))
    with pytest.raises(DataError, match=f"a.tif: has {said}, but the dataset's manifest says 4 bands of uint16"):
        decode_image(path.read_bytes(), path, NIR)


def test_an_8_bit_rgb_tiff_is_a_tile_like_a_png(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    path = write_tif(tmp_path / "a.tif", pixels, compress="lzw", interleave="band")
    assert np.array_equal(decode_image(path.read_bytes(), path), pixels)


def test_a_png_where_the_manifest_says_four_bands_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((SIDE, SIDE, 3), np.uint8)).save(path)
    with pytest.raises(DataError, match=r"a.png: is RGB, but the dataset's manifest says 4 bands of uint16"):
        decode_image(path.read_bytes(), path, NIR)


@pytest.mark.parametrize("left", [0.02, 0.5, 0.95])
def test_a_truncated_tiff_is_refused(tmp_path: Path, left: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 65_536, (SIDE, SIDE, 4), dtype=np.uint16)
    path = write_tif(tmp_path / "a.tif", pixels)
    with pytest.raises(DataError, match=r"a.tif: truncated or not a picture"):
        decode_image(path.read_bytes()[: int(path.stat().st_size * left)], path, NIR)


def test_a_picture_of_one_band_is_grey() -> None:
    grey = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
    tile = Tile(name="a", image=grey, mask=np.zeros((2, 2), np.uint8))
    assert tile.picture.tolist() == [[[0] * 3, [1] * 3], [[2] * 3, [3] * 3]]
