"""Images of other people's files: the right pixels, or one line that says what they are and a fix that works."""

from __future__ import annotations

import json
import re
import shlex
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image
from rasterio.transform import from_origin

from sweep.patches.rasters.area import Area
from sweep.patches.rasters.georeference import require_same_place
from sweep.patches.rasters.reader import open_raster
from tests.conftest import ROOT
from tests.rasters import open_image
from tests.sweep.patches.test_patches import _refused, _run, _split_file
from trainables.data.decoding import decode_image
from trainables.data.tiles import TuningData, scan_split
from trainables.errors import DataError
from trainables.task import Task

HERE = from_origin(600_000, 5_400_000, 0.5, 0.5)
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
"""How a camera stores an upright picture under each orientation of EXIF."""


def picture(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """A picture of 16-pixel blocks, which JPEG keeps nearly."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return blocks.repeat(16, 0).repeat(16, 1)


def geotiff(path: Path, pixels: np.ndarray, *, transform: Any = HERE, crs: str = "EPSG:32632", **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    height, width, count = pixels.shape
    form = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": pixels.dtype.name}
    with rasterio.open(path, "w", crs=crs, transform=transform, **form, **more) as file:
        file.write(np.moveaxis(pixels, 2, 0))
    return path


def deep_png(path: Path, pixels: np.ndarray) -> Path:
    """Write a 16-bit RGB PNG, which Pillow cannot."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def stored(path: Path, upright: np.ndarray, orientation: int) -> Path:
    pixels = np.ascontiguousarray(STORED[orientation](upright))
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
        return path
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(
        path, exif=exif, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {})
    )
    return path


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_image(path).read()
    (line,) = caught.value.faults
    assert line.startswith(f"{path}: ") and "; " in line and "\n" not in line
    return line


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_viewers_show_it(tmp_path: Path, ending: str, orientation: int) -> None:
    upright = picture()
    image = open_image(stored(tmp_path / f"a{ending}", upright, orientation))
    assert image.shape == (96, 128) and image.orientation == orientation
    close = 12 if ending == ".jpg" else 0
    assert np.abs(image.read().astype(int) - upright).max() <= close
    part = image.read(Area(top=16, left=32, height=48, width=80)).astype(int)
    assert part.shape == (48, 80, 3) and np.abs(part - upright[16:64, 32:112]).max() <= close


def test_tile_and_mask_meet_where_the_labelling_tool_showed_the_picture_upright(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corners = [[16, 16], [64, 16], [64, 48], [16, 48]]
    shape = {"label": "roof", "shape_type": "polygon", "points": corners}
    (tmp_path / "in").mkdir()
    for number, orientation in enumerate((3, 6, 8)):
        upright = picture(128, 128, number)
        upright[..., 0] //= 2
        upright[16:48, 16:64] = (230, 20, 20)
        stored(tmp_path / f"in/e{number}.jpg", upright, orientation)
        text = json.dumps({"shapes": [shape], "imageWidth": 128, "imageHeight": 128})
        (tmp_path / f"in/e{number}.json").write_text(text)
    split = _split_file(tmp_path / "split.toml", train=["e0"], val=["e1"], test=["e2"])
    arguments = ("make", "--src", tmp_path / "in", "--labels", tmp_path / "in", "--dst", tmp_path / "out")
    assert _run(*arguments, "--split", split, "--size", "128") == 0
    assert "turned 3 images upright" in " ".join(capsys.readouterr().out.split())
    for part in ("train", "val", "test"):
        ((files,), _) = scan_split(tmp_path / "out", part, Task())
        red = (np.abs(files.tile.image.astype(int) - (230, 20, 20)) < 30).all(-1)
        mask = files.tile.mask == 1
        assert (red & mask).sum() / (red | mask).sum() > 0.95


def test_a_ready_tile_that_is_stored_turned_is_refused_and_the_documented_command_turns_it(
    dataset: Path, tmp_path: Path
) -> None:
    upright = picture(64, 64)
    (dataset / "train/images/t1.png").unlink()
    path = stored(dataset / "train/images/t1.jpg", upright, 6)
    with pytest.raises(DataError, match=r"t1.jpg: is stored turned, as its EXIF orientation 6 says; save it upright"):
        TuningData.read(dataset)
    guide = (ROOT / "docs/rasters.md").read_text()
    (command,) = re.findall(r"\n    (for file in .*\n.*done)", guide)
    command = (
        command.replace("\n    ", "\n")
        .replace("roofs/", f"{dataset}/")
        .replace("python ", f"{shlex.quote(sys.executable)} ")
    )
    assert "roofs" in guide and str(dataset) in command
    subprocess.run(["bash", "-c", command], check=True, timeout=60)
    assert np.abs(decode_image(path.read_bytes(), path).astype(int) - upright).max() <= 12
    TuningData.read(dataset)


@pytest.mark.parametrize(
    "form",
    [
        {"compress": "lzw"},
        {"compress": "zstd"},
        {"compress": "deflate", "predictor": 2, "tiled": True, "blockxsize": 64, "blockysize": 64},
        {"compress": "packbits"},
        {"interleave": "band"},
        {"interleave": "band", "compress": "lzw"},
        {"BIGTIFF": "YES"},
        {"ENDIANNESS": "BIG", "compress": "lzw"},
    ],
    ids=str,
)
def test_every_geotiff_that_gdal_writes_is_read_exactly(tmp_path: Path, form: dict[str, Any]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    image = open_image(geotiff(tmp_path / "a.tif", pixels, **form))
    assert np.array_equal(image.read(), pixels)
    assert np.array_equal(image.read(Area(top=10, left=5, height=60, width=85)), pixels[10:70, 5:90])


def test_a_jpeg_in_a_geotiff_is_read(tmp_path: Path) -> None:
    image = open_image(geotiff(tmp_path / "a.tif", picture(), compress="jpeg", photometric="ycbcr"))
    assert np.abs(image.read().astype(int) - picture()).mean() < 8 and image.lossy


def test_bands_are_read_in_the_order_of_their_colours(tmp_path: Path) -> None:
    from rasterio.enums import ColorInterp

    path = geotiff(tmp_path / "a.tif", picture()[..., ::-1])
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    assert np.array_equal(open_image(path).read(), picture())


def test_a_window_of_a_large_geotiff_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    form = {"driver": "GTiff", "height": 20_000, "width": 20_000, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", tiled=True, compress="lzw", SPARSE_OK=True, transform=HERE, **form) as file:
        file.write(np.full((3, 256, 256), 7, np.uint8), window=((10_240, 10_496), (10_240, 10_496)))
    tracemalloc.start()
    tile = open_image(path).read(Area(top=10_000, left=10_000, height=1024, width=1024))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert tile.shape == (1024, 1024, 3) and tile[240, 240].tolist() == [7, 7, 7] and tile.sum() == 3 * 7 * 256**2
    assert peak < 20 * 2**20


def test_16_bits_are_refused_before_they_are_cut_and_the_printed_flag_scales_them(tmp_path: Path) -> None:
    values = [picture(96, 96, seed).astype(np.uint16) * 12 + 50 for seed in range(3)]
    for name, one in zip("abc", values, strict=True):
        (tmp_path / "in/masks").mkdir(parents=True, exist_ok=True)
        geotiff(tmp_path / f"in/images/{name}.tif", one)
        Image.fromarray(np.eye(96, dtype=np.uint8) * 255).save(tmp_path / f"in/masks/{name}.png")
    deep_png(tmp_path / "in/images/b.png", values[1])
    (tmp_path / "in/images/b.tif").unlink()
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    command = ["make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--split", split, "--size", "96"]
    for name in ("a.tif", "b.png"):
        said = fault(tmp_path / f"in/images/{name}")
        assert "has 3 bands of uint16" in said
    flag = re.findall(r"--scale \S+%,\S+%", said)[0]
    assert _run(*command, *flag.split()) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.imagery.stored == "uint16" and data.imagery.scale is not None
    ends = np.percentile(np.concatenate([one.reshape(-1, 3) for one in values]), (2, 98), axis=0).T
    assert np.allclose(data.imagery.scale, ends)
    expected = (values[0] - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * 255
    assert np.abs(data.train[0].image - expected.clip(0, 255)).max() <= 0.51


def test_a_ready_tile_of_16_bits_is_refused(dataset: Path) -> None:
    deep_png(dataset / "train/images/t1.png", picture(64, 64).astype(np.uint16) * 257)
    with pytest.raises(DataError, match=r"t1.png: is 16-bit RGB, not 8-bit RGB"):
        TuningData.read(dataset)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "P", "CMYK", "tRNS"])
def test_other_pictures_are_read_in_their_colours(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a b.jpg" if mode == "CMYK" else "a b.png")
    made = Image.fromarray(picture())
    if mode == "tRNS":
        made.save(path, transparency=(1, 2, 3))
    else:
        made = made.quantize(64) if mode == "P" else made.convert(mode)
        made.save(path, **({"quality": 100} if mode == "CMYK" else {}))
    image = open_image(path)
    close = 8 if mode == "CMYK" else 0
    assert np.abs(image.read().astype(int) - np.asarray(made.convert("RGB"))).max() <= close
    with image.opened() as opened:
        assert opened.valid(Area.whole(image.shape)).all()


def test_transparent_pixels_hold_nothing(tmp_path: Path) -> None:
    alpha = np.full((96, 128), 255, np.uint8)
    alpha[:20, :30] = 0
    Image.fromarray(np.dstack([picture(), alpha])).save(tmp_path / "a.png")
    pixels = picture()
    pixels[5:9, 5:9] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "b.png", transparency=(1, 2, 3))
    for name, nothing in (("a.png", alpha == 0), ("b.png", (pixels == (1, 2, 3)).all(-1))):
        image = open_image(tmp_path / name)
        assert image.read().shape == (96, 128, 3)
        with image.opened() as opened:
            assert np.array_equal(opened.valid(Area.whole(image.shape)), ~nothing)


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "GIF", "JPEG2000"])
def test_pictures_of_other_kinds_are_read_under_any_name(tmp_path: Path, kind: str) -> None:
    lossless = {"lossless": True} if kind == "WEBP" else {}
    made = Image.fromarray(picture()).quantize(64).convert("RGB")
    made.save(tmp_path / "a.png", kind, **lossless)
    assert np.array_equal(open_image(tmp_path / "a.png").read(), np.asarray(made))


@pytest.mark.parametrize(("kind", "said"), [("WEBP", "WebP"), ("BMP", "BMP"), ("GIF", "GIF")])
def test_a_ready_tile_of_another_kind_under_the_name_png_is_named(dataset: Path, kind: str, said: str) -> None:
    Image.fromarray(picture(64, 64)).save(dataset / "train/images/t1.png", kind)
    with pytest.raises(DataError, match=f"t1.png: holds a {said} picture"):
        TuningData.read(dataset)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG"])
@pytest.mark.parametrize("ending", [".tif", ".png", ".jpg"])
def test_the_content_says_what_a_file_is_and_not_its_name(tmp_path: Path, kind: str, ending: str) -> None:
    Image.fromarray(picture()).save(tmp_path / f"a{ending}", kind)
    image = open_image(tmp_path / f"a{ending}")
    assert image.driver.removeprefix("G").upper() == kind and np.abs(image.read().astype(int) - picture()).mean() < 8


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("left", [0.0, 0.5, 0.9])
def test_a_truncated_file_is_damaged_and_never_grey_pixels(tmp_path: Path, ending: str, left: float) -> None:
    path = tmp_path / f"a{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * left)])
    assert re.search("cannot be read|is no raster", fault(path))


def test_a_virtual_raster_that_points_elsewhere_is_not_followed(tmp_path: Path) -> None:
    geotiff(tmp_path / "secret.tif", picture())
    (tmp_path / "a.tif").write_text(
        '<VRTDataset rasterXSize="128" rasterYSize="96"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{tmp_path}/secret.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    assert "is a virtual raster, which shows other files; call it .vrt if that is meant" in fault(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.vrt")


@pytest.mark.parametrize("name", ["a.tif", "a b.gif"])
def test_several_pictures_in_a_file_are_refused_and_the_printed_command_saves_each(tmp_path: Path, name: str) -> None:
    first, second = (Image.fromarray(picture(seed=seed)).quantize(64) for seed in (0, 1))
    first.save(tmp_path / name, save_all=True, append_images=[second])
    said = fault(tmp_path / name)
    assert "holds 2 pictures" in said
    words = shlex.split(said.partition("such as ")[2])
    subprocess.run([sys.executable, *words[1:]], check=True, timeout=60)
    saved = sorted(tmp_path.glob("*_[01].png"))
    for path, page in zip(saved, (first, second), strict=True):
        assert np.array_equal(open_image(path).read(), np.asarray(page.convert("RGB")))


def test_a_mask_that_lies_elsewhere_than_its_image_is_refused(tmp_path: Path) -> None:
    mask = np.zeros((96, 96), np.uint8)
    mask[:48] = 255
    for number, name in enumerate("abc"):
        geotiff(tmp_path / f"in/images/{name}.tif", picture(96, 96, number))
        geotiff(tmp_path / f"in/masks/{name}.tif", mask, transform=from_origin(600_020, 5_400_000, 0.5, 0.5))
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    arguments = ("make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--split", split, "--size", "96")
    _refused("masks/a.tif: is up to 40 pixels away from its image a.tif", *arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (HERE, "EPSG:32632"),
        (from_origin(600_000.25, 5_399_999.75, 0.5, 0.5), "EPSG:32632"),  # a pixel's centre taken for its corner
        (HERE, "+proj=utm +zone=32 +datum=WGS84 +units=m"),
    ],
)
def test_a_mask_at_the_place_of_its_image_is_taken(tmp_path: Path, transform: Any, crs: str) -> None:
    image = geotiff(tmp_path / "a.tif", picture())
    mask = geotiff(tmp_path / "m.tif", picture()[..., 0], transform=transform, crs=crs)
    require_same_place(open_raster(image), open_raster(mask))


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
def test_pillow_s_limit_on_pixels_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    Image.fromarray(picture()).save(tmp_path / f"a{ending}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # its own is 89 million, and twice that is an error
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / f"a{ending}")
    assert open_raster(tmp_path / f"a{ending}").read().shape == (96, 128, 3)
