"""What of a raster is nothing: a value, what alpha does not hide, and what is outside an area in any CRS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

from sweep.rasters.opening import open_raster
from sweep.rasters.raster import Raster
from sweep.rasters.validity import ClipArea, Validity
from tests.rasters import write_tif
from trainables.errors import DataError

HERE = Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000)
IMAGE: NDArray[np.uint8] = np.random.default_rng(3).integers(1, 255, (80, 100, 3), dtype=np.uint8)


def valid(path: Path, validity: Validity, rows: tuple[int, int] = (0, 80)) -> NDArray[np.bool_]:
    """Return which pixels hold anything, by both ways of asking."""
    with open_raster(str(path), validity=validity) as raster:
        known = raster.valid(rows, (0, 100))
        assert np.array_equal(known, raster.values(rows, (0, 100))[1])
        pixels = raster.read(rows, (0, 100))
    assert np.array_equal(pixels.valid, known)
    seen = IMAGE[slice(*rows)].transpose(2, 0, 1) if validity.area else 0
    assert np.array_equal(pixels.image[:, ~known], np.broadcast_to(seen, pixels.image.shape)[:, ~known])
    return known


def outlines(path: Path, *shapes: Any, crs: str = "EPSG:32633", to: str = "") -> Path:
    table = geopandas.GeoDataFrame(geometry=list(shapes), crs=crs)
    (table.to_crs(to) if to else table).to_file(path)
    return path


def test_a_value_in_every_band_is_nothing_and_in_one_a_colour(tmp_path: Path) -> None:
    image = IMAGE.copy()
    image[:10] = 0
    image[20, :, 0] = 0
    path = write_tif(tmp_path / "a.tif", image, transform=HERE)
    assert valid(path, Validity()).all()
    expected = np.ones((80, 100), bool)
    expected[:10] = False
    assert np.array_equal(valid(path, Validity(nodata=0)), expected)
    assert valid(path, Validity(nodata=300)).all()
    with pytest.raises(DataError, match="--nodata nan"):
        Validity(nodata=float("nan"))


def test_alpha_that_is_ignored_hides_nothing(tmp_path: Path) -> None:
    image = np.concatenate([IMAGE, np.zeros((80, 100, 1), np.uint8)], axis=2)
    path = write_tif(tmp_path / "a.tif", image, transform=HERE, photometric="rgb", alpha="yes")
    assert not valid(path, Validity()).any()
    assert valid(path, Validity(ignore_alpha=True)).all()
    declared = write_tif(tmp_path / "b.tif", IMAGE, transform=HERE, nodata=7)
    assert np.array_equal(valid(declared, Validity(ignore_alpha=True)), valid(declared, Validity())), "it has no alpha"


@pytest.mark.parametrize("to", ["", "EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
def test_an_area_of_any_crs_and_format_has_the_pixels_whose_centre_is_in_it(
    tmp_path: Path, to: str, ending: str
) -> None:
    if ending == "geojson" and not to:
        to = "EPSG:4326"
    shapes = (
        shapely.box(500_010, 5_299_970, 500_030, 5_299_990.2),
        shapely.box(500_040, 5_299_990, 500_060, 5_300_010),
    )
    area = ClipArea.read(outlines(tmp_path / f"area.{ending}", *shapes, to=to))
    path = write_tif(tmp_path / "a.tif", IMAGE, transform=HERE)
    expected = np.zeros((80, 100), bool)
    expected[20:60, 20:60] = True
    expected[:20, 80:] = True
    assert np.array_equal(valid(path, Validity(area=area)), expected)
    assert np.array_equal(valid(path, Validity(area=area), rows=(30, 50)), expected[30:50])


def test_an_area_that_misses_the_raster_says_where_both_are(tmp_path: Path) -> None:
    area = ClipArea.read(outlines(tmp_path / "area.gpkg", shapely.box(0, 0, 10, 10)))
    path = write_tif(tmp_path / "a.tif", IMAGE, transform=HERE)
    with (
        pytest.raises(
            DataError, match=r"nothing of it is on .*a.tif, which reaches from \(500000, 5299960\)"
        ) as caught,
        open_raster(str(path), validity=Validity(area=area)),
    ):
        pass
    assert "the area from (0, 0) to (10, 10)" in str(caught.value)


def test_what_is_no_area_is_refused_in_a_line(tmp_path: Path) -> None:
    lines = outlines(tmp_path / "lines.gpkg", shapely.LineString([(0, 0), (1, 1)]))
    bare = tmp_path / "bare.shp"
    geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)]).to_file(bare)
    text = tmp_path / "text.gpkg"
    text.write_text("no database")
    for path, said in ((lines, "holds no polygon"), (bare, "has no CRS"), (text, "cannot be read as outlines"),
                       (tmp_path / "nothing.gpkg", "no such file")):  # fmt: skip
        with pytest.raises(DataError, match=said) as caught:
            ClipArea.read(path)
        assert "\n" not in str(caught.value)


def test_a_picture_that_is_tagged_as_alpha_is_noticed(tmp_path: Path) -> None:
    from sweep.results.model_rasters import alpha_warning

    infrared = np.concatenate([IMAGE, IMAGE[..., :1]], axis=2)
    mask = np.concatenate([IMAGE, np.full((80, 100, 1), 255, np.uint8)], axis=2)
    mask[:30, :, 3] = 0

    def warning(image: NDArray[np.uint8], **more: Any) -> str:
        path = write_tif(tmp_path / "a.tif", image, transform=HERE, photometric="rgb", alpha="yes")
        with open_raster(str(path), **more) as raster:
            assert isinstance(raster, Raster)
            return alpha_warning("a.tif", raster)

    assert "band 4 is tagged as alpha" in warning(infrared) and "--ignore-alpha" in warning(infrared)
    assert warning(mask) == "" and warning(IMAGE) == ""
    assert warning(infrared, validity=Validity(ignore_alpha=True)) == ""
    assert warning(infrared, bands=(4, 1, 2)) == "", "it is read as a band"


def test_a_clipped_raster_of_no_place_is_refused(tmp_path: Path) -> None:
    area = ClipArea.read(outlines(tmp_path / "area.gpkg", shapely.box(0, 0, 10, 10)))
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=20, height=20, count=3, dtype="uint8", transform=HERE
    ) as file:
        file.write(IMAGE[:20, :20].transpose(2, 0, 1))
    with (
        pytest.raises(DataError, match="has no CRS"),
        open_raster(str(tmp_path / "a.tif"), validity=Validity(area=area)),
    ):
        pass
