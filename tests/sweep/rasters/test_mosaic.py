"""Several rasters as one: pixel for pixel what one raster of the whole would hold; refused where there is no grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from sweep.predict.together import write_virtual
from sweep.rasters.mosaic import Mosaic, missing_in_words
from sweep.rasters.opening import open_raster
from trainables.data.imagery import COLOURS
from trainables.errors import DataError, ExperimentError

HERE = Affine(0.3, 0, 325_000, 0, -0.3, 2_787_000)
CITY: NDArray[np.uint8] = np.random.default_rng(1).integers(1, 255, (3, 90, 120), dtype=np.uint8)


def write(
    path: Path, rows: tuple[int, int] = (0, 90), columns: tuple[int, int] = (0, 120), *, crs: str = "EPSG:32740",
    transform: Affine = HERE, image: NDArray[Any] = CITY, **profile: Any,
) -> str:  # fmt: skip
    """Write a part of an image where it is on earth."""
    part = image[:, slice(*rows), slice(*columns)]
    place = transform @ Affine.translation(columns[0], rows[0])
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(part),
        height=part.shape[1],
        width=part.shape[2],
        dtype=part.dtype,
        crs=crs,
        transform=place,
        **profile,
    ) as file:
        file.write(part)
    return str(path)


def read(mosaic: Mosaic, folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return (C, H, W) pixels and (H, W) which of them hold anything, as a prediction sees them."""
    write_virtual(mosaic.to_vrt(), folder / "mosaic.vrt", overwrite=False)
    with open_raster(str(folder / "mosaic.vrt"), wanted=mosaic.names) as raster:
        pixels = raster.read((0, raster.height), (0, raster.width))
        assert raster.height == mosaic.height and raster.width == mosaic.width
    return pixels.image, pixels.valid


def quarters(folder: Path, **more: Any) -> list[str]:
    spans = {"a": ((0, 45), (0, 60)), "b": ((0, 45), (60, 120)), "c": ((45, 90), (0, 60)), "d": ((45, 90), (60, 120))}
    return [write(folder / f"{name}.tif", *span, **more) for name, span in spans.items()]


def test_quarters_are_the_whole(tmp_path: Path) -> None:
    parts = quarters(tmp_path)
    mosaic = Mosaic.of(parts[::-1], COLOURS)
    assert (mosaic.height, mosaic.width, mosaic.missing) == (90, 120, ())
    assert mosaic.transform.almost_equals(HERE)
    image, valid = read(mosaic, tmp_path)
    assert np.array_equal(image, CITY) and valid.all()


def test_what_no_file_covers_is_nothing_and_is_listed(tmp_path: Path) -> None:
    mosaic = Mosaic.of(quarters(tmp_path)[:3], COLOURS)
    image, valid = read(mosaic, tmp_path)
    assert not valid[45:, 60:].any() and valid[:45].all() and valid[:, :60].all()
    assert np.array_equal(image[:, :45], CITY[:, :45])
    said = missing_in_words(mosaic)
    assert said == "1 cell of the grid of 4 without a file: row 2, column 2, from (325018, 2786986.5)"


@pytest.mark.parametrize("overlap", ["last", "first"])
def test_of_two_that_overlap_the_chosen_one_is_seen(tmp_path: Path, overlap: Any) -> None:
    left = write(tmp_path / "left.tif", columns=(0, 70))
    right = write(tmp_path / "right.tif", columns=(50, 120), image=255 - CITY)
    image, valid = read(Mosaic.of([left, right], COLOURS, on_top=overlap), tmp_path)
    edge = 50 if overlap == "last" else 70
    assert valid.all()
    assert np.array_equal(image[..., :edge], CITY[..., :edge])
    assert np.array_equal(image[..., edge:], 255 - CITY[..., edge:])


def test_what_the_upper_one_leaves_open_shows_the_lower_one(tmp_path: Path) -> None:
    """A collar of nodata, or transparency, hides nothing of the neighbour."""
    holes = CITY.copy()
    holes[:, 10:30, 10:30] = 0
    below, above = write(tmp_path / "below.tif"), write(tmp_path / "above.tif", image=holes, nodata=0)
    image, valid = read(Mosaic.of([below, above], COLOURS), tmp_path)
    assert valid.all() and np.array_equal(image, CITY)
    alpha = np.concatenate([255 - CITY, np.full((1, 90, 120), 255, np.uint8)])
    alpha[3, 10:30, 10:30] = 0
    clear = write(tmp_path / "clear.tif", image=alpha, photometric="rgb", alpha="yes")
    image, valid = read(Mosaic.of([below, clear], COLOURS), tmp_path)
    assert valid.all() and np.array_equal(image[:, 10:30, 10:30], CITY[:, 10:30, 10:30])
    assert np.array_equal(image[:, 30:], 255 - CITY[:, 30:])
    image, valid = read(Mosaic.of([clear], COLOURS), tmp_path)
    assert not valid[10:30, 10:30].any() and valid.sum() == 90 * 120 - 400


def test_grey_and_palette_files_are_colours_each_by_itself(tmp_path: Path) -> None:
    colours = write(tmp_path / "a.tif", columns=(0, 40))
    grey = write(tmp_path / "b.tif", columns=(40, 80), image=CITY[:1])
    indices = write(tmp_path / "c.tif", columns=(80, 120), image=CITY[:1] % 4, photometric="palette")
    with rasterio.open(indices, "r+") as file:
        file.write_colormap(1, {value: (10 * value, 20 * value, 30 * value, 255) for value in range(4)})
    image, valid = read(Mosaic.of([colours, grey, indices], COLOURS), tmp_path)
    assert valid.all() and np.array_equal(image[..., :40], CITY[..., :40])
    assert np.array_equal(image[..., 40:80], np.repeat(CITY[:1, :, 40:80], 3, axis=0))
    steps = CITY[0, :, 80:] % 4
    assert np.array_equal(image[..., 80:], np.stack([10 * steps, 20 * steps, 30 * steps]))


def test_other_bands_are_chosen_by_name_and_values_are_kept(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 4000, (4, 90, 120)).astype(np.uint16)
    parts = quarters(tmp_path, image=values)
    for path in parts:
        with rasterio.open(path, "r+") as file:
            file.descriptions = ("blue", "green", "red", "nir")
    mosaic = Mosaic.of(parts, ("nir", "red"))
    write_virtual(mosaic.to_vrt(), tmp_path / "m.vrt", overwrite=False)
    with rasterio.open(tmp_path / "m.vrt") as file:
        assert file.dtypes == ("uint16", "uint16") and np.array_equal(file.read(), values[[3, 2]])
        assert file.descriptions == ("nir", "red")


@pytest.mark.filterwarnings("ignore:The given matrix")
def test_what_is_on_no_common_grid_is_refused_each_with_the_command_that_fixes_it(tmp_path: Path) -> None:
    first = write(tmp_path / "first.tif")
    moved = write(tmp_path / "moved.tif", transform=HERE @ Affine.translation(0.4, 0))
    finer = write(tmp_path / "finer.tif", transform=HERE @ Affine.scale(0.5))
    turned = write(tmp_path / "turned.tif", transform=HERE @ Affine.rotation(3))
    degrees = write(tmp_path / "de grees.tif", crs="EPSG:4326", transform=Affine(1e-6, 0, 55, 0, -1e-6, 25))
    plain = write(tmp_path / "plain.tif", crs="", transform=Affine.identity())
    deep = write(tmp_path / "deep.tif", image=CITY.astype(np.uint16))
    with pytest.raises(DataError) as caught:
        Mosaic.of([first, moved, finer, turned, degrees, plain, deep], COLOURS)
    faults = {Path(one.split(":")[0]).name: one for one in caught.value.faults}
    assert list(faults) == ["moved.tif", "finer.tif", "turned.tif", "de grees.tif", "plain.tif", "deep.tif"]
    assert "gdalwarp -t_srs EPSG:32740 -tr 0.3 0.3" in faults["moved.tif"]
    assert "pixels of 0.15 x 0.15 instead of 0.3 x 0.3" in faults["finer.tif"]
    assert "not on the grid" in faults["turned.tif"]
    assert "has the CRS WGS 84, but" in faults["de grees.tif"]
    assert f"'{tmp_path}/de grees.tif' '{tmp_path}/de grees_warped.tif'" in faults["de grees.tif"]
    assert "no place on earth" in faults["plain.tif"]
    assert "holds uint16, but" in faults["deep.tif"]


def test_corners_that_are_rounded_decimals_are_on_the_grid(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / f"{column}.tif", columns=(column, column + 40), transform=HERE @ Affine.translation(1e-4, 0))
        for column in (0, 40, 80)
    ]
    exact = write(tmp_path / "exact.tif", columns=(40, 80))
    assert Mosaic.of([parts[0], exact, parts[2]], COLOURS).width == 120


def test_a_grid_with_holes_lists_some_and_counts_all(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{number}.tif", (number, number + 1), (number, number + 1)) for number in range(12)]
    mosaic = Mosaic.of(parts, COLOURS)
    assert len(mosaic.missing) == 144 - 12
    assert missing_in_words(mosaic).endswith("; and 112 more")
    odd = write(tmp_path / "odd.tif", (3, 9), (0, 5))
    assert Mosaic.of([*parts, odd], COLOURS).missing == (), "files of two sizes are on no grid of cells"


def test_an_unchanged_mosaic_is_not_written_again_and_another_file_is_not_replaced(tmp_path: Path) -> None:
    parts = quarters(tmp_path)
    place = tmp_path / "mosaic.vrt"

    def put(paths: list[str]) -> int:
        write_virtual(Mosaic.of(paths, COLOURS).to_vrt(), place, overwrite=False)
        return place.stat().st_mtime_ns

    before = put(parts)
    assert put(parts) == before
    assert put(parts[:3]) != before
    place.write_text(place.read_text().replace("<SimpleSource>", "<SimpleSource><!-- mine -->"))
    with pytest.raises(ExperimentError, match="--overwrite"):
        put(parts)
    assert "mine" in place.read_text()


def test_a_signed_address_is_not_written_into_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this address is signed") as caught:
        Mosaic.of(["https://host/a.tif?X-Amz-Signature=secret"], COLOURS)
    assert "secret" not in str(caught.value)
