"""A mosaic read file by file: what is nothing in one shows the one below, and overlaps may be averaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sweep.predict.together import write_virtual
from sweep.rasters import pieces
from sweep.rasters.mosaic import Mosaic
from sweep.rasters.opening import open_raster
from sweep.rasters.pieces import MosaicRaster, as_mosaic
from sweep.rasters.validity import Validity
from tests.sweep.rasters.test_mosaic import CITY, quarters, write
from trainables.data.imagery import COLOURS
from trainables.errors import DataError

ALL = ((0, 90), (0, 120))


@contextmanager
def together(
    paths: list[str], folder: Path, validity: Validity | None = None, *, skip_bad: bool = False, on_top: Any = "last"
) -> Iterator[MosaicRaster]:
    validity = validity or Validity()
    mosaic = Mosaic.of(paths, COLOURS, on_top=on_top, ignore_alpha=validity.ignore_alpha)
    path = write_virtual(mosaic.to_vrt(), folder / "mosaic.vrt", overwrite=True)
    with (
        open_raster(str(path), validity=validity, skip_bad=skip_bad, skip_flag="--skip-bad") as whole,
        as_mosaic(whole, mosaic, mean=on_top == "mean") as raster,
    ):
        yield raster


def test_it_reads_what_the_virtual_raster_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_OPEN", 2)
    with together(quarters(tmp_path), tmp_path) as raster, open_raster(str(tmp_path / "mosaic.vrt")) as virtual:
        for rows, columns in (ALL, ((40, 50), (50, 70)), ((44, 46), (0, 120)), ((80, 90), (100, 120))):
            ours, theirs = raster.read(rows, columns), virtual.read(rows, columns)
            assert np.array_equal(ours.image, theirs.image) and np.array_equal(ours.valid, theirs.valid)
            assert np.array_equal(raster.valid(rows, columns), theirs.valid)


def test_a_value_that_is_nothing_shows_the_file_below_and_a_colour_does_not(tmp_path: Path) -> None:
    """Black in one band is a colour; in all of them it is a collar, which hides nothing of the neighbour."""
    collar = CITY.copy()
    collar[:, 20:40, 20:40] = 0
    collar[0, 60:80] = 0
    below, above = write(tmp_path / "below.tif", image=255 - CITY), write(tmp_path / "above.tif", image=collar)
    with together([below, above], tmp_path, Validity(nodata=0)) as raster:
        pixels = raster.read(*ALL)
    assert pixels.valid.all()
    assert np.array_equal(pixels.image[:, 20:40, 20:40], 255 - CITY[:, 20:40, 20:40])
    assert np.array_equal(pixels.image[:, 60:80], collar[:, 60:80])
    with together([above], tmp_path, Validity(nodata=0)) as raster:
        assert (~raster.read(*ALL).valid).sum() == 400


def test_alpha_that_is_ignored_hides_nothing_in_the_virtual_raster_either(tmp_path: Path) -> None:
    infrared = np.concatenate([CITY, np.zeros((1, 90, 120), np.uint8)])
    paths = quarters(tmp_path, image=infrared, photometric="rgb", alpha="yes")
    with together(paths, tmp_path, Validity(ignore_alpha=True)) as raster:
        pixels = raster.read(*ALL)
    assert pixels.valid.all() and np.array_equal(pixels.image, CITY)
    with open_raster(str(tmp_path / "mosaic.vrt")) as virtual:
        pixels = virtual.read(*ALL)
    assert pixels.valid.all() and np.array_equal(pixels.image, CITY)
    with together(paths, tmp_path) as raster:
        assert not raster.read(*ALL).valid.any()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_the_mean_is_taken_of_what_holds_something(tmp_path: Path, kind: type[np.generic]) -> None:
    scale = {np.uint8: 1, np.uint16: 200, np.float32: 0.5}[kind]
    city = (CITY * scale).astype(kind)
    left = write(tmp_path / "left.tif", columns=(0, 80), image=city)
    right = write(tmp_path / "right.tif", columns=(40, 120), image=(255 * scale - city).astype(kind))
    holes = city.copy()
    holes[:, :45] = 0
    third = write(tmp_path / "third.tif", columns=(40, 80), image=holes)
    mosaic = Mosaic.of([left, right, third], COLOURS, on_top="mean")
    path = write_virtual(mosaic.to_vrt(), tmp_path / "mosaic.vrt", overwrite=True)
    with (
        open_raster(str(path), scale=((0, 60_000),), validity=Validity(nodata=0)) as whole,
        as_mosaic(whole, mosaic, mean=True) as raster,
    ):
        values, valid = raster.values(*ALL)
    assert valid.all() and values.dtype == kind
    assert np.array_equal(values[..., :40], city[..., :40])
    assert values[..., 80:] == pytest.approx(255 * scale - city[..., 80:].astype(float), rel=1e-6)
    tolerance = 1e-3 if kind is np.float32 else 0.5001
    assert np.abs(values[:, :45, 40:80] - 127.5 * scale).max() <= tolerance, "two of three hold something"
    three = (255 * scale + city[:, 45:, 40:80].astype(float)) / 3
    assert np.abs(values[:, 45:, 40:80] - three).max() <= tolerance


def test_a_missing_or_damaged_file_is_named_and_left_out_when_asked(tmp_path: Path) -> None:
    paths = quarters(tmp_path, compress="deflate")
    content = bytearray(Path(paths[1]).read_bytes())
    content[2000:4000] = b"\xff" * 2000
    Path(paths[1]).write_bytes(content)
    with together(paths, tmp_path, skip_bad=True) as raster:
        Path(paths[2]).unlink()
        pixels = raster.read(*ALL)
        said = list(raster.bad)
    assert any(one.startswith("b.tif: block in row 0") for one in said)
    assert f"missing file {paths[2]}" in said
    assert pixels.valid[:45, :60].all() and pixels.valid[45:, 60:].all() and not pixels.valid[45:, :60].any()
    assert not pixels.valid[:45, 60:].all()
    with together(quarters(tmp_path), tmp_path) as raster:
        Path(paths[3]).unlink()
        with pytest.raises(DataError, match=r"d\.tif: is no raster that GDAL can open"):
            raster.read(*ALL)


def test_a_file_that_is_replaced_by_one_of_another_size_is_noticed(tmp_path: Path) -> None:
    paths = quarters(tmp_path)
    with together(paths, tmp_path) as raster:
        write(Path(paths[0]), (0, 30), (0, 30))
        with pytest.raises(DataError, match=r"a.tif: was replaced while it was read"):
            raster.read(*ALL)


def test_collars_of_its_files_are_found(tmp_path: Path) -> None:
    collar = CITY.copy()
    collar[:, :45, :9] = 0
    with together(quarters(tmp_path, image=collar), tmp_path) as raster:
        shares = raster.collars(200)
        assert {Path(name).name: share for name, share in shares.items()} == {
            "a.tif": 0.15, "b.tif": 0.0, "c.tif": 0.0, "d.tif": 0.0,
        }  # fmt: skip
        assert len(raster.collars(2)) == 2
    with rasterio.open(tmp_path / "mosaic.vrt") as file:
        assert file.count == 3
