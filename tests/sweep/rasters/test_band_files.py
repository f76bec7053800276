"""Bands in files of their own: found by their names, seen as one raster, refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray

from sweep.predict.together import find_stacks, stack_bands
from sweep.rasters.band_files import find_band_files, stacked
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif
from trainables.data.imagery import COLOURS
from trainables.errors import DataError, ExperimentError

BANDS: NDArray[np.uint16] = np.random.default_rng(1).integers(1, 4000, (3, 40, 50)).astype(np.uint16)
HERE = Affine(10, 0, 500_000, 0, -10, 5_300_000)
PATTERNS = ("B04", "B03", "B02")


def safe(folder: Path, **options: object) -> Path:
    """Write three bands, and one of another resolution, as Sentinel-2 has them."""
    place = folder / "S2A_MSIL2A_20260101.SAFE"
    pictures = place / "GRANULE" / "L2A_T33" / "IMG_DATA"
    fine, coarse = pictures / "R10m", pictures / "R20m"
    for name, band in zip(PATTERNS, BANDS, strict=True):
        write_tif(fine / f"T33_20260101_{name}_10m.tif", band[..., None], transform=HERE, **options)
    write_tif(coarse / "T33_20260101_B11_20m.tif", BANDS[0, ::2, ::2, None], transform=HERE @ Affine.scale(2))
    return place


def test_bands_are_found_below_a_folder_and_seen_in_the_order_that_was_said(tmp_path: Path) -> None:
    place = safe(tmp_path, nodata=0)
    stacks = find_stacks([str(place)], PATTERNS)
    assert list(stacks) == ["S2A_MSIL2A_20260101"]
    (one,) = stack_bands(stacks, COLOURS, tmp_path / "out", overwrite=False)
    with open_raster(one.path, scale=((0, 4000),)) as raster:
        values, valid = raster.values((0, 40), (0, 50))
        assert raster.transform.almost_equals(HERE) and raster.dataset.nodata == 0
    assert np.array_equal(values, BANDS) and valid.all()
    before = Path(one.path).stat().st_mtime_ns
    stack_bands(find_stacks([str(place)], PATTERNS), COLOURS, tmp_path / "out", overwrite=False)
    assert Path(one.path).stat().st_mtime_ns == before


def test_names_are_words_or_patterns(tmp_path: Path) -> None:
    place = safe(tmp_path)
    names = [Path(path).name for path in find_band_files(place, ("b04", "*_B03_*", "*/*B02_10m.tif"))]
    assert names == ["T33_20260101_B04_10m.tif", "T33_20260101_B03_10m.tif", "T33_20260101_B02_10m.tif"]
    landsat = write_tif(tmp_path / "L" / "LC08_B4.TIF", BANDS[0, ..., None]).parent
    write_tif(landsat / "LC08_B40.TIF", BANDS[0, ..., None])
    assert [Path(path).name for path in find_band_files(landsat, ("B4",))] == ["LC08_B4.TIF"]


def test_what_is_not_there_or_there_twice_is_listed_at_once_with_the_fix(tmp_path: Path) -> None:
    place = safe(tmp_path)
    write_tif(place / "GRANULE" / "L2A_T33" / "IMG_DATA" / "R20m" / "T33_20260101_B02_20m.tif", BANDS[0, ..., None])
    with pytest.raises(ExperimentError) as caught:
        find_band_files(place, ("B04", "B08", "B02"))
    missing, twice = caught.value.faults
    assert "--band-files B08: nothing of that name is in" in missing and "B11_20m.tif" in missing
    assert "has 2 of that name" in twice and "'*T33_20260101_B02_10m*'" in twice
    assert len(find_band_files(place, ("*T33_20260101_B02_10m*",))) == 1
    with pytest.raises(ExperimentError, match="no such folder; with --band-files"):
        find_band_files(tmp_path / "nowhere", PATTERNS)


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    place = safe(tmp_path)
    with pytest.raises(DataError, match="names 2 files, and the model sees red, green, blue"):
        stacked(find_band_files(place, PATTERNS[:2]), COLOURS)
    with pytest.raises(DataError, match=r"B11_20m\.tif: is not on the grid of .*B04_10m\.tif.*gdalwarp"):
        stacked(find_band_files(place, ("B04", "B03", "B11")), COLOURS)
    many = str(write_tif(tmp_path / "many.tif", BANDS.transpose(1, 2, 0), transform=HERE))
    with pytest.raises(DataError, match=r"many\.tif: holds 3 bands; name files of one band each"):
        stacked([*find_band_files(place, PATTERNS[:2]), many], COLOURS)


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="predict it into another --out"):
        find_stacks([str(safe(tmp_path / "a")), str(safe(tmp_path / "b"))], PATTERNS)


def test_bands_may_be_subdatasets_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "scene.nc"
    rasterio.shutil.copy(write_tif(tmp_path / "a.tif", BANDS.transpose(1, 2, 0), transform=HERE), path, driver="netCDF")
    files = find_band_files(path, ("Band3", "Band2", "Band1"))
    (one,) = stack_bands({"scene": files}, COLOURS, tmp_path / "out", overwrite=False)
    with open_raster(one.path, scale=((0, 4000),)) as raster:
        values, _ = raster.values((0, 40), (0, 50))
    assert np.array_equal(values, BANDS[::-1])


@pytest.mark.parametrize("kind", ["internal", "beside", "alpha"])
def test_masks_of_bands_are_the_raster_s(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What every band with a mask hides is nothing; a band without a mask changes nothing."""
    hidden = np.zeros((2, 40, 50), dtype=bool)
    hidden[0, :10], hidden[1, 5:20] = True, True
    monkeypatch.setenv("GDAL_TIFF_INTERNAL_MASK", "YES" if kind == "internal" else "NO")
    files = []
    for number, name in enumerate(PATTERNS):
        image = BANDS[number, ..., None]
        alpha = np.where(hidden[min(number, 1)], 0, 4000).astype(np.uint16)[..., None]
        path = tmp_path / f"{name}.tif"
        if kind == "alpha" and number < 2:
            write_tif(
                path, np.concatenate([image, alpha], axis=2), transform=HERE, alpha="yes", photometric="minisblack"
            )
            with rasterio.open(path, "r+") as file:
                file.colorinterp = (rasterio.enums.ColorInterp.gray, rasterio.enums.ColorInterp.alpha)
        else:
            write_tif(path, image, transform=HERE)
            if number < 2:
                with rasterio.open(path, "r+") as file:
                    file.write_mask(~hidden[number])
        files.append(str(path))
    assert (tmp_path / "B04.tif.msk").is_file() == (kind == "beside")
    for ignored in (False, True):
        (one,) = stack_bands({"a": files}, COLOURS, tmp_path / f"{ignored}", overwrite=False, ignore_alpha=ignored)
        with open_raster(one.path, scale=((0, 4000),)) as raster:
            values, valid = raster.values((0, 40), (0, 50))
        assert np.array_equal(values, BANDS)
        assert np.array_equal(valid, np.ones_like(valid) if ignored and kind == "alpha" else ~hidden.all(axis=0))
