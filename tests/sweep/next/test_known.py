"""What is labelled or held out is known by the hash of its file, its place in a raster and its place on the ground."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from sweep.next.known import KnownTiles
from sweep.next.windows import CandidateWindow, Unlabelled
from sweep.rasters.held_out import pixels_sha256
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif
from trainables.data.manifest import Manifest

SIDE = 64


def manifest(**entries: dict[str, Any]) -> Manifest:
    """Return a manifest of tiles of 64 pixels: ``split__name`` to what it says of the image."""
    files = {
        f"{key.replace('__', '/images/')}.png": {"sha256": "0" * 64, "width": SIDE, "height": SIDE, **entry}
        for key, entry in entries.items()
    }
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for key in entries:
        split, _, name = key.partition("__")
        splits[split].append(name)
    return Manifest(name="d", origin="", licence="", version="1.0", synthetic=True, splits=splits, files=files)


def window(left: int, top: int) -> CandidateWindow:
    return CandidateWindow(name="w", source=0, top=top, left=left, height=SIDE, width=SIDE, alone=False)


def write_bare(path: Path, width: int = SIDE) -> Path:
    """Write a raster that says no place on earth."""
    return write_tif(path, np.zeros((SIDE, width, 3), np.uint8), crs=None, transform=Affine.identity())


def split_of(known: KnownTiles, path: Path, left: int, top: int, name: str = "r") -> str:
    with open_raster(str(path)) as raster:
        return known.of_raster(Unlabelled(path=str(path), name=name, folder=""), raster.dataset).split_of(
            window(left, top)
        )


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_tile_s_very_file_is_known_by_its_hash(tmp_path: Path, split: str) -> None:
    path = write_tif(tmp_path / "copy.tif", np.ones((64, 64, 3), np.uint8))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert KnownTiles(manifest(**{f"{split}__a": {"sha256": digest}})).split_of_file(str(path)) == split
    assert KnownTiles(manifest(**{f"{split}__a": {}})).split_of_file(str(path)) == ""


def test_a_scored_test_tile_is_known_from_the_ledger(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "copy.tif", np.ones((64, 64, 3), np.uint8))
    entry = f"{path.stat().st_size} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert KnownTiles(None, [entry]).split_of_file(str(path)) == "test"


def test_the_same_pixels_in_another_file_are_known() -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    known = KnownTiles(None, (), {pixels_sha256(image): "val"})
    assert known.split_of_pixels(np.moveaxis(image, 2, 0)) == "val"
    assert known.split_of_pixels(np.moveaxis(image + np.uint8(1), 2, 0)) == ""


@pytest.mark.parametrize(("left", "expected"), [(0, "test"), (30, "test"), (63, ""), (64, ""), (200, "")])
def test_a_window_of_the_same_raster_is_known_where_it_shares_ground(tmp_path: Path, left: int, expected: str) -> None:
    path = write_tif(
        tmp_path / "imgs" / "r.tif", np.zeros((64, 400, 3), np.uint8), crs=None, transform=Affine.identity()
    )
    known = KnownTiles(manifest(test__a={"source": "imgs/r.tif x=0 y=0"}))
    assert split_of(known, path, left, 0) == expected


def test_rasters_of_one_name_are_told_apart_by_their_scene(tmp_path: Path) -> None:
    known = KnownTiles(
        manifest(
            test__a={"source": "images/p1.tif x=0 y=0", "scene": "north"},
            val__b={"source": "images/p1.tif x=0 y=0", "scene": "south"},
        )
    )
    for scene, expected in (("north", "test"), ("south", "val"), ("east", "")):
        path = write_tif(
            tmp_path / scene / "images" / "p1.tif",
            np.zeros((64, 64, 3), np.uint8),
            crs=None,
            transform=Affine.identity(),
        )
        assert split_of(known, path, 0, 0) == expected


def test_held_out_wins_where_a_window_shows_two_tiles(tmp_path: Path) -> None:
    path = write_tif(
        tmp_path / "imgs" / "r.tif", np.zeros((64, 128, 3), np.uint8), crs=None, transform=Affine.identity()
    )
    known = KnownTiles(manifest(train__a={"source": "imgs/r.tif x=0 y=0"}, test__b={"source": "imgs/r.tif x=64 y=0"}))
    assert split_of(known, path, 32, 0) == "test"


@pytest.mark.parametrize(
    ("crs", "matrix"),
    [
        ("EPSG:32633", Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)),
        ("EPSG:3857", Affine(0.4441, 0, 1_669_792.36, 0, -0.4441, 6_077_480)),
    ],
    ids=["its CRS", "another CRS"],
)
def test_a_tile_on_the_same_ground_is_known_in_any_crs(tmp_path: Path, crs: str, matrix: Affine) -> None:
    from rasterio.warp import transform

    path = write_tif(tmp_path / "other.tif", np.zeros((128, 128, 3), np.uint8))
    if crs == "EPSG:3857":  # the very place, as that CRS spells it
        (x,), (y,) = transform("EPSG:32633", crs, [500_000], [5_300_000])
        matrix = Affine(matrix.a, 0, x, 0, matrix.e, y)
    entry = {"transform": list(matrix)[:6], "crs": crs}
    known = KnownTiles(manifest(test__a=entry))
    assert split_of(known, path, 0, 0) == "test"
    assert split_of(known, path, 64, 64) == ""
