"""GDAL's addresses of one picture of several are inputs like files; what GDAL here cannot open is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

from sweep.rasters.addresses import is_remote, is_subdataset
from sweep.rasters.files import UnreadableError, file_of, is_elsewhere, open_dataset, stamp
from sweep.rasters.inputs import find_inputs, result_name
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif
from trainables.errors import DataError

IMAGE = np.random.default_rng(0).integers(1, 255, (30, 40, 3), dtype=np.uint8)


def pages(path: Path) -> Path:
    with tifffile.TiffWriter(path) as file:
        for number in range(3):
            file.write(IMAGE + np.uint8(number), photometric="rgb")
    return path


def test_a_page_of_a_tiff_is_read_and_known_by_its_file(tmp_path: Path) -> None:
    path = pages(tmp_path / "pages.tif")
    address = f"GTIFF_DIR:2:{path}"
    (one,) = find_inputs([address], tmp_path / "out")
    assert (one.path, one.name) == (address, "pages-2")
    with open_raster(one.path) as raster:
        assert np.array_equal(raster.read((0, 30), (0, 40)).image, (IMAGE + np.uint8(1)).transpose(2, 0, 1))
    assert file_of(address) == path and not is_elsewhere(address)
    with open_dataset(address) as dataset:
        before = stamp(dataset, address)
    with tifffile.TiffWriter(path, append=True) as file:
        file.write(IMAGE)
    with open_dataset(address) as dataset:
        assert stamp(dataset, address) != before


def test_a_file_of_several_names_them_and_what_it_names_opens(tmp_path: Path) -> None:
    source, path = write_tif(tmp_path / "a.tif", IMAGE), tmp_path / "scene.nc"
    rasterio.shutil.copy(source, path, driver="netCDF")
    with pytest.raises(DataError, match="holds 3 pictures; name the one that is meant instead, such as ") as caught, \
         open_raster(str(path)):  # fmt: skip
        pass
    named = str(caught.value).partition("such as ")[2].split(", ")[0].strip("'")
    (one,) = find_inputs([named], tmp_path / "out")
    assert one.name == "scene-Band1"
    with open_raster(one.path) as raster:
        assert np.array_equal(raster.read((0, 30), (0, 40)).image[0], IMAGE[..., 0])


def test_a_table_of_a_geopackage_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tiles.gpkg"
    rasterio.shutil.copy(write_tif(tmp_path / "a.tif", IMAGE), path, driver="GPKG")
    (one,) = find_inputs([f"GPKG:{path}:tiles"], tmp_path / "out")
    assert one.name == "tiles-tiles"
    with open_raster(one.path) as raster:
        assert raster.georeferenced and raster.width == 40


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ('NETCDF:"/data/a b.nc":red', "NETCDF-data-a-b.nc-red"),
        ("SENTINEL2_L1C:/s/MTD.xml:10m:EPSG_32632", "SENTINEL2_L1C-s-MTD.xml-10m-EPSG_32632"),
    ],
)
def test_results_of_what_is_not_here_are_called_after_the_address(path: str, name: str) -> None:
    assert result_name(path) == name


def test_other_paths_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd:name.tif").touch()
    for path in ("odd:name.tif", "C:scene.tif", "https://host/a.tif", "s3://bucket/a.tif", "a.tif", "/vsizip/a.zip"):
        assert not is_subdataset(path)
    assert not is_remote("odd:name.tif") and is_remote("https://host/a.tif")


@pytest.mark.parametrize("path", ["HDF4_SDS:UNKNOWN:x.hdf:0", "scene.hdf", "scene.ecw"])
def test_a_format_without_a_driver_is_named_in_one_line(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if ":" not in path:
        Path(path).write_bytes(b"\x0e\x03\x13\x01")
    with pytest.raises(UnreadableError, match=r"the GDAL here \(rasterio's\) has no driver (HDF4|ECW); convert it"):
        open_dataset(path)


def test_an_address_that_leads_nowhere_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="is no raster that GDAL can open") as caught:
        open_dataset(f"GTIFF_DIR:7:{pages(tmp_path / 'pages.tif')}")
    assert len(caught.value.faults) == 1
