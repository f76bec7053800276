"""Windows of images without labels: which are read, how many, and what is refused or said."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.rasters.ground import Corners
from sweep.rasters.held_out import HeldOut, pixels_sha256
from sweep.rasters.unlabelled import UnlabelledImages, read_unlabelled
from tests.rasters import write_tif
from trainables.data.imagery import RGB, Imagery
from trainables.errors import DataError

NONE = HeldOut()


def noise(seed: int, height: int = 64, width: int = 64, bands: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, bands), dtype=np.uint8)


def save(path: Path, image: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def faults(folder: Path, held_out: HeldOut = NONE, imagery: Imagery = RGB) -> list[str]:
    with pytest.raises(DataError) as refused:
        read_unlabelled(folder, imagery, held_out)
    return list(refused.value.faults)


def test_small_images_are_windows_of_their_own_and_folders_below_count(tmp_path: Path) -> None:
    save(tmp_path / "b10.png", noise(1))
    save(tmp_path / "b2.png", noise(2, 80, 100))
    save(tmp_path / "below/a.png", noise(3))
    save(tmp_path / "._b2.png", noise(4))
    (tmp_path / "notes.txt").write_text("no image")
    found = read_unlabelled(tmp_path, RGB, NONE)
    assert [tile.name for tile in found.tiles] == ["b2.png y=0 x=0", "b10.png y=0 x=0", "a.png y=0 x=0"]
    assert np.array_equal(found.tiles[0].image, noise(2, 80, 100)) and not found.tiles[0].mask.any()
    assert (found.images, found.windows, found.notes) == (3, 3, ())
    assert "3 images" in found.summary and "all used, of 2 sizes" in found.summary


def test_a_large_raster_is_cut_into_equal_windows(tmp_path: Path) -> None:
    image = noise(1, 250, 100)
    write_tif(tmp_path / "a.tif", image)
    found = read_unlabelled(tmp_path, RGB, NONE, side=100)
    assert [tile.shape for tile in found.tiles] == [(83, 100), (83, 100), (84, 100)]
    assert np.array_equal(np.concatenate([tile.image for tile in found.tiles]), image)


def test_of_more_than_memory_has_room_for_some_are_drawn_always_the_same(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", noise(1, 640, 640))
    write_tif(tmp_path / "b.tif", noise(2, 640, 640))
    found, again = (read_unlabelled(tmp_path, RGB, NONE, side=64, most_bytes=50 * 64 * 64 * 4) for _ in range(2))
    assert len(found.tiles) == 50 and found.windows == 200
    assert {tile.name.partition(" ")[0] for tile in found.tiles} == {"a.tif", "b.tif"}
    assert found.sha256 == again.sha256 and "50 of 200 windows used" in found.summary


def test_a_huge_raster_is_never_held_whole(tmp_path: Path) -> None:
    side = 12_000  # 432 MB of pixels, of which the file holds none
    write_tif(tmp_path / "a.tif", np.zeros((16, 16, 3), np.uint8))
    import rasterio

    profile = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", **profile, tiled=True, sparse_ok=True):
        pass
    tracemalloc.start()
    found = read_unlabelled(tmp_path, RGB, NONE, side=1024, most_bytes=20 * 2**20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.tiles) == 5 and found.windows == 144
    assert peak < 60 * 2**20


def test_where_an_image_holds_nothing_is_not_learned_from(tmp_path: Path) -> None:
    half = noise(1)
    half[:24] = 0
    write_tif(tmp_path / "a.tif", np.where(half == 0, 0, half.clip(1)), nodata=0)
    write_tif(tmp_path / "b.tif", np.zeros((64, 64, 3), np.uint8), nodata=0)
    found = read_unlabelled(tmp_path, RGB, NONE)
    assert len(found.tiles) == 1 and (found.tiles[0].mask[:24] == 255).all()
    assert found.empty == 1 and "1 window left out: they hold next to nothing" in found.notes


def test_what_no_folder_of_images_is_is_refused_in_a_line(tmp_path: Path) -> None:
    assert faults(tmp_path / "nowhere")[0].endswith("no such folder on this machine; fix the path")
    (tmp_path / "empty").mkdir()
    assert "holds no image (.tif, .tiff" in faults(tmp_path / "empty")[0]
    file = save(tmp_path / "file.png", noise(1))
    assert "no such folder" in faults(file)[0]


def test_all_damaged_files_and_what_is_no_image_are_named_at_once(tmp_path: Path) -> None:
    save(tmp_path / "good.png", noise(1))
    (tmp_path / "text.png").write_text("hello")
    whole = save(tmp_path / "cut.jpg", noise(2, 256, 256)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.tif").write_bytes(b"")
    said = faults(tmp_path)
    assert [any(name in line for line in said) for name in ("text.png", "empty.tif")] == [True, True]
    assert not any("good" in line or "--skip-bad" in line or "--bands" in line for line in said)
    for name in ("text.png", "empty.tif"):
        (tmp_path / name).unlink()
    assert "cut.jpg" in faults(tmp_path)[0] and len(faults(tmp_path)) == 1


def test_images_of_other_bands_are_used_as_the_tiles_bands_and_both_numbers_said(tmp_path: Path) -> None:
    write_tif(tmp_path / "four.tif", noise(1, bands=4), photometric="RGB", alpha="no")
    save(tmp_path / "grey.png", noise(2)[..., 0])
    save(tmp_path / "rgb.png", noise(3))
    found = read_unlabelled(tmp_path, RGB, NONE)
    assert found.notes == (
        "1 image (grey.png) of 1 band, where the tiles have 3: red, green, blue are taken",
        "1 image (four.tif) of 4 bands, where the tiles have 3: red, green, blue are taken",
    )
    assert all(tile.image.shape == (64, 64, 3) for tile in found.tiles)
    two = faults(tmp_path, imagery=Imagery(bands=("red", "green", "blue", "nir", "swir")))
    assert len(two) == 3 and all("needed" in line and "--bands" not in line for line in two)


def test_images_of_another_resolution_are_said_with_both_numbers(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", noise(1))
    assert read_unlabelled(tmp_path, RGB, NONE, metres=0.3).notes == ()
    assert read_unlabelled(tmp_path, RGB, NONE, metres=0.05).notes == (
        "1 image (a.tif) of 0.3 m per pixel, where the tiles have 0.05",
    )
    assert read_unlabelled(tmp_path, RGB, NONE).notes == ()


def test_sixteen_bits_want_the_scale_of_the_tiles(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", noise(1).astype(np.uint16) * 16)
    assert "not uint8; convert it" in faults(tmp_path)[0]
    scaled = read_unlabelled(tmp_path, Imagery(scale=((0, 4080),) * 3, stored="uint16"), NONE)
    assert np.array_equal(scaled.tiles[0].image, noise(1))


def test_a_copy_of_a_held_out_tile_is_refused_by_its_file_or_by_its_pixels(tmp_path: Path) -> None:
    import hashlib

    first = save(tmp_path / "u/first.png", noise(1))
    save(tmp_path / "u/second.tif", noise(2))
    held_out = HeldOut(
        files={hashlib.sha256(first.read_bytes()).hexdigest(): "is the test tile test/images/t.png"},
        pixels={pixels_sha256(noise(2)): "is the val tile v"},
        shapes=frozenset({(64, 64)}),
    )
    assert faults(tmp_path / "u", held_out) == [
        f"--unlabelled {first}: is the test tile test/images/t.png; take it out of the folder",
        f"--unlabelled {tmp_path / 'u/second.tif'}: is the val tile v; take it out of the folder",
    ]


def _ground(left: float, top: float, side: float) -> Corners:
    points = [(left, top), (left + side, top), (left + side, top - side), (left, top - side)]
    return Corners(points=np.array(points), crs="EPSG:32633")


def test_windows_that_show_held_out_ground_are_left_out_and_counted(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", noise(1, 128, 128))  # 38.4 m from (500000, 5300000) down
    inside = _ground(500_000 + 20, 5_300_000 - 2, 10)  # in the upper right quarter
    found = read_unlabelled(tmp_path, RGB, HeldOut(ground=[inside]), side=64)
    assert [tile.name for tile in found.tiles] == ["a.tif y=0 x=0", "a.tif y=64 x=0", "a.tif y=64 x=64"]
    assert "1 window left out: they show the ground of val or test tiles" in found.notes
    beside = _ground(500_000 + 38.4, 5_300_000, 19.2)  # touches the edge
    assert read_unlabelled(tmp_path, RGB, HeldOut(ground=[beside]), side=64).held_out == 0
    everything = HeldOut(ground=[_ground(499_000, 5_301_000, 9_000)])
    assert "4 windows show val or test tiles, 0 hold next to nothing; give other images" in _only(tmp_path, everything)


def _only(folder: Path, held_out: HeldOut) -> str:
    with pytest.raises(DataError) as refused:
        read_unlabelled(folder, RGB, held_out, side=64)
    return str(refused.value)


def test_what_is_recorded_names_windows_and_their_hash(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(1))
    found: UnlabelledImages = read_unlabelled(tmp_path, RGB, NONE)
    recorded = found.to_dict()
    assert recorded == {
        "path": str(tmp_path),
        "images": 1,
        "windows": 1,
        "used": ["a.png y=0 x=0"],
        "sha256": found.sha256,
    }
    save(tmp_path / "a.png", noise(2))
    assert read_unlabelled(tmp_path, RGB, NONE).sha256 != found.sha256
