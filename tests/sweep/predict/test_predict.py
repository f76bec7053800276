"""Rasters through windows: nothing is lost, moved or guessed, and what was finished stays finished."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
import torch
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from torch import Tensor

from sweep.predict.cover import Cover
from sweep.predict.mapper import NODATA, Mapper, Part
from sweep.predict.outputs import write_geotiff, write_overlay, write_picture
from sweep.predict.parts import Parts
from sweep.rasters.georeference import side_of_pixel
from sweep.rasters.opening import open_raster
from sweep.rasters.raster import Raster
from trainables.errors import TilesweepError
from trainables.task import Task
from trainables.windows import Side

UTM = "EPSG:32637"
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 2_700_000)
WriteRaster = Callable[..., Path]


@pytest.fixture
def write_raster(tmp_path: Path) -> WriteRaster:
    """Return a function that writes (B, H, W) values as a GeoTIFF."""

    def write(values: NDArray[Any], name: str = "scene.tif", *, colours: str = "", **options: Any) -> Path:
        path = tmp_path / name
        profile = {"driver": "GTiff", "crs": UTM, "transform": NORTH_UP, **options}
        count, height, width = values.shape
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(
                path, "w", count=count, height=height, width=width, dtype=values.dtype, **profile
            ) as file:
                file.write(values)
                if colours:
                    file.colorinterp = [ColorInterp[one] for one in colours.split(",")]
        return path

    return write


def noise(height: int, width: int, count: int = 3) -> NDArray[np.uint8]:
    """Random bytes, never 0."""
    return np.random.default_rng(0).integers(1, 256, (count, height, width), dtype=np.uint8)


def redness(images: Tensor) -> Tensor:
    """Stand in for a model that sees each pixel alone: red from 128 on is foreground."""
    return (images[:, :1].float() - 127.5) / 20


def predict(
    raster: Raster, *, window: int = 64, widest: int = 10_000, batch: int = 3, first: int = 0, threshold: float = 0.5
) -> list[Part]:
    """Predict a whole raster by its redness."""
    cover = Cover.of(raster.height, raster.width, window, widest)
    mapper = Mapper(
        forward=redness,
        device=torch.device("cpu"),
        batch_size=batch,
        threshold=threshold,
        channels=1,
        progress=lambda _: None,
    )
    return [part for stripe in cover.stripes for part in mapper.predict(raster, cover, stripe, first)]


def whole(parts: list[Part], shape: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Put parts together, and check that no pixel comes twice."""
    mask, probability, seen = (np.zeros(shape, dtype=np.uint8) for _ in range(3))
    for part in parts:
        place = (slice(*part.rows), slice(*part.stripe.own))
        mask[place], probability[place] = part.mask, part.probability
        seen[place] += 1
    assert (seen == 1).all()
    return mask, probability


@pytest.mark.parametrize("shape", [(300, 501), (64, 64), (33, 700), (200, 7)])
@pytest.mark.parametrize("window, widest, batch", [(64, 10_000, 1), (64, 128, 5), (96, 200, 3), (256, 256, 2)])
def test_a_raster_cut_in_any_way_is_predicted_as_the_whole_exactly(
    write_raster: WriteRaster, shape: tuple[int, int], window: int, widest: int, batch: int
) -> None:
    values = noise(*shape)
    with open_raster(str(write_raster(values))) as raster:
        parts = predict(raster, window=window, widest=widest, batch=batch)
    mask, probability = whole(parts, shape)
    logits = redness(torch.from_numpy(values)[None])[0, 0]
    assert np.array_equal(mask, (values[0] >= 128).astype(np.uint8))
    assert np.array_equal(probability, (250 * logits.sigmoid()).floor().byte().numpy())


def test_a_stripe_is_as_narrow_as_memory_wants_and_two_windows_wide_at_least() -> None:
    cover = Cover.of(1000, 5000, 128, 640)
    assert len(cover.stripes) > 5
    assert all(stripe.columns.length <= 640 for stripe in cover.stripes)
    assert all(len(stripe.columns.starts) == 2 for stripe in Cover.of(64, 5000, 128, 10).stripes)
    edges = [stripe.own for stripe in cover.stripes]
    assert edges[0][0] == 0 and edges[-1][1] == 5000
    assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))


@pytest.mark.parametrize("first", [1, 3, 5])
def test_a_prediction_that_goes_on_makes_the_same_parts(write_raster: WriteRaster, first: int) -> None:
    with open_raster(str(write_raster(noise(300, 200)))) as raster:
        unbroken, resumed = predict(raster), predict(raster, first=first)
    assert [part.row for part in resumed] == list(range(first, len(Side.of(300, 64).starts)))
    for before, after in zip(unbroken[first:], resumed, strict=True):
        assert np.array_equal(before.probability, after.probability)


def test_the_threshold_decides_the_mask_alone(write_raster: WriteRaster) -> None:
    values = np.full((3, 64, 64), 140, dtype=np.uint8)  # a probability of 0.65
    with open_raster(str(write_raster(values))) as raster:
        low, high = (predict(raster, threshold=threshold)[0] for threshold in (0.6, 0.7))
    assert low.mask.all() and not high.mask.any()
    assert np.array_equal(low.probability, high.probability) and low.probability[0, 0] == int(250 * 0.6514)


def test_what_has_no_data_is_nothing_in_the_map_and_the_mean_colour_to_the_model(write_raster: WriteRaster) -> None:
    values = noise(128, 128)
    values[:, :, :40] = 0
    values[0, 100, 100] = 0  # black in one band alone is a colour
    with open_raster(str(write_raster(values, nodata=0)), fill=(9, 8, 7)) as raster:
        pixels = raster.read((0, 128), (0, 128))
        mask, probability = whole(predict(raster), (128, 128))
    assert pixels.image[:, 0, 0].tolist() == [9, 8, 7]
    for layer in (mask, probability):
        assert (layer[:, :40] == NODATA).all() and (layer[:, 40:] != NODATA).all()


def test_windows_without_a_valid_pixel_are_not_predicted(write_raster: WriteRaster) -> None:
    values = noise(128, 640)
    values[:, :, 100:] = 0
    seen = []

    def model(images: Tensor) -> Tensor:
        seen.append(len(images))
        return redness(images)

    cover = Cover.of(128, 640, 64)
    with open_raster(str(write_raster(values, nodata=0))) as raster:
        mapper = Mapper(forward=model, device=torch.device("cpu"), batch_size=4, threshold=0.5, progress=lambda _: None)
        mask, _ = whole(list(mapper.predict(raster, cover, cover.stripes[0])), (128, 640))
    assert np.array_equal(mask[:, :100], (values[0, :, :100] >= 128).astype(np.uint8))
    assert sum(seen) < cover.windows / 3


def test_alpha_hides_pixels_and_is_no_colour(write_raster: WriteRaster) -> None:
    values = noise(64, 64, 4)
    values[3] = 255
    values[3, :10] = 0
    with open_raster(str(write_raster(values, colours="red,green,blue,alpha"))) as raster:
        assert raster.bands == (1, 2, 3)
        mask, _ = whole(predict(raster), (64, 64))
    assert (mask[:10] == NODATA).all() and (mask[10:] != NODATA).all()


def test_colours_are_found_by_the_file_s_own_names(write_raster: WriteRaster) -> None:
    path = write_raster(noise(64, 64, 4), colours="undefined,blue,green,red")
    with open_raster(str(path)) as raster:
        assert raster.bands == (4, 3, 2)


def test_sixteen_bits_are_scaled_as_the_user_says(write_raster: WriteRaster) -> None:
    values = np.full((3, 64, 64), 1200, dtype=np.uint16)
    values[0, 0] = (0, 1000, 1100, 3000, 65535, *(1200,) * 59)
    with open_raster(str(write_raster(values)), scale=((1000, 3000),)) as raster:
        image = raster.read((0, 64), (0, 64)).image
    assert image[0, 0, :6].tolist() == [0, 0, round(255 * 0.05), 255, 255, round(255 * 0.1)]


def test_numbers_that_are_none_are_nothing(write_raster: WriteRaster) -> None:
    values = np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    values[1, 5, 5] = np.nan
    with open_raster(str(write_raster(values)), scale=((0, 1),)) as raster:
        mask, _ = whole(predict(raster), (64, 64))
    assert mask[5, 5] == NODATA and (mask == NODATA).sum() == 1


@pytest.mark.parametrize(
    "count, dtype, colours, said",
    [
        (2, "uint8", "gray,undefined", "2 bands (gray, undefined), and red, green and blue are needed; take a raster"),
        (4, "uint8", "gray,undefined,undefined,undefined", "such as --bands 1,2,3"),
        (3, "uint16", "", "uint16, not uint8; say which values are black and white, such as --scale 7,7"),
        (3, "complex64", "", "complex numbers"),
    ],
)
def test_bands_that_do_not_fit_are_refused_with_the_mend(
    write_raster: WriteRaster, count: int, dtype: str, colours: str, said: str
) -> None:
    path = write_raster(np.full((count, 64, 64), 7).astype(dtype), colours=colours)
    with pytest.raises(TilesweepError) as caught, open_raster(str(path)):
        pass
    assert said in str(caught.value) and str(path) in str(caught.value)


def test_grey_is_red_green_and_blue_alike(write_raster: WriteRaster) -> None:
    grey = noise(64, 64, 1)
    with open_raster(str(write_raster(grey))) as raster:
        assert np.array_equal(raster.read((0, 64), (0, 64)).image, grey.repeat(3, axis=0))


def test_a_palette_s_colours_are_seen_and_not_its_indices(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture = Image.fromarray(np.arange(64, dtype=np.uint8).repeat(64).reshape(64, 64) % 3).convert("P")
    picture.putpalette([1, 2, 3, 40, 50, 60, 7, 7, 7])
    picture.save(path, transparency=2)
    with open_raster(str(path), fill=(9, 9, 9)) as raster:
        pixels = raster.read((0, 64), (0, 64))
        assert raster.shrunk((64, 64))[:2, 0].tolist() == [[1, 2, 3], [40, 50, 60]]
    assert pixels.image[:, :3, 0].T.tolist() == [[1, 2, 3], [40, 50, 60], [9, 9, 9]]
    assert pixels.valid[:3, 0].tolist() == [True, True, False]
    with open_raster(str(path), bands=(1, 1, 1)) as raster:
        assert raster.read((0, 64), (0, 64)).image[:, :3, 0].T.tolist() == [[0] * 3, [1] * 3, [0] * 3]


def test_any_number_of_bands_is_read_by_name_or_number_each_with_its_scale(write_raster: WriteRaster) -> None:
    values = np.stack([np.full((64, 64), value, np.uint16) for value in (100, 200, 300, 400)])
    path = write_raster(values, colours="undefined,red,green,blue")
    scale = ((0, 255), (0, 510), (0, 1020), (0, 255))
    with open_raster(str(path), bands=(1, 2, 3, 4), wanted=("a", "b", "c", "d"), scale=scale) as raster:
        assert raster.read((0, 1), (0, 1)).image.ravel().tolist() == [100, 100, 75, 255]
        assert raster.shrunk((8, 8)).shape == (8, 8, 4) and raster.dtype == "uint16"
    with open_raster(str(path), wanted=("red", "blue"), scale=((0, 400),)) as raster:
        assert raster.bands == (2, 4) and raster.read((0, 1), (0, 1)).image.ravel().tolist() == [128, 255]


@pytest.mark.parametrize("bands", [(1, 2), (1, 2, 9), (0, 1, 2)])
def test_bands_that_do_not_exist_are_refused(write_raster: WriteRaster, bands: tuple[int, ...]) -> None:
    with (
        pytest.raises(TilesweepError, match=r"name three of .* 3 bands"),
        open_raster(str(write_raster(noise(64, 64))), bands=bands),
    ):
        pass


def _damage(path: Path, block: int) -> None:
    """Overwrite a compressed block in the middle of a file."""
    with tifffile.TiffFile(path) as tiff:
        offset, size = tiff.pages[0].dataoffsets[block], tiff.pages[0].databytecounts[block]
    data = bytearray(path.read_bytes())
    data[offset : offset + size] = b"\xff" * size
    path.write_bytes(bytes(data))


def test_a_damaged_block_is_named_and_left_out_only_when_asked(write_raster: WriteRaster) -> None:
    values = noise(256, 384)
    path = write_raster(values, tiled=True, blockxsize=128, blockysize=128, compress="deflate", interleave="pixel")
    _damage(path, 4)  # of two rows of three
    said = r"block in row 1, column 1 \(pixels from row 128, column 128, 128 x 128\) cannot be read .*--skip-bad"
    with open_raster(str(path), skip_flag="--skip-bad") as raster, pytest.raises(TilesweepError, match=said):
        predict(raster)
    with open_raster(str(path), skip_bad=True) as raster:
        mask, _ = whole(predict(raster), (256, 384))
        assert list(raster.bad) == ["block in row 1, column 1"]
    missing = mask == NODATA
    assert missing[128:, 128:256].all() and missing.sum() == 128 * 128
    assert np.array_equal(mask[~missing], (values[0] >= 128)[~missing].astype(np.uint8))


def finish(raster: Raster, folder: Path, *, job: str = "one") -> Parts:
    cover = Cover.of(raster.height, raster.width, 64, 200)
    parts = Parts(folder / ".parts", cover, {"job": job})
    mapper = Mapper(forward=redness, device=torch.device("cpu"), batch_size=3, threshold=0.5, progress=lambda _: None)
    for stripe in cover.stripes:
        for part in mapper.predict(raster, cover, stripe, parts.first_missing(stripe)):
            parts.add(part)
    return parts


@pytest.mark.parametrize(
    "crs, transform",
    [
        (UTM, NORTH_UP),
        (UTM, NORTH_UP @ Affine.rotation(30)),
        ("EPSG:4326", Affine(1e-5, 0, 179.995, 0, -1e-5, -17)),  # across the antimeridian
        ("EPSG:3857", Affine(0.3, 0, 1e6, 0, 0.3, 8e6)),  # south up
        (None, Affine(0.5, 0, 10, 0, -0.5, 20)),
    ],
)
def test_the_map_lies_where_the_raster_lies(
    write_raster: WriteRaster, tmp_path: Path, crs: str | None, transform: Affine
) -> None:
    values = noise(700, 1300)
    values[:, :, :64] = 0
    path = write_raster(values, crs=crs, transform=transform, nodata=0)
    with open_raster(str(path)) as raster:
        assert raster.georeferenced
        parts = finish(raster, tmp_path)
        for layer in ("mask", "probability"):
            write_geotiff(parts, layer, raster, Task(), tmp_path / f"{layer}.tif")
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert mask.crs == (rasterio.CRS.from_user_input(crs) if crs else None)
        assert mask.transform.almost_equals(transform)
        assert (mask.nodata, mask.dtypes, mask.block_shapes) == (NODATA, ("uint8",), [(512, 512)])
        assert mask.compression.name == "deflate" and mask.overviews(1) == [2, 4]
        stored = mask.read(1)
    assert (stored[:, :64] == NODATA).all()
    assert np.array_equal(stored[:, 64:], (values[0, :, 64:] >= 128).astype(np.uint8))
    with rasterio.open(tmp_path / "probability.tif") as probability:
        assert probability.scales == (0.004,) and probability.nodata == NODATA
    assert not list(tmp_path.glob(".*.tmp*"))


def test_a_raster_without_a_place_becomes_pictures(write_raster: WriteRaster, tmp_path: Path) -> None:
    values = noise(200, 150)
    values[:, :10] = 0
    with open_raster(str(write_raster(values, crs=None, transform=Affine.identity(), nodata=0))) as raster:
        assert not raster.georeferenced
        parts = finish(raster, tmp_path)
        write_picture(parts, "mask", raster, Task(), tmp_path / "mask.png")
        write_picture(parts, "probability", raster, Task(), tmp_path / "probability.png")
        write_overlay(parts, raster, Task(), tmp_path / "overlay.jpg")
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    found = values[0] >= 128
    assert np.array_equal(mask[10:], 255 * found[10:]) and not mask[:10].any()
    probability = np.asarray(Image.open(tmp_path / "probability.png")).astype(int)
    expected = redness(torch.from_numpy(values)[None])[0, 0].sigmoid().numpy()
    assert np.abs(probability[10:] / 255 - expected[10:]).max() < 0.0065 and not probability[:10].any()
    overlay = np.asarray(Image.open(tmp_path / "overlay.jpg")).astype(int)
    assert overlay.shape == (200, 150, 3)


def test_parts_of_the_same_job_are_kept_and_of_another_thrown_away(write_raster: WriteRaster, tmp_path: Path) -> None:
    with open_raster(str(write_raster(noise(200, 300)))) as raster:
        folder = finish(raster, tmp_path).folder
        cover = Cover.of(200, 300, 64, 200)
        rows = len(cover.rows.starts)
        (folder / "row000002-stripe001.tif").unlink()
        kept = Parts(folder, cover, {"job": "one"})
        assert [kept.first_missing(stripe) for stripe in cover.stripes] == [rows, 2]
        assert Parts(folder, cover, {"job": "two"}).first_missing(cover.stripes[0]) == 0


@pytest.mark.parametrize(
    "crs, transform, expected",
    [
        (UTM, Affine(0.3, 0, 500_000, 0, -0.3, 2_700_000), 0.3),
        (UTM, Affine(0.3, 0, 500_000, 0, -0.3, 2_700_000) @ Affine.rotation(20), 0.3),
        ("EPSG:3857", Affine(1, 0, 0, 0, -1, 8_399_738), 0.5),  # at 60 degrees north
        ("EPSG:2263", Affine(1, 0, 1_000_000, 0, -1, 200_000), 0.3048),  # feet
        ("EPSG:4326", Affine(1e-5, 0, 10, 0, -1e-5, 0), 1.11),  # at the equator
        (None, NORTH_UP, None),
    ],
)
def test_pixels_are_measured_on_the_ground(
    write_raster: WriteRaster, crs: str | None, transform: Affine, expected: float | None
) -> None:
    with rasterio.open(write_raster(noise(64, 64), crs=crs, transform=transform)) as file:
        assert side_of_pixel(file, "a") == (None if expected is None else pytest.approx(expected, rel=0.005))
