"""Products as satellites' archives deliver them: a ``.SAFE`` of JPEG 2000, NetCDF of several variables, addresses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray

from sweep.predict.together import find_stacks, stack_bands
from sweep.rasters.band_files import find_band_files
from sweep.rasters.inputs import find_inputs
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif
from trainables.data.imagery import COLOURS
from trainables.errors import DataError, ExperimentError

BANDS: NDArray[np.uint16] = np.random.default_rng(2).integers(1, 4000, (4, 120, 120)).astype(np.uint16)
NAMES = ("B04", "B03", "B02", "B08")
HERE = Affine(10, 0, 500_000, 0, -10, 5_300_000)
LOSSLESS = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
TILE = "T33UUP_20260614T101031"
TILE_XML = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-1C_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-1C_Tile_Metadata.xsd">
<n1:General_Info><TILE_ID>S2A_OPER_MSI_L1C_TL_X_20260614T101031_A000001_T33UUP_N04.00</TILE_ID></n1:General_Info>
<n1:Geometric_Info><Tile_Geocoding>
<HORIZONTAL_CS_NAME>WGS84 / UTM zone 33N</HORIZONTAL_CS_NAME><HORIZONTAL_CS_CODE>EPSG:32633</HORIZONTAL_CS_CODE>
<Size resolution="10"><NROWS>120</NROWS><NCOLS>120</NCOLS></Size>
<Geoposition resolution="10"><ULX>500000</ULX><ULY>5300000</ULY><XDIM>10</XDIM><YDIM>-10</YDIM></Geoposition>
</Tile_Geocoding></n1:Geometric_Info></n1:Level-1C_Tile_ID>
"""
PRODUCT_XML = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-1C_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd">
<n1:General_Info><Product_Info><PRODUCT_URI>{product}</PRODUCT_URI><PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL>
<Query_Options completeSingleTile="true"><PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT></Query_Options>
<Product_Organisation><Granule_List><Granule imageFormat="JPEG2000"
granuleIdentifier="S2A_OPER_MSI_L1C_TL_X_20260614T101031_A000001_T33UUP_N04.00">{files}</Granule></Granule_List>
</Product_Organisation></Product_Info></n1:General_Info></n1:Level-1C_User_Product>
"""


def write_safe(folder: Path, level: str = "2A") -> Path:
    """Write the layout of a Sentinel-2 product: bands as JPEG 2000 (of 2A in two resolutions), masks, a preview."""
    place = folder / f"S2A_MSIL{level}_20260614T101031_N0400_R022_T33UUP_20260614T120000.SAFE"
    granule = place / "GRANULE" / f"L{level}_T33UUP_A000001_20260614T101031"
    for name, band in zip(NAMES, BANDS, strict=True):
        if level == "2A":
            write_tif(granule / "IMG_DATA" / "R10m" / f"{TILE}_{name}_10m.jp2", band[..., None], **at(1), **LOSSLESS)
            coarse = band[::2, ::2, None]
            write_tif(granule / "IMG_DATA" / "R20m" / f"{TILE}_{name}_20m.jp2", coarse, **at(2), **LOSSLESS)
        else:
            write_tif(granule / "IMG_DATA" / f"{TILE}_{name}.jp2", band[..., None], **at(1), **LOSSLESS)
        mask = np.zeros((60, 60, 1), np.uint8)
        write_tif(granule / "QI_DATA" / f"MSK_QUALIT_{name}.jp2", mask, **at(2), **LOSSLESS)
    if level == "2A":
        red_edge = BANDS[0, ::2, ::2, None]
        write_tif(granule / "IMG_DATA" / "R20m" / f"{TILE}_B05_20m.jp2", red_edge, **at(2), **LOSSLESS)
    write_tif(granule / "QI_DATA" / f"{TILE}_PVI.jp2", np.zeros((60, 60, 1), np.uint8), **at(2), **LOSSLESS)
    (granule / "MTD_TL.xml").write_text(TILE_XML)
    within = granule.relative_to(place)
    files = "".join(f"<IMAGE_FILE>{within}/IMG_DATA/{TILE}_{name}</IMAGE_FILE>" for name in NAMES)
    (place / "MTD_MSIL1C.xml").write_text(PRODUCT_XML.format(product=place.name, files=files))
    return place


def at(scale: int) -> dict[str, Affine]:
    return {"transform": HERE @ Affine.scale(scale)}


@pytest.mark.parametrize("level", ["1C", "2A"])
def test_a_product_is_told_apart_and_the_form_that_is_advised_works(level: str, tmp_path: Path) -> None:
    place = write_safe(tmp_path, level)
    with pytest.raises(ExperimentError, match="is a Sentinel-2 product, whose bands are files of their own") as caught:
        find_inputs([str(place)], tmp_path / "out", band_flag="--band-files")
    flag, patterns = str(caught.value).partition("such as ")[2].split()[:2]
    assert flag == "--band-files"
    stacks = find_stacks([str(place)], patterns.split(","))
    (one,) = stack_bands(stacks, COLOURS, tmp_path / "out", overwrite=False)
    with open_raster(one.path, scale=((0, 4000),)) as raster:
        values, valid = raster.values((0, 120), (0, 120))
        assert raster.transform.almost_equals(HERE) and raster.crs.to_epsg() == 32633
    assert np.array_equal(values, BANDS[:3]) and valid.all()


def test_a_command_without_the_flag_names_gdal_s_own(tmp_path: Path) -> None:
    place = write_safe(tmp_path)
    with pytest.raises(ExperimentError, match=r"put them together first: gdalbuildvrt -separate S2A_.*\.vrt \*_B04"):
        find_inputs([str(place)], tmp_path / "out")


def test_bands_are_of_the_finest_resolution_that_has_all_of_them(tmp_path: Path) -> None:
    place = write_safe(tmp_path)
    endings = {
        name: [Path(path).name[-11:] for path in find_band_files(place, name)] for name in (NAMES, ("B04", "B05"))
    }
    assert endings == {
        NAMES: [f"{name}_10m.jp2" for name in NAMES],
        ("B04", "B05"): ["B04_20m.jp2", "B05_20m.jp2"],
    }
    assert [Path(path).name[-11:] for path in find_band_files(place, ("B04_20m",))] == ["B04_20m.jp2"]
    with pytest.raises(ExperimentError, match="--band-files B12: nothing of that name is in"):
        find_band_files(place, ("B04", "B12"))


def test_folders_without_images_say_what_they_hold(tmp_path: Path) -> None:
    write_tif(tmp_path / "city" / "east" / "a.tif", BANDS[0, ..., None])
    (tmp_path / "ocean").mkdir()
    (tmp_path / "ocean" / "a.nc").touch()
    for name, said in (
        ("city", "holds no image itself, but 1 image in folders below; name one of these, such as .*/city/east"),
        ("ocean", r"holds no image \(\.tif, .*\), but 1 \.nc; name such a file itself"),
    ):
        with pytest.raises(ExperimentError, match=said):
            find_inputs([str(tmp_path / name)], tmp_path / "out")


def test_a_jpeg_2000_is_read(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "in" / "tci.jp2", (BANDS[:3] % 255).astype(np.uint8).transpose(1, 2, 0), **LOSSLESS)
    (one,) = find_inputs([str(path.parent)], tmp_path / "out")
    assert one.name == "tci"
    with open_raster(str(path)) as raster:
        assert raster.georeferenced
        assert np.array_equal(raster.read((0, 120), (0, 120)).image, BANDS[:3] % 255)


def test_variables_of_a_netcdf_are_listed_in_one_line_and_each_opens(tmp_path: Path) -> None:
    source, path = write_tif(tmp_path / "a.tif", BANDS[:2].transpose(1, 2, 0), **at(1)), tmp_path / "cube.nc"
    rasterio.shutil.copy(source, path, driver="netCDF")
    with pytest.raises(DataError, match="holds 2 pictures; name the one that is meant instead, such as ") as caught, \
         open_raster(str(path), bands=(1,)):  # fmt: skip
        pass
    (line,) = caught.value.faults
    addresses = [one.strip("'") for one in line.partition("such as ")[2].partition(", or save")[0].split(", ")]
    assert len(addresses) == 2
    for address, band in zip(addresses, BANDS, strict=False):
        (one,) = find_inputs([address], tmp_path / "out")
        with open_raster(one.path, bands=(1,), wanted=("grey",), scale=((0, 4000),)) as raster:
            assert np.array_equal(raster.values((0, 120), (0, 120))[0][0], band)


def test_sentinel_s_own_address_is_listed_and_opens(tmp_path: Path) -> None:
    description = write_safe(tmp_path, "1C") / "MTD_MSIL1C.xml"
    with pytest.raises(DataError, match="holds 4 pictures; name the one that is meant instead") as caught, \
         open_raster(str(description)):  # fmt: skip
        pass
    address = f"SENTINEL2_L1C:{description}:10m:EPSG_32633"
    assert address in str(caught.value)
    (one,) = find_inputs([address], tmp_path / "out")
    assert one.name == "MTD_MSIL1C-10m-EPSG_32633"
    with open_raster(one.path, scale=((0, 4000),)) as raster:
        assert np.array_equal(raster.values((0, 120), (0, 120))[0], BANDS[:3])
