"""Masks of other people's files: the truth, or one line whose fix, typed as printed, makes it."""

from __future__ import annotations

import re
import shlex
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFilter

from sweep.patches.rasters.area import Area
from sweep.patches.rasters.foreground import ForegroundReader, parse_foreground
from sweep.patches.rasters.mask_files import open_mask, read_classes
from sweep.patches.rasters.reader import RasterFile
from sweep.patches.tasks import read_task
from tests.cases.test_image_files import geotiff, picture
from tests.sweep.patches.test_patches import _run, _split_file
from trainables.data.decoding import decode_mask
from trainables.data.tiles import TuningData
from trainables.errors import DataError
from trainables.task import Task

ROOFS = Task(kind="multiclass", classes=("ground", "roof"), remap={"5": "roof"})


def disc() -> np.ndarray:
    rows, columns = np.mgrid[:128, :128]
    return ((rows - 64) ** 2 + (columns - 60) ** 2 < 30**2).astype(np.uint8)


def whole(read_area: Callable[[RasterFile, Area], np.ndarray], path: Path) -> np.ndarray:
    """Read a mask at once, and again in two parts: it is the same."""
    mask = open_mask(path)
    height, width = mask.shape
    parts = [Area(top=0, left=0, height=50, width=width), Area(top=50, left=0, height=height - 50, width=width)]
    found = read_area(mask, Area.whole(mask.shape))
    assert np.array_equal(np.concatenate([read_area(mask, part) for part in parts]), found)
    return found


def classes(path: Path, task: Task) -> np.ndarray:
    return whole(lambda mask, area: read_classes(mask, area, task), path)


def read(path: Path, flag: str = "") -> np.ndarray:
    return whole(ForegroundReader(parse_foreground(flag)).read, path)


def fault(path: Path, flag: str = "") -> str:
    with pytest.raises(DataError) as caught:
        read(path, flag)
    (line,) = caught.value.faults
    assert line.startswith(f"{path}: ") and "; " in line and "\n" not in line
    return line


def advised(line: str) -> str:
    """Return the value of the ``--foreground`` that a line advises, as a shell would pass it."""
    words = shlex.split(re.search(r"--foreground .*", line.replace(",", " "))[0])  # type: ignore[index]
    return words[1].rstrip(";")


def as_jpeg(path: Path) -> None:
    Image.fromarray(disc() * 255).save(path.with_suffix(".jpg"))


def as_colour_jpeg(path: Path) -> None:
    Image.fromarray(disc() * 255).convert("RGB").save(path.with_suffix(".jpg"), quality=80)


def smoothed(path: Path) -> None:
    large = Image.fromarray(disc() * 255).resize((512, 512), Image.Resampling.NEAREST)
    large.resize((128, 128), Image.Resampling.BICUBIC).filter(ImageFilter.SMOOTH).save(path)


def noisy(path: Path) -> None:
    random = np.random.default_rng(0)
    values = np.where(disc() == 1, random.integers(160, 256, (128, 128)), random.integers(0, 90, (128, 128)))
    Image.fromarray(values.astype(np.uint8)).save(path)


def nearly_pure(path: Path) -> None:
    Image.fromarray(np.where(disc() == 1, 254 + np.indices((128, 128))[0] % 2, 0).astype(np.uint8)).save(path)


def probabilities(path: Path) -> None:
    values = np.where(disc() == 1, 0.9, 0.1) + np.random.default_rng(0).uniform(-0.1, 0.1, (128, 128))
    geotiff(path.with_suffix(".tif"), values.astype(np.float32))


@pytest.mark.parametrize("write", [as_jpeg, as_colour_jpeg, smoothed, noisy, nearly_pure, probabilities])
def test_the_advised_threshold_makes_the_true_mask(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "a.png")
    (path,) = tmp_path.iterdir()
    line = fault(path)
    assert "values (" in line or "the values" in line
    flag = advised(line)
    assert flag.startswith(">") and np.array_equal(read(path, flag), disc())


def test_255_beside_0_and_1_is_not_called_background_or_foreground_by_guess(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = disc()
    truth[:10] = 255
    for number, name in enumerate("abc"):
        for kind in ("images", "masks"):
            (tmp_path / "in" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(128, 128, number)).save(tmp_path / f"in/images/{name}.png")
        Image.fromarray(truth).save(tmp_path / f"in/masks/{name}.png")
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    arguments = ("make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--split", split, "--size", "128")
    assert _run(*arguments) == 2
    error = capsys.readouterr().err
    assert "holds the values 0, 1, 255; if 255 means not labelled, say --task FILE with" in error
    (tmp_path / "task.json").write_text(re.search(r"with (\{.*?\});", error)[1])  # type: ignore[index]
    assert _run(*arguments, "--task", tmp_path / "task.json") == 0
    data = TuningData.read(tmp_path / "out")
    assert data.task.ignores and np.array_equal(data.train[0].mask, truth)


def test_a_value_that_is_declared_no_data_is_no_foreground(tmp_path: Path) -> None:
    values = disc() * np.uint8(255)
    line = fault(geotiff(tmp_path / "a.tif", values, nodata=255))
    assert "holds the values 0, 255, of which 255 is declared to be no data" in line and '"ignores": true' in line
    assert np.array_equal(read(geotiff(tmp_path / "b.tif", values, nodata=0)), disc())


def test_class_indices_are_shown_and_one_is_asked_for(tmp_path: Path) -> None:
    values = disc() * np.uint8(3)
    values[:5], values[5:10] = 1, 2
    Image.fromarray(values).save(tmp_path / "a.png")
    line = fault(tmp_path / "a.png")
    assert "holds the values 0, 1, 2, 3" in line and "--task FILE" in line
    assert np.array_equal(read(tmp_path / "a.png", advised(line)), disc())
    large = np.where(disc() == 1, 1000, 300).astype(np.uint16)
    path = geotiff(tmp_path / "b.tif", large)
    assert "the values 300, 1000" in fault(path) and np.array_equal(read(path, advised(fault(path))), disc())


def test_masks_that_hold_one_class_each_but_not_the_same_one_are_refused(tmp_path: Path) -> None:
    reader = ForegroundReader(parse_foreground(""))
    for name, value in (("a", 1), ("b", 255), ("c", 0)):
        Image.fromarray(disc() * np.uint8(value)).save(tmp_path / f"{name}.png")
        assert np.array_equal(whole(reader.read, tmp_path / f"{name}.png"), disc() * (value > 0))
    Image.fromarray(disc() * np.uint8(2)).save(tmp_path / "d.png")
    with pytest.raises(DataError, match=r"d.png: masks of one class hold one value, but d.png holds 2 and a.png 1; "):
        whole(reader.read, tmp_path / "d.png")


@pytest.mark.parametrize("flag", ["255", "255,255,255"])
def test_indices_and_colours_of_a_jpeg_mask_are_refused(tmp_path: Path, flag: str) -> None:
    as_colour_jpeg(tmp_path / "a.png")
    assert "is compressed as JPEG" in fault(tmp_path / "a.jpg", flag)
    with pytest.raises(DataError, match="is compressed as JPEG, which blurs indices and colours; export the masks"):
        classes(tmp_path / "a.jpg", Task(classes=("a", "b"), remap={"*": "a"}))


def test_a_jpeg_of_pure_black_and_white_needs_no_flag(tmp_path: Path) -> None:
    halves = np.zeros((128, 128), np.uint8)
    halves[64:] = 255  # on the edge of JPEG's blocks
    Image.fromarray(halves).save(tmp_path / "a.jpg", quality=100)
    assert np.array_equal(read(tmp_path / "a.jpg"), halves // 255) and np.array_equal(
        read(tmp_path / "a.jpg", "255"), halves // 255
    )


def paletted(path: Path, values: np.ndarray, colours: dict[int, tuple[int, int, int]]) -> Path:
    table = np.zeros((256, 3), np.uint8)
    for value, colour in colours.items():
        table[value] = colour
    if path.suffix == ".tif":
        tifffile.imwrite(path, values, photometric="palette", colormap=table.T.astype(np.uint16) * 257)
        return path
    mask = Image.fromarray(values, "P")
    mask.putpalette(table.ravel().tolist())
    mask.save(path)
    return path


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_indices_under_a_palette_are_the_values_where_the_task_names_no_colours(tmp_path: Path, ending: str) -> None:
    values = disc() * np.uint8(5)
    values[:4] = 255  # Pascal VOC's border
    path = paletted(tmp_path / f"a{ending}", values, {5: (128, 0, 128), 255: (224, 224, 192)})
    truth = disc()
    truth[:4] = 255
    assert np.array_equal(classes(path, ROOFS), truth)
    legend = Task(kind="multiclass", classes=("roof", "ground"), colours=((128, 0, 128), (0, 0, 0)))
    with pytest.raises(DataError, match="colours outside the legend, such as 224,224,192"):
        classes(path, legend)
    named = Task(kind="multiclass", classes=legend.classes, colours=legend.colours, remap={"224,224,192": "ignore"})
    assert np.array_equal(classes(path, named), np.where(truth == 255, 255, 1 - truth))


def test_ready_masks_with_a_palette_are_indices_too(tmp_path: Path) -> None:
    path = paletted(tmp_path / "a.png", disc(), {0: (9, 9, 9), 1: (128, 0, 128)})
    task = Task(kind="multiclass", classes=("ground", "roof"))
    assert np.array_equal(decode_mask(path.read_bytes(), path, task), disc())


def test_a_palette_that_shows_0_white_is_no_mask_of_0_and_1_by_guess(tmp_path: Path) -> None:
    path = paletted(tmp_path / "a.png", 1 - disc(), {0: (255, 255, 255), 1: (0, 0, 0)})
    line = fault(path)
    assert "its palette shows the value 0 white and 1 black" in line
    assert np.array_equal(read(path, "0"), disc()) and np.array_equal(read(path, "1"), 1 - disc())


def test_an_opaque_alpha_channel_is_no_colour(tmp_path: Path) -> None:
    opaque = np.full((128, 128), 255, np.uint8)
    Image.fromarray(np.dstack([disc() * 255, opaque])).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png"), disc())
    assert np.array_equal(read(tmp_path / "a.png", "255"), disc())
    red = np.zeros((128, 128, 4), np.uint8)
    red[disc() == 1] = (200, 0, 0, 128)
    Image.fromarray(red).save(tmp_path / "b.png")
    assert np.array_equal(read(tmp_path / "b.png", "200,0,0"), disc())
    assert np.array_equal(classes(tmp_path / "b.png", Task(colours=((0, 0, 0), (200, 0, 0)))), disc())
    red[0, 0] = (200, 0, 0, 0)
    Image.fromarray(red).save(tmp_path / "c.png")
    assert "holds a value in 1 transparent pixel, so" in fault(tmp_path / "c.png", "200,0,0")


def grey_png(path: Path, values: np.ndarray, bits: int) -> Path:
    """Write a grey PNG of 2 or 4 bits, which Pillow cannot."""
    per_byte = 8 // bits
    shifts = np.arange(per_byte)[::-1] * bits
    packed = (values.reshape(len(values), -1, per_byte) << shifts).sum(-1).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", values.shape[1], len(values), bits, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("bits", [2, 4])
def test_indices_of_few_bits_are_not_spread_over_255(dataset: Path, tmp_path: Path, bits: int) -> None:
    values = np.random.default_rng(0).integers(0, 4, (64, 64), dtype=np.uint8)
    task = Task(kind="multiclass", classes=("a", "b", "c", "d"))
    path = grey_png(tmp_path / "m.png", values, bits)
    assert np.array_equal(classes(path, task), values) and np.array_equal(open_mask(path).read(), values)
    top = 2**bits - 1
    grey_png(dataset / "train/masks/t1.png", (values > 1) * np.uint8(top), bits)  # black and white
    assert np.array_equal(TuningData.read(dataset).train[0].mask, values > 1)


def test_a_ready_mask_that_holds_a_jpeg_is_refused(dataset: Path) -> None:
    Image.new("L", (64, 64)).save(dataset / "train/masks/t1.png", "JPEG")
    with pytest.raises(DataError, match=r"t1.png: holds a JPEG, which blurs the values of masks; save the mask as PNG"):
        TuningData.read(dataset)


def test_masks_of_16_and_32_bits_are_read_without_a_loss(tmp_path: Path) -> None:
    for dtype, value in ((np.uint16, 1000), (np.int32, 70_000), (np.float32, 0.5)):
        path = geotiff(tmp_path / f"{np.dtype(dtype).name}.tif", np.where(disc() == 1, value, 0).astype(dtype))
        assert np.array_equal(read(path), disc())
    Image.fromarray(disc().astype(np.uint16) * 300).save(tmp_path / "deep.png")
    assert np.array_equal(read(tmp_path / "deep.png"), disc())
    values = disc().astype(np.float32)
    values[0, 0] = np.nan
    assert "holds NaN" in fault(geotiff(tmp_path / "nan.tif", values))


@pytest.mark.parametrize("compress", ["lzw", "zstd", "deflate"])
def test_masks_of_every_compression_are_read_exactly(tmp_path: Path, compress: str) -> None:
    assert np.array_equal(read(geotiff(tmp_path / "a.tif", disc() * 255, compress=compress)), disc())


@pytest.mark.parametrize("text", [">", ">x", "1,2", "256,0,0", "70000", "-1", "9" * 5000, "red", ">1e400", "٣"])
def test_a_bad_foreground_is_one_short_line(text: str) -> None:
    with pytest.raises(DataError, match="give an index") as caught:
        parse_foreground(text)
    assert len(str(caught.value)) < 300


def test_a_task_of_the_guide_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"classes": ["background", "foreground"], "ignores": true}')
    assert read_task(tmp_path / "t.json") == Task(ignores=True)
