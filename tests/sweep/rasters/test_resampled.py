"""A raster at another resolution: the same ground, nothing moved, what is nothing mixed into nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from sweep.rasters.opening import open_raster
from sweep.rasters.raster import Raster
from sweep.rasters.resampled import Resampled, in_metres
from sweep.rasters.validity import Validity
from tests.rasters import write_tif
from trainables.errors import DataError

HERE = Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)
NOISE: NDArray[np.uint8] = np.random.default_rng(3).integers(1, 255, (90, 120, 3), dtype=np.uint8)


@contextmanager
def at(metres: float, path: Path, validity: Validity | None = None) -> Iterator[Raster]:
    with open_raster(str(path), validity=validity or Validity()) as raster:
        yield Resampled.at(raster, metres, path.name)


def whole(raster: Raster) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    pixels = raster.read((0, raster.height), (0, raster.width))
    return pixels.image, pixels.valid


def test_twice_as_large_pixels_are_means_around_their_middles_and_begin_in_the_same_corner(tmp_path: Path) -> None:
    """By hand: the triangle over four pixels of a side is 1, 3, 3, 1 eighths."""
    path = write_tif(tmp_path / "a.tif", NOISE)
    with at(0.6, path) as raster:
        image, valid = whole(raster)
        assert raster.transform.almost_equals(HERE @ Affine.scale(2)) and valid.all()
        assert image.shape == (3, 45, 60) and raster.georeferenced
    weights = np.array([1, 3, 3, 1]) / 8
    part = NOISE[19:23, 39:43].astype(float)
    expected = np.einsum("i,ijc,j->c", weights, part, weights)
    assert np.abs(image[:, 10, 20] - expected).max() <= 0.51


def test_finer_pixels_are_between_those_of_the_file(tmp_path: Path) -> None:
    slope = np.tile((10 + 2 * np.arange(100, dtype=np.uint8))[None, :, None], (40, 1, 3))
    with at(0.15, write_tif(tmp_path / "a.tif", slope)) as raster:
        image, valid = whole(raster)
    assert image.shape == (3, 80, 200) and valid.all()
    middles = (np.arange(200) + 0.5) / 2 - 0.5
    assert np.abs(image[0, 40, 2:-2] - (10 + 2 * middles)[2:-2]).max() <= 0.51


@pytest.mark.parametrize("metres", [0.13, 0.41, 0.6, 1.7])
def test_parts_are_those_of_the_whole_however_it_is_cut(tmp_path: Path, metres: float) -> None:
    with at(metres, write_tif(tmp_path / "a.tif", NOISE)) as raster:
        image, _ = whole(raster)
        for top, left in ((0, 0), (7, 11), (raster.height // 2, raster.width // 3)):
            down, along = (top, min(top + 9, raster.height)), (left, min(left + 13, raster.width))
            part = raster.read(down, along).image.astype(int)
            assert np.abs(part - image[:, slice(*down), slice(*along)]).max() <= 1


def test_a_pixel_that_is_no_square_becomes_one(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", NOISE, transform=Affine(0.17, 0, 500_000, 0, -0.33, 5_300_000))
    with at(0.34, path) as raster:
        assert (raster.height, raster.width) == (88, 60)
        assert (raster.transform.a, raster.transform.e) == pytest.approx((0.34, -0.34), rel=1e-3)
    assert in_metres((0.17, 0.33)) == "0.17 x 0.33 m" and in_metres((0.3, 0.3001)) == "0.3 m"


def test_nothing_has_no_weight_and_stays_nothing(tmp_path: Path) -> None:
    """Neither nodata of the file nor a value that the user calls nothing darkens its surroundings."""
    values = np.full((40, 60, 3), 200, np.uint8)
    values[:, :21] = 0
    for name, options, validity in (("a", {"nodata": 0}, Validity()), ("b", {}, Validity(nodata=0))):
        with at(0.6, write_tif(tmp_path / f"{name}.tif", values, **options), validity) as raster:
            image, valid = whole(raster)
        assert not valid[:, :10].any() and valid[:, 11:].all()
        assert (image[:, :, 11:] == 200).all()


def test_sixteen_bits_keep_their_values(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", np.full((30, 30, 3), 41_003, np.uint16))
    with open_raster(str(tmp_path / "a.tif"), scale=((0, 65_535),)) as raster:
        values, valid = Resampled.at(raster, 0.45, "a").values((0, 20), (0, 20))
    assert values.dtype == np.uint16 and (values == 41_003).all() and valid.all()


def test_pixels_that_are_as_wanted_are_left_as_they_are(tmp_path: Path) -> None:
    """A UTM zone stretches its metres by up to 0.1 %."""
    with open_raster(str(write_tif(tmp_path / "a.tif", NOISE))) as raster:
        assert Resampled.at(raster, 0.3, "a") is raster


def test_what_cannot_be_resampled_is_refused_in_a_line(tmp_path: Path) -> None:
    plain = write_tif(tmp_path / "plain.tif", NOISE, crs=None)
    with pytest.raises(DataError, match=r"plain\.tif: has no CRS .*leave --resample out"), at(0.3, plain):
        pass
    fine = write_tif(tmp_path / "fine.tif", NOISE)
    said = r"--resample 0\.0001: fine\.tif has pixels of 0\.3 m, more than 32 times larger"
    with pytest.raises(DataError, match=said), at(0.0001, fine):
        pass
    with pytest.raises(DataError, match="more than 32 times smaller"), at(3000, fine):
        pass


def test_a_damaged_block_is_left_out_when_asked(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.tile(NOISE, (4, 4, 1)), compress="deflate", blockysize=16)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(content)
    with open_raster(str(path), skip_bad=True) as inner:
        raster = Resampled.at(inner, 0.6, "a")
        _, valid = whole(raster)
        assert len(raster.bad) == 1 and 0.9 < valid.mean() < 1
