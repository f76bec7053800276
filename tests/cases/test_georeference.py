"""A map is where its raster is, or is refused with a way out that works; a photo is read as one looks at it."""

from __future__ import annotations

import io
import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rio.main import main_group
from rasterio.rpc import RPC

from sweep.rasters.opening import open_raster
from sweep.rasters.orientation import Orientation
from tests.cases.stub_model import names, predict
from trainables.data.pictures import ORIENTATION as ORIENTATION_TAG
from trainables.errors import ExperimentError

HERE = Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)
RPCS = RPC(
    height_off=0, height_scale=100, lat_off=48, lat_scale=0.01, line_off=64, line_scale=64, long_off=15,
    long_scale=0.01, samp_off=64, samp_scale=64, line_num_coeff=[0, 0, -1, *[0] * 17], line_den_coeff=[1, *[0] * 19],
    samp_num_coeff=[0, 1, 0, *[0] * 17], samp_den_coeff=[1, *[0] * 19], err_bias=0, err_rand=0,
)  # fmt: skip


def half_red(height: int = 128, width: int = 128) -> NDArray[np.uint8]:
    """Return (H, W, 3): the left quarter is foreground to the stub model."""
    image = np.full((height, width, 3), 60, dtype=np.uint8)
    image[:, : width // 4, 0] = 220
    return image


def write_tif(path: Path, image: NDArray[Any], *, gcps: Any = None, rpcs: Any = None, **options: Any) -> Path:
    height, width, count = image.shape
    options = {"driver": "GTiff", **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path, "w", height=height, width=width, count=count, dtype=image.dtype.name, **options
        ) as file:
            file.write(image.transpose(2, 0, 1))
            if gcps:
                file.gcps = gcps
            if rpcs:
                file.rpcs = rpcs
    return path


def points(side: int = 128) -> tuple[list[GroundControlPoint], CRS]:
    places = [(row, column) for row in (0, side) for column in (0, side)]
    return [GroundControlPoint(row=r, col=c, x=HERE.c + 0.3 * c, y=HERE.f - 0.3 * r) for r, c in places], CRS.from_epsg(
        32633
    )


def refused(*arguments: object) -> str:
    """Run the command; returns its error."""
    with pytest.raises(ExperimentError) as caught:
        predict(*arguments)
    (fault,) = caught.value.faults
    return fault


def follow(advice: str) -> Path:
    """Run the ``rio`` commands of an error as printed; returns the file that they make."""
    commands = re.search(r"(rio .*?)(, or leave|$)", advice)
    assert commands is not None
    for command in commands.group(1).split(" && "):
        words = shlex.split(command)
        assert words[0] == "rio"
        done = CliRunner().invoke(main_group, words[1:])
        assert done.exit_code == 0, done.output
    return Path(next(word for word in words if word.endswith(("_warped.tif", "_placed.tif"))))


def test_ground_control_points_are_refused_and_warped_as_the_error_says(tmp_path: Path) -> None:
    path, out = write_tif(tmp_path / "a scene.tif", half_red(), gcps=points()), tmp_path / "out"
    said = refused(path, "--out", out)
    assert "has 4 ground control points and no transform" in said and not names(out)
    warped = follow(said)
    predict(warped, "--out", out)
    with rasterio.open(out / "a scene_warped_mask.tif") as mask:
        assert mask.crs == "EPSG:32633" and mask.transform.almost_equals(HERE, 0.01)
        assert (mask.read(1)[:100, 4:28] == 1).all()


def test_a_crs_beside_ground_control_points_is_no_place_either(tmp_path: Path) -> None:
    write_tif(tmp_path / "plain.tif", half_red())
    gcps = "".join(f'<GCP Pixel="{p.col}" Line="{p.row}" X="{p.x}" Y="{p.y}"/>' for p in points()[0])
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">plain.tif'
        f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path = tmp_path / "both.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="128" rasterYSize="128"><SRS>EPSG:32633</SRS><GCPList Projection="EPSG:32633">{gcps}'
        f"</GCPList>{bands}</VRTDataset>"
    )
    assert "ground control points and no transform" in refused(path, "--out", tmp_path / "out")


def test_rational_polynomials_without_a_transform_are_refused_and_with_one_are_not(tmp_path: Path) -> None:
    said = refused(write_tif(tmp_path / "a.tif", half_red(), rpcs=RPCS), "--out", tmp_path / "out")
    assert "(RPCs) and no transform" in said and "gdalwarp -rpc -t_srs EPSG:4326" in said
    ready = write_tif(tmp_path / "b.tif", half_red(), rpcs=RPCS, crs="EPSG:32633", transform=HERE)
    predict(ready, "--out", tmp_path / "out")
    with rasterio.open(tmp_path / "out" / "b_mask.tif") as mask:
        assert mask.transform.almost_equals(HERE)


@pytest.mark.parametrize("driver", ["GTiff", "COG", "PNG"])
def test_a_raster_without_a_crs_gets_one_as_the_error_says(tmp_path: Path, driver: str) -> None:
    ending = "png" if driver == "PNG" else "tif"
    place = {} if driver == "PNG" else {"transform": HERE}
    path = write_tif(tmp_path / f"it's.{ending}", half_red(), driver=driver, **place)
    before = path.read_bytes()
    said = refused(path, "--out", tmp_path / "out", "--polygons", "gpkg")
    assert said.count("has no CRS") == 1
    placed = follow(said)
    predict(placed, "--out", tmp_path / "out", "--polygons", "gpkg")
    found = pyogrio.read_info(tmp_path / "out" / "it's_placed_polygons.gpkg")
    assert found["crs"] == "EPSG:32633" and found["features"] == 1
    assert path.read_bytes() == before  # the original stays as it is


@pytest.mark.parametrize("number", range(0, 10))
def test_pixels_are_turned_as_pillow_turns_them(number: int) -> None:
    image = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)
    picture = Image.fromarray(image.transpose(1, 2, 0))
    picture.getexif()[ORIENTATION_TAG] = number
    expected = np.asarray(ImageOps.exif_transpose(picture)).transpose(2, 0, 1)
    orientation = Orientation.of(number)
    assert np.array_equal(orientation.upright(image), expected)
    assert orientation.shape(5, 7) == expected.shape[1:]
    rows, columns = (1, 3), (2, 5)
    (top, bottom), (left, right) = orientation.stored(rows, columns, 5, 7)
    part = orientation.upright(image[:, top:bottom, left:right])
    assert np.array_equal(part, expected[:, slice(*rows), slice(*columns)])


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_photo_is_read_upright_and_its_mask_is_upright(tmp_path: Path, name: str) -> None:
    image = half_red(96, 160)  # the sensor's left is the top of the photo
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    Image.fromarray(image).save(tmp_path / name, exif=exif, **({"quality": 95} if name == "a.jpg" else {}))
    with open_raster(str(tmp_path / name)) as raster:
        assert (raster.height, raster.width) == (160, 96)
        assert raster.shrunk((80, 48)).shape == (80, 48, 3)
    predict(tmp_path / name, "--out", tmp_path / "out")
    mask = np.asarray(Image.open(tmp_path / "out" / "a_mask.png"))
    assert mask.shape == (160, 96) and (mask[:36] == 255).all() and (mask[44:] == 0).all()
    overlay = np.asarray(Image.open(tmp_path / "out" / "a_overlay.jpg")).astype(int)
    assert overlay.shape == (160, 96, 3) and overlay[:30, :, 0].mean() > overlay[50:, :, 0].mean() + 50


def test_a_photo_with_a_world_file_is_placed_as_it_is_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    Image.fromarray(half_red(96, 160)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.jgw").write_text("0.3\n0\n0\n-0.3\n500000.15\n5299999.85\n")
    with open_raster(str(tmp_path / "a.jpg")) as raster:
        assert (raster.height, raster.width) == (96, 160)


def decoded(body: bytes) -> NDArray[np.uint8] | str:
    """Return what examples/serve.py makes of a request's body."""
    pytest.importorskip("ray.serve")
    from examples.serve import read_picture

    return read_picture(body)


def test_the_server_reads_photos_upright_and_refuses_sixteen_bits() -> None:
    def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
        body = io.BytesIO()
        image.save(body, kind, **options)
        return body.getvalue()

    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    photo = decoded(saved(Image.fromarray(half_red(96, 160)), "PNG", exif=exif))
    assert np.array_equal(photo, np.rot90(half_red(96, 160), -1))
    words = Image.fromarray(np.full((8, 8), 3000, dtype=np.uint16))
    assert "16 bits" in str(decoded(saved(words, "PNG")))
    colours = cv2.imencode(".png", half_red(8, 8).astype(np.uint16) * 257)[1].tobytes()
    assert "16 bits" in str(decoded(colours))  # Pillow takes their upper bytes without a word
    for kind in ("TIFF", "BMP", "GIF"):
        assert "no PNG or JPEG" in str(decoded(saved(Image.fromarray(half_red(8, 8)), kind)))
    half = saved(Image.fromarray(half_red()), "JPEG")
    assert "no PNG or JPEG" in str(decoded(half[: len(half) // 2]))
