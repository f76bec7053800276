"""Datasets and rasters of four bands, in which near infrared alone tells foreground from background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.checks.checking import check, describe
from sweep.patches.folders import write_tile
from tests.commands import Run
from trainables.data.imagery import Imagery
from trainables.task import Task

BANDS = ("red", "green", "blue", "nir")
SCALES = ((0.0, 3000.0), (0.0, 3000.0), (0.0, 3000.0), (500.0, 6000.0))
"""The values of 16 bits that become 0 and 255."""
BYTES = Imagery(bands=BANDS)
WORDS = Imagery(bands=BANDS, scale=SCALES, stored="uint16")


def draw(seed: int, imagery: Imagery, size: int = 64) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Draw noise whose near infrared is bright on a rectangle: (H, W, 4) as ``imagery`` stores it, and the mask."""
    random = np.random.default_rng(seed)
    mask = np.zeros((size, size), np.uint8)
    top, left = random.integers(0, size // 2, 2)
    mask[top : top + size // 2, left : left + size // 2] = 1
    shown = random.integers(60, 120, (size, size, 4))
    shown[..., 3] = np.where(mask, 200, 40) + random.integers(0, 20, mask.shape)
    if imagery.stored == "uint8":
        return shown.astype(np.uint8), mask
    low, high = np.array(SCALES).T
    return (low + shown * (high - low) / 255).round().astype(np.uint16), mask


def write_nir(root: Path, imagery: Imagery, *, train: int = 3, val: int = 2, test: int = 2, size: int = 64) -> Path:
    """Write a dataset with its manifest."""
    number = 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        for kind in ("images", "masks"):
            (root / split / kind).mkdir(parents=True)
        for _ in range(count):
            number += 1
            write_tile(root, split, f"t{number}", *draw(number, imagery, size), Task(), imagery)
    report = check(root, imagery=imagery)
    assert not report.faults, report.faults
    describe(report, name="nir", origin="drawn by a test", licence="CC0-1.0", synthetic=True).write(root)
    return root


def write_scene(
    path: Path,
    imagery: Imagery,
    *,
    order: tuple[int, ...] = (0, 1, 2, 3),
    size: int = 160,
    named: bool = True,
    seed: int = 99,
) -> NDArray[np.uint8]:
    """Write a GeoTIFF of such imagery, its bands in another order if asked; return the true mask.

    Each seed's is at a place of its own.
    """
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.transform import from_origin

    values, mask = draw(seed, imagery, size)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=size,
        height=size,
        count=4,
        dtype=values.dtype.name,
        crs="EPSG:32633",
        transform=from_origin(500_000 + 1000 * (seed - 99), 5_300_000, 0.5, 0.5),
        photometric="minisblack",
    ) as file:
        file.write(values[..., list(order)].transpose(2, 0, 1))
        if named:
            colours = {0: ColorInterp.red, 1: ColorInterp.green, 2: ColorInterp.blue}
            file.colorinterp = [colours.get(one, ColorInterp.undefined) for one in order]
            file.set_band_description(order.index(3) + 1, "nir")
    return mask


def make_nir(here: Run, folder: Path, imagery: Imagery, *flags: object, count: int = 7) -> Path:
    """Write GeoTIFFs of four bands with their masks, and make a dataset of them by the command that users type."""
    (folder / "in" / "images").mkdir(parents=True)
    (folder / "in" / "masks").mkdir()
    for number in range(count):
        mask = write_scene(folder / f"in/images/s{number}.tif", imagery, seed=number)
        Image.fromarray(mask * 255).save(folder / f"in/masks/s{number}.png")
    source = ("--src", folder / "in", "--dst", folder / "patches", "--bands", "all", "--size", 64, "--title", "nir")
    made = here("patches", "make", *source, *flags)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "patches"


OF = {"uint8": BYTES, "uint16": WORDS}
"""By what files hold."""
