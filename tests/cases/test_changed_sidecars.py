"""What stands beside a raster and decides its pixels or its place is part of it: a finished map notices a change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from tests.cases.stub_model import predict
from tests.cases.test_prediction_records import image
from tests.rasters import write_tif

HERE = Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)
Change = Callable[[Path], None]


def write_mask(path: Path, rows: int) -> None:
    """Write ``.msk`` beside a raster, by which its first rows hold nothing."""
    shown = np.full((64, 64), 255, np.uint8)
    shown[:rows] = 0
    before = os.environ.get("GDAL_TIFF_INTERNAL_MASK")
    os.environ["GDAL_TIFF_INTERNAL_MASK"] = "NO"
    try:
        with rasterio.open(path, "r+") as file:
            file.write_mask(shown)
    finally:
        if before is None:
            del os.environ["GDAL_TIFF_INTERNAL_MASK"]
    assert path.with_name(f"{path.name}.msk").is_file()


def write_notes(path: Path, nodata: int) -> None:
    """Write ``.aux.xml`` beside a raster: a value that is nothing."""
    bands = "".join(
        f'<PAMRasterBand band="{band}"><NoDataValue>{nodata}</NoDataValue></PAMRasterBand>' for band in (1, 2, 3)
    )
    path.with_name(f"{path.name}.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")


CHANGES: dict[str, tuple[Change, Change]] = {
    "mask": (lambda path: write_mask(path, 8), lambda path: write_mask(path, 24)),
    "mask that comes later": (lambda path: None, lambda path: write_mask(path, 24)),
    "notes": (lambda path: write_notes(path, 1), lambda path: write_notes(path, 60)),
    "notes that come later": (lambda path: None, lambda path: write_notes(path, 60)),
}


def virtual(path: Path) -> Path:
    """Write a virtual raster that shows a raster with its mask."""
    source = f'<SourceFilename relativeToVRT="1">{path.name}</SourceFilename>'
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><ComplexSource>{source}<SourceBand>{band}</SourceBand>'
        f"<UseMaskBand>true</UseMaskBand></ComplexSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    mask = (
        f'<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource>{source}<SourceBand>mask,1</SourceBand></SimpleSource>'
        f"</VRTRasterBand></MaskBand>"
    )
    found = path.with_name("whole.vrt")
    place = "<SRS>EPSG:32633</SRS><GeoTransform>500000,0.3,0,5300000,0,-0.3</GeoTransform>"
    found.write_text(f'<VRTDataset rasterXSize="64" rasterYSize="64">{place}{bands}{mask}</VRTDataset>')
    return found


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("form", ["file", "virtual raster", "virtual raster of one", "mosaic"])
def test_a_change_beside_a_raster_is_noticed(
    form: str, change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, then = CHANGES[change]
    path = write_tif(tmp_path / "in" / "a.tif", image(220), transform=HERE)
    first(path)
    words: tuple[object, ...] = (path,)
    if form == "mosaic":
        words = (path, "--mosaic")
    elif form != "file":
        inner = virtual(path)
        words = (inner,)
        if form == "virtual raster of one":
            outer = inner.with_name("outer.vrt")
            outer.write_text(inner.read_text().replace("a.tif", "whole.vrt"))
            words = (outer,)
    predict(*words, "--out", tmp_path / "out")
    capsys.readouterr()
    predict(*words, "--out", tmp_path / "out")
    assert "is there already" in capsys.readouterr().out
    then(path)
    predict(*words, "--out", tmp_path / "out")
    assert "is there already" not in capsys.readouterr().out


@pytest.mark.parametrize("form", ["file", "mosaic"])
def test_a_world_file_that_moves_a_raster_moves_its_map(form: str, tmp_path: Path) -> None:
    path, out = tmp_path / "in" / "a.png", tmp_path / "out"
    path.parent.mkdir()
    Image.fromarray(image(220)).save(path)
    words = (path, "--out", out, *(["--mosaic"] if form == "mosaic" else []))
    for left in (500_000, 600_000):
        path.with_suffix(".pgw").write_text(f"0.3\n0\n0\n-0.3\n{left + 0.15}\n5299999.85\n")
        predict(*words)
        (mask,) = out.glob("*_mask.tif")
        with rasterio.open(mask) as file:
            assert file.transform.c == pytest.approx(left)


@pytest.mark.parametrize("form", ["file", "mosaic"])
def test_statistics_and_overviews_change_nothing(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write_tif(tmp_path / "in" / "a.tif", image(220), transform=HERE), tmp_path / "out"
    words = (path, "--out", out, *(["--mosaic"] if form == "mosaic" else []))
    predict(*words)
    statistics = '<PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MEAN">9</MDI></Metadata></PAMRasterBand>'
    path.with_name("a.tif.aux.xml").write_text(f"<PAMDataset>{statistics}</PAMDataset>")
    before = path.stat()
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2])
    assert path.with_name("a.tif.ovr").is_file()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    capsys.readouterr()
    predict(*words)
    assert "is there already" in capsys.readouterr().out
