"""What could not be read is an error, or 255 under --skip-bad: a decoder's filler is never taken for data."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import RasterioIOError

from sweep.predict.mapper import NODATA
from sweep.rasters.files import UnreadableError, made_of, missing_sources
from sweep.rasters.opening import open_raster
from sweep.rasters.raster import Raster
from tests.cases.stub_model import names, predict
from tests.rasters import write_tif
from trainables.errors import TilesweepError

HERE = Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)
SIDE = 256


def picture(height: int = SIDE, width: int = SIDE) -> NDArray[np.uint8]:
    """Noise in patches of 8 pixels, never 0."""
    small = np.random.default_rng(1).integers(20, 220, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8, 1), dtype=np.uint8))


def cut(path: Path, image: NDArray[np.uint8], **options: Any) -> Path:
    """Save a picture, and keep the first half of the file."""
    Image.fromarray(image).save(path, **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def write_vrt(path: Path, bands: list[tuple[str, list[tuple[str, int, int]]]], width: int = 2 * SIDE) -> Path:
    """Write a virtual raster of bands: type, and (file, band, left) of each source of 256 x 256 pixels."""
    lines = [f'<VRTDataset rasterXSize="{width}" rasterYSize="{SIDE}"><SRS>EPSG:32633</SRS>']
    lines.append("<GeoTransform>500000,0.3,0,5300000,0,-0.3</GeoTransform>")
    for number, (kind, sources) in enumerate(bands, 1):
        lines.append(f'<VRTRasterBand dataType="{kind}" band="{number}">')
        for file, band, left in sources:
            lines.append(
                f'<SimpleSource><SourceFilename relativeToVRT="1">{file}</SourceFilename>'
                f"<SourceBand>{band}</SourceBand>"
                f'<SrcRect xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"/>'
                f'<DstRect xOff="{left}" yOff="0" xSize="{SIDE}" ySize="{SIDE}"/></SimpleSource>'
            )
        lines.append("</VRTRasterBand>")
    path.write_text("".join([*lines, "</VRTDataset>"]))
    return path


def write_nested(path: Path, inner: str, width: int = 2 * SIDE) -> None:
    """Write a virtual raster that shows all of another one."""
    window = f'xOff="0" yOff="0" xSize="{width}" ySize="{SIDE}"/>'
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">{inner}'
        f"</SourceFilename><SourceBand>{band}</SourceBand><SrcRect {window}<DstRect {window}</SimpleSource>"
        f"</VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path.write_text(f'<VRTDataset rasterXSize="{width}" rasterYSize="{SIDE}">{bands}</VRTDataset>')


def read_all(raster: Raster, step: int = 96) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Read windows that overlap, from the top; the last word on each row counts."""
    image = np.zeros((3, raster.height, raster.width), dtype=np.uint8)
    valid = np.zeros((raster.height, raster.width), dtype=bool)
    for top in range(0, raster.height, step - 32):
        rows = top, min(top + step, raster.height)
        pixels = raster.read(rows, (0, raster.width))
        image[:, slice(*rows)], valid[slice(*rows)] = pixels.image, pixels.valid
    return image, valid


@pytest.mark.parametrize(
    "name, options", [("a.jpg", {}), ("a.png", {}), ("a.jpg", {"progressive": True}), ("a.webp", {})]
)
@pytest.mark.parametrize("step", [96, 1000])
def test_half_a_picture_is_refused_and_its_missing_half_is_nothing_when_skipped(
    tmp_path: Path, name: str, options: dict[str, Any], step: int
) -> None:
    sound = tmp_path / f"sound_{name}"
    Image.fromarray(picture()).save(sound, **options)
    path = cut(tmp_path / name, picture(), **options)
    with open_raster(str(path), skip_flag="--skip-bad") as raster:
        for _ in range(2):  # and it stays refused
            with pytest.raises(UnreadableError, match=r"cannot be read .*--skip-bad"):
                read_all(raster, step)
    with open_raster(str(sound)) as raster:
        expected, everywhere = read_all(raster)
    assert everywhere.all()
    with open_raster(str(path), skip_bad=True, fill=(1, 2, 3)) as raster:
        image, valid = read_all(raster, step)
        assert raster.bad
        overview = raster.shrunk((SIDE // 2, SIDE // 2))
    assert not valid[SIDE * 2 // 3 :].any()  # behind the cut nothing is data, whatever the decoder returned
    assert (image[:, valid] == expected[:, valid]).all()
    assert (image[:, ~valid] == np.array([[1], [2], [3]])).all()
    assert not overview[SIDE * 2 // 6 :].any()


def test_rows_before_the_end_of_a_cut_jpeg_are_kept(tmp_path: Path) -> None:
    path = cut(tmp_path / "a.jpg", picture())
    with open_raster(str(path), skip_bad=True) as raster:
        _, valid = read_all(raster)
        (place,) = raster.bad
    first = int(place.split("row ")[1].split()[0])
    assert 64 < first < 192 and place == f"everything from row {first} of the file on"
    assert valid[:first].all() and not valid[first:].any()


@pytest.mark.parametrize("after", ["nothing", "a virtual raster of one"])
def test_a_virtual_raster_with_missing_files_is_refused_before_it_is_read(tmp_path: Path, after: str) -> None:
    if after != "nothing":  # GDAL (3.10) then no longer says that files are missing
        write_tif(tmp_path / "other.tif", picture())
        inner = write_vrt(tmp_path / "inner.vrt", [("Byte", [("other.tif", band, 0)]) for band in (1, 2, 3)], SIDE)
        write_nested(tmp_path / "outer.vrt", inner.name, SIDE)
        with open_raster(str(tmp_path / "outer.vrt")) as raster:
            read_all(raster)
    write_tif(tmp_path / "left.tif", picture())
    bands = [("Byte", [("left.tif", band, 0), ("gone.tif", band, SIDE)]) for band in (1, 2, 3)]
    path = write_vrt(tmp_path / "mosaic.vrt", bands)
    nested = tmp_path / "nested.vrt"
    write_nested(nested, "mosaic.vrt")
    for one in (path, nested):
        with (
            pytest.raises(UnreadableError, match=r"not there: .*gone.tif; put them back, or"),
            open_raster(str(one), skip_flag="--skip-bad"),
        ):
            pass
        with rasterio.open(one) as dataset:
            assert missing_sources(dataset) == [str(tmp_path / "gone.tif")]
            assert str(tmp_path / "left.tif") in made_of(dataset)
    with open_raster(str(path), skip_bad=True) as raster:
        image, valid = read_all(raster)
        assert list(raster.bad) == [f"missing file {tmp_path / 'gone.tif'}"]
        assert not raster.valid((0, SIDE), (SIDE - 9, 2 * SIDE))[:, 9:].any()
        assert not raster.shrunk((64, 128))[:, 64:].any()
    assert valid[:, :SIDE].all() and not valid[:, SIDE:].any()
    assert (image[:, :, :SIDE] == picture().transpose(2, 0, 1)).all()
    with (
        pytest.raises(UnreadableError, match=r"or take .*mosaic.vrt\) instead"),
        open_raster(str(nested), skip_bad=True),
    ):
        pass  # GDAL says once that the file is missing, and shows black from then on


def test_damage_inside_nested_virtual_rasters_is_refused_as_nobody_can_tell_where_it_is(tmp_path: Path) -> None:
    cut(tmp_path / "a.jpg", picture())
    write_vrt(tmp_path / "inner.vrt", [("Byte", [("a.jpg", band, 0)]) for band in (1, 2, 3)], SIDE)
    write_nested(tmp_path / "outer.vrt", "inner.vrt", SIDE)
    with open_raster(str(tmp_path / "outer.vrt"), skip_bad=True) as raster:
        assert raster.read((0, 64), (0, SIDE)).valid.all()
        with pytest.raises(UnreadableError, match=r"nobody can tell which, as it shows other virtual rasters"):
            raster.read((64, SIDE), (0, SIDE))


def test_what_failed_once_and_not_again_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(write_tif(tmp_path / "a.tif", picture(), tiled=True, blockxsize=128, blockysize=128))
    read = Raster._values
    failures = iter(("storage was away", "storage was away"))

    def values(raster: Raster, rows: Any, columns: Any) -> Any:
        if columns == (0, SIDE) and rows[0] == 64 and (cause := next(failures, None)):
            raise RasterioIOError(cause)
        return read(raster, rows, columns)

    monkeypatch.setattr(Raster, "_values", values)
    with open_raster(path) as raster, pytest.raises(UnreadableError, match=r"rows 64 to 160.*storage was away.*again"):
        read_all(raster)
    with open_raster(path, skip_bad=True) as raster:
        assert raster.read((0, 64), (0, SIDE)).valid.all()
        assert not raster.read((64, 160), (0, SIDE)).valid.any()
        assert list(raster.bad) == ["pixels of rows 64 to 160, columns 0 to 256"]


def test_bands_of_unlike_types_are_read_one_by_one(tmp_path: Path) -> None:
    write_tif(tmp_path / "bytes.tif", picture())
    write_tif(tmp_path / "words.tif", picture().astype(np.uint16) * 10)
    bands = [("Byte", [("bytes.tif", 1, 0)]), ("UInt16", [("words.tif", 2, 0)]), ("UInt16", [("words.tif", 3, 0)])]
    path = str(write_vrt(tmp_path / "mixed.vrt", bands, SIDE))
    with pytest.raises(TilesweepError, match=r"are uint16, uint8, not uint8.*--scale"), open_raster(path):
        pass
    with open_raster(path, scale=((0, 2550),)) as raster:
        image = raster.read((0, SIDE), (0, SIDE)).image
        assert raster.shrunk((64, 64)).shape == (64, 64, 3)
    assert (image[1:] == picture()[:, :, 1:].transpose(2, 0, 1)).all()
    assert (image[0] == np.round(picture()[:, :, 0] / 10)).all()


@pytest.mark.parametrize("scale", [None, (0.0, 255.0)])
def test_complex_numbers_are_refused_with_and_without_a_scale(
    tmp_path: Path, scale: tuple[float, float] | None
) -> None:
    path = write_tif(tmp_path / "a.tif", picture().astype(np.complex64))
    with pytest.raises(TilesweepError, match="complex numbers"), open_raster(str(path), scale=scale):
        pass


def test_numbers_far_outside_the_scale_warn_nobody(tmp_path: Path) -> None:
    values = picture().astype(np.float32)
    values[0, 0], values[0, 1], values[0, 2] = -3.4e38, 3.4e38, np.inf
    path = write_tif(tmp_path / "a.tif", values, nodata=-3.4e38)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_raster(str(path), scale=((0, 255),)) as raster:
            pixels = raster.read((0, SIDE), (0, SIDE))
    assert pixels.image[:, 0, 1].tolist() == [255, 255, 255]
    assert pixels.valid[0, :4].tolist() == [False, True, False, True]


def test_a_damaged_raster_without_a_scale_gets_one_line(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", picture().astype(np.uint16), compress="deflate")
    data = path.read_bytes()
    path.write_bytes(data[:1000] + b"\xff" * (len(data) - 1000))
    with pytest.raises(TilesweepError, match=r"--scale|no raster"), open_raster(str(path)):
        pass


def test_what_is_no_raster_is_skipped_and_listed_and_the_others_are_predicted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("t1", "t3"):
        write_tif(folder / f"{name}.tif", picture())
    (folder / "t2.tif").touch()
    (folder / "._t1.tif").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(200))
    with pytest.raises(TilesweepError, match=r"t2.tif: is no raster .*--skip-bad leaves it out"):
        predict(folder, "--out", out)
    assert names(out) == []
    capfd.readouterr()
    predict(folder, "--out", out, "--skip-bad")
    said, errors = capfd.readouterr()
    assert f"skipped        1 file in {folder} whose names begin with a dot" in said
    assert f"skipped        {folder}/t2.tif: is no raster" in said and errors == ""
    assert names(out) == ["predictions.json", "t1_mask.qml", "t1_mask.tif", "t3_mask.qml", "t3_mask.tif"]
    with pytest.raises(TilesweepError, match="is no raster"):
        predict(folder / "t2.tif", "--out", out, "--skip-bad")


def test_damage_is_listed_in_one_line_and_255_in_the_map(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_tif(tmp_path / "a.tif", picture(), compress="deflate", blockysize=4)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    out = tmp_path / "out"
    with pytest.raises(TilesweepError, match=r"a.tif: block in row \d+, column 0 .* cannot be read"):
        predict(path, "--out", out)
    predict(path, "--out", out, "--skip-bad")  # goes on with the parts before the damage
    said, errors = capfd.readouterr()
    warned = [line for line in said.splitlines() if line.startswith("warning")]
    assert len(warned) == 1 and "more, all listed in predictions.json" in warned[0] and errors == ""
    with rasterio.open(out / "a_mask.tif") as file:
        mask = file.read(1)
    assert (mask[-4:] == NODATA).all() and (mask[:4] == (picture()[:4, :, 0] >= 128)).all()
    with pytest.raises(TilesweepError, match="cannot be read"):  # no map with holes for who does not ask for one
        predict(path, "--out", out)


def test_a_model_whose_output_is_not_a_number_maps_nothing(tmp_path: Path) -> None:
    path, out = write_tif(tmp_path / "a.tif", picture()), tmp_path / "out"
    with pytest.raises(TilesweepError, match=r"rows 0 to \d+ is not a number .*diverged"):
        predict(path, "--out", out, forward=lambda images: images[:, :1].float() * float("nan"))
    assert not list(out.glob("*mask*"))
