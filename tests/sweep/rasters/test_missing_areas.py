"""What a virtual raster shows of files that are not there, by its own list of sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from sweep.rasters.files import missing_sources
from sweep.rasters.missing import missing_areas
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif

SIDE = 64


def virtual(path: Path, sources: str, form: str = "SimpleSource") -> Path:
    """Write a virtual raster of one band, 64 x 192; each word is a file, its first column and maybe its width."""
    lines = [f'<VRTDataset rasterXSize="{3 * SIDE}" rasterYSize="{SIDE}"><VRTRasterBand dataType="Byte" band="1">']
    for word in sources.split():
        name, left, *width = word.split(":")
        size = f'yOff="0" xSize="{{}}" ySize="{SIDE}"/>'
        place = f'<DstRect xOff="{left}" {size.format(width[0] if width else SIDE)}' if left else ""
        lines.append(
            f'<{form}><SourceFilename relativeToVRT="{0 if name.startswith("/") else 1}">{name}</SourceFilename>'
            f'<SourceBand>1</SourceBand><SrcRect xOff="0" {size.format(SIDE)}{place}</{form}>'
        )
    path.write_text("".join([*lines, "</VRTRasterBand></VRTDataset>"]))
    return path


@pytest.mark.parametrize("form", ["SimpleSource", "ComplexSource"])
@pytest.mark.parametrize(
    "sources, expected",
    [
        ("a.tif:0 gone.tif:64", [(64, 128)]),
        ("a.tif:0 ./sub/../gone.tif:64 {folder}/gone.tif:128", [(64, 128), (128, 192)]),
        ("a.tif:0 gone.tif:60.5:50.2", [(60, 111)]),
        ("a.tif:0 gone.tif: lost.tif:128", [(0, 192), (128, 192)]),  # no place: all of it
        ("a.tif:0 a.tif:64", []),
    ],
)
def test_areas_of_missing_files(tmp_path: Path, sources: str, expected: list[tuple[int, int]], form: str) -> None:
    write_tif(tmp_path / "a.tif", np.full((SIDE, SIDE, 1), 9, np.uint8))
    path = virtual(tmp_path / "v.vrt", sources.format(folder=tmp_path), form)
    with rasterio.open(path) as dataset:
        areas = missing_areas(dataset, missing_sources(dataset))
    assert sorted(areas) == [((0, SIDE), columns) for columns in sorted(expected)]


def test_what_names_no_place_is_nowhere_read(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", np.full((SIDE, SIDE, 1), 9, np.uint8))
    path = virtual(tmp_path / "v.vrt", "a.tif:0")
    with rasterio.open(path) as dataset:
        assert missing_areas(dataset, ["/elsewhere/b.tif"]) == (((0, SIDE), (0, 3 * SIDE)),)


def test_all_that_is_there_is_read_to_the_last_column(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", np.full((SIDE, SIDE, 1), 9, np.uint8))
    path = virtual(tmp_path / "v.vrt", "a.tif:0 gone.tif:50 a.tif:128")
    with open_raster(str(path), raw=True, skip_bad=True) as raster:
        values, valid = raster.values((0, SIDE), (0, 3 * SIDE))
    there = np.r_[0:50, 114:192]
    assert valid[:, there].all() and not valid[:, 50:114].any()
    assert (values[0][:, np.r_[0:50, 128:192]] == 9).all()
