"""What ``describe`` says of sizes, bands, resolution, empty tiles and masks that look wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from sweep.patches.look.resolution import resolution_of
from tests.commands import Run
from trainables.data.manifest import Manifest
from trainables.errors import DataError


def _make(here: Run, folder: Path, *, metres: tuple[float, ...], bands: int = 4, crs: str = "EPSG:32633") -> Path:
    """Make a dataset of georeferenced rasters of given sizes of pixels; the second one shows nothing."""
    for kind in ("images", "masks"):
        (folder / "src" / kind).mkdir(parents=True)
    for number, side in enumerate(metres):
        random = np.random.default_rng(number)
        place = {"transform": Affine(side, 0, 5e5 + 1e4 * number, 0, -side, 5e6), "crs": crs}
        if crs == "EPSG:4326":
            place["transform"] = Affine(side, 0, 10.0 + number, 0, -side, 60.0)
        mask = np.zeros((1, 64, 64), np.uint8)
        mask[0, 8:30, 8:40] = 255 * (number != 1)
        image = random.integers(20, 200, (bands, 64, 64), dtype=np.uint8)
        for kind, pixels in (("images", image), ("masks", mask)):
            path = folder / "src" / kind / f"r{number}.tif"
            with rasterio.open(
                path,
                "w",
                driver="GTiff",
                height=64,
                width=64,
                count=len(pixels),
                dtype="uint8",
                photometric="MINISBLACK",
                **place,
            ) as file:
                file.write(pixels)
                if kind == "images" and bands == 4:
                    file.descriptions = ("red", "green", "blue", "nir")
    words = ("--src", folder / "src", "--dst", folder / "out", "--shares", "100,0,0")
    done = here("patches", "make", *words, *(["--bands", "all"] if bands == 4 else []))
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_four_bands_with_their_ranges_and_an_empty_tile(here: Run, tmp_path: Path) -> None:
    root = _make(here, tmp_path, metres=(0.3, 0.3, 0.3))
    done = here("patches", "describe", "--patches", root)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (nir,) = (line.split() for line in lines if line.startswith("nir") and " to " in line)
    assert nir[-3:] == ["20", "to", "199"]
    assert "4 bands of uint8" in done.stdout and "empty tiles    1: r1" in lines
    assert "ground         0.3 m per pixel, as the georeference says" in lines
    assert ">nir<" in (root / "description.svg").read_text()
    events = [
        json.loads(line)
        for line in here("patches", "describe", "--patches", root, "--json", "--overwrite").stdout.splitlines()
    ]
    (look,) = (event for event in events if event["event"] == "look")
    assert look["bands"] == ["red", "green", "blue", "nir"] and look["ranges"][3] == [20, 199]
    assert look["empty"] == ["r1"] and look["sizes"] == {"64x64": 3}
    (ground,) = (event for event in events if event["event"] == "ground")
    assert ground["metres_per_pixel"] == [0.3, 0.3, 0.3]
    assert [event["tile"] for event in events if event["event"] == "suspicion"] == ["r1"]


def test_resolutions_that_differ_are_said(here: Run, tmp_path: Path) -> None:
    root = _make(here, tmp_path, metres=(0.3, 0.5, 0.3), bands=3)
    said = here("patches", "describe", "--patches", root).stdout
    assert "0.3 to 0.5 m per pixel, median 0.3, as the georeference says: objects differ in size" in said
    manifest = Manifest.read(root)
    assert manifest is not None and manifest.files["train/images/r1.jpg"]["crs"] == "EPSG:32633"
    assert manifest.files["train/images/r1.jpg"]["transform"] == [0.5, 0, 5.1e5, 0, -0.5, 5e6]
    Image.fromarray(np.full((64, 64), 255, np.uint8)).save(root / "train" / "masks" / "r1.png")
    assert here("patches", "check", "--patches", root, "--update").returncode == 0
    assert Manifest.read(root).files["train/images/r1.jpg"]["metres_per_pixel"] == 0.5  # type: ignore[union-attr]


def test_degrees_become_metres(here: Run, tmp_path: Path) -> None:
    root = _make(here, tmp_path, metres=(1e-5, 1e-5, 1e-5), bands=3, crs="EPSG:4326")
    found = resolution_of(Manifest.read(root))
    assert found is not None and found.median == pytest.approx(1.11195 * np.sqrt(0.5), rel=1e-3)  # cos 60 degrees


@pytest.mark.parametrize(
    ("entry", "said"), [({"transform": [1, 2]}, "transform is"), ({"metres_per_pixel": -1.0}, "metres_per_pixel is -1")]
)
def test_a_damaged_manifest_is_refused(entry: dict[str, object], said: str, dataset: Path) -> None:
    values = {
        "format": 1, "name": "d", "origin": "", "licence": "", "version": "", "synthetic": False, "splits": {},
        "files": {"train/images/a.jpg": {"sha256": "", **entry}},
    }  # fmt: skip
    (dataset / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match=said):
        Manifest.read(dataset)
