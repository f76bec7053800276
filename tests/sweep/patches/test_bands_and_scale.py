"""``make --bands`` and ``--scale``, and pixels without data: decided once for all images, said, and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from sweep.patches.rasters.choosing import ScaleRule, parse_bands, parse_scale
from tests.rasters import write_tif
from tests.sweep.patches.test_patches import _refused, _run, _split_file
from trainables.data.imagery import COLOURS, RGB
from trainables.data.tiles import TuningData
from trainables.errors import DataError

SIDE = 96
NAMES = ("a", "b", "c")
SPLIT = {"train": ["a"], "val": ["b"], "test": ["c"]}


def values_of(seed: int, bands: int = 4, top: int = 3000) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(50, top, (SIDE // 8, SIDE // 8, bands), dtype=np.uint16)
    return blocks.repeat(8, 0).repeat(8, 1)


def sources(folder: Path, images: dict[str, np.ndarray], colours: str = "", **profile: Any) -> None:
    """Write images, each with a mask whose left half is foreground."""
    (folder / "masks").mkdir(parents=True)
    for number, (name, pixels) in enumerate(images.items()):
        place = rasterio.transform.from_origin(500_000 + 1000 * number, 5_300_000, 0.3, 0.3)
        path = write_tif(folder / "images" / f"{name}.tif", pixels, transform=place, **profile)
        if colours:
            with rasterio.open(path, "r+") as file:
                file.colorinterp = [ColorInterp[one] for one in colours.split(",")]
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[:, : SIDE // 2] = 255
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


def command(tmp_path: Path, *more: str) -> list[object]:
    split = _split_file(tmp_path / "split.toml", **SPLIT)
    return ["make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--split", split, "--size", str(SIDE), *more]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_all_bands_of_16_bits_come_through_and_the_scale_is_in_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {name: values_of(seed) for seed, name in enumerate(NAMES)}
    sources(tmp_path / "in", images, "undefined,red,green,blue")
    assert _run(*command(tmp_path, "--bands", "all", "--scale", "2%,98%")) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.imagery.bands == (*COLOURS, "band 1") and data.imagery.stored == "uint16"
    ordered = {name: one[..., (1, 2, 3, 0)] for name, one in images.items()}
    with rasterio.open(tmp_path / "out/train/images/a.tif") as file:
        assert np.array_equal(np.moveaxis(file.read(), 0, 2), ordered["a"])
    ends = np.percentile(np.concatenate([one.reshape(-1, 4) for one in ordered.values()]), (2, 98), axis=0).T
    assert np.allclose(data.imagery.scale or (), ends)
    expected = ((ordered["b"] - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * 255).clip(0, 255)
    assert np.abs(data.val[0].image - expected).max() <= 0.51
    assert f"values at 2 % and 98 % of {3 * SIDE * SIDE:,} pixels of 3 images become 0 and 255: red" in said(capsys)
    assert _run("check", "--patches", tmp_path / "out") == 0


def test_bands_by_number_are_red_green_blue_and_more(tmp_path: Path) -> None:
    sources(tmp_path / "in", {name: (values_of(seed) // 16).astype(np.uint8) for seed, name in enumerate(NAMES)})
    assert _run(*command(tmp_path, "--bands", "3,2,1,4")) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.imagery.bands == (*COLOURS, "band 4") and data.imagery.stored == "uint8"
    assert np.array_equal(data.train[0].image, (values_of(0) // 16).astype(np.uint8)[..., (2, 1, 0, 3)])


def test_three_bands_by_number_are_8_bit_rgb_as_ever(tmp_path: Path) -> None:
    sources(tmp_path / "in", {name: (values_of(seed, 5) // 16).astype(np.uint8) for seed, name in enumerate(NAMES)})
    assert _run(*command(tmp_path, "--bands", "5,3,1")) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.imagery == RGB and (tmp_path / "out/train/images/a.jpg").exists()
    assert np.abs(data.train[0].image.astype(int) - (values_of(0, 5) // 16)[..., (4, 2, 0)]).max() <= 12


def test_a_fixed_scale_is_that_of_every_band_and_floats_are_stored_as_bytes(tmp_path: Path) -> None:
    images = {name: values_of(seed, 3).astype(np.float32) / 3000 for seed, name in enumerate(NAMES)}
    sources(tmp_path / "in", images)
    assert _run(*command(tmp_path, "--scale", "0.1,0.9")) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.imagery.scale == ((0.1, 0.9),) * 3 and data.imagery.stored == "uint8"
    expected = ((images["a"] - 0.1) / 0.8 * 255).clip(0, 255)
    assert np.abs(data.train[0].image - expected).max() <= 0.51


def test_a_fourth_band_is_left_out_in_one_line_and_grey_is_three_bands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {name: (values_of(seed) // 16).astype(np.uint8) for seed, name in enumerate(NAMES)}
    sources(tmp_path / "in", images, "red,green,blue,undefined")
    write_tif(tmp_path / "in/images/c.tif", images["c"][..., :1], crs=None, transform=None)
    assert _run(*command(tmp_path)) == 0
    text = said(capsys)
    assert "2 images with more bands: red, green and blue are taken; --bands all takes all (a, b)" in text
    assert "1 grey image: red, green and blue are alike (c)" in text
    data = TuningData.read(tmp_path / "out")
    assert data.imagery == RGB and data.train[0].image.shape == (SIDE, SIDE, 3)


def test_pixels_without_data_are_ignored_in_the_masks_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {name: (values_of(seed, 3) // 16 + 1).astype(np.uint8) for seed, name in enumerate(NAMES)}
    images["a"][:16] = 0
    images["b"][:, :8, 0] = 0  # black in one band is a colour
    sources(tmp_path / "in", images, nodata=0)
    assert _run(*command(tmp_path)) == 0
    assert "1 image with pixels that hold nothing (declared no data, transparent, masked): these are" in said(capsys)
    data = TuningData.read(tmp_path / "out")
    assert data.task.ignores
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[:, : SIDE // 2] = 1
    assert np.array_equal(data.val[0].mask, expected)
    expected[:16] = 255
    assert np.array_equal(data.train[0].mask, expected)


def test_an_alpha_band_hides_pixels_unless_it_is_asked_for_as_a_band(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {name: (values_of(seed) // 16 + 1).astype(np.uint8) for seed, name in enumerate(NAMES)}
    images["a"][:10, :, 3] = 0
    sources(tmp_path / "in", images, "red,green,blue,alpha")
    assert _run(*command(tmp_path)) == 0
    assert "such as near infrared, --bands 1,2,3,4 takes it (a, b, c)" in said(capsys)
    assert (TuningData.read(tmp_path / "out").train[0].mask[:10] == 255).all()
    assert _run(*command(tmp_path, "--bands", "1,2,3,4", "--force")) == 0
    data = TuningData.read(tmp_path / "out")
    assert not data.task.ignores and np.array_equal(data.train[0].image, images["a"])


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--scale", "98%,2%"], "--scale 98%,2%: give the values"),
        (["--scale", "1,x"], "--scale 1,x: give the values"),
        (["--bands", "0,1,2"], "--bands 0,1,2: give all, or numbers from 1"),
        (["--bands", "1,2,9"], "--bands 1,2,9: name three of"),
        ([], "has 4 bands of uint16"),
    ],
)
def test_bad_bands_and_scales_are_one_line(tmp_path: Path, flags: list[str], line: str) -> None:
    sources(tmp_path / "in", {name: values_of(seed) for seed, name in enumerate(NAMES)}, "red,green,blue,undefined")
    _refused(line, *command(tmp_path, *flags))
    assert not (tmp_path / "out").exists()


def test_images_of_another_number_of_bands_are_refused(tmp_path: Path) -> None:
    images = {name: (values_of(seed) // 16).astype(np.uint8) for seed, name in enumerate(NAMES)}
    sources(tmp_path / "in", images, "red,green,blue,undefined")
    write_tif(tmp_path / "in/images/c.tif", images["c"][..., :3])
    _refused("c.tif: has 3 bands of uint8", *command(tmp_path, "--bands", "all", "--scale", "0,255"))


@pytest.mark.parametrize("text", ["0,3000", " -0.5 , 1e3 ", "2%,98%"])
def test_scales_are_parsed(text: str) -> None:
    expected = {"0,3000": (0, 3000), " -0.5 , 1e3 ": (-0.5, 1000), "2%,98%": (2, 98)}[text]
    assert parse_scale(text) == ScaleRule(low=expected[0], high=expected[1], percent="%" in text)


@pytest.mark.parametrize("text", ["1e999,2", "nan,1", "1,1", "2%,98", "-1%,50%", "0%,101%", "5", "9" * 5000])
def test_scales_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="--scale"):
        parse_scale(text)


def test_bands_are_parsed() -> None:
    assert parse_bands("") == () and parse_bands("all") == "all" and parse_bands("3, 2,1") == (3, 2, 1)
    for text in ("1,,2", "0", "x", "1" * 9, "²"):
        with pytest.raises(DataError, match="--bands"):
            parse_bands(text)
