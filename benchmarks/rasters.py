"""Seconds and peak memory of reading a raster of 40,000 x 40,000 pixels and its mask by windows, as ``make`` does.

Run with ``python -m benchmarks.rasters``; two minutes on two CPU cores. Each way runs in a process of its own.
The files are tiled GeoTIFFs of which one block in ten holds noise; the others are empty.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.processes import ROOT
from benchmarks.report import Report
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.choosing import sample
from sweep.patches.rasters.foreground import ForegroundReader, Rule
from sweep.patches.rasters.images import ImageReading, as_image
from sweep.patches.rasters.mask_files import open_mask
from sweep.patches.rasters.reader import open_raster
from sweep.rasters.gdal import quiet_gdal

BLOCK = 512
FULL = 10
"""One block in so many holds anything."""
WINDOW = 1024
WINDOWS = 15
"""Windows along each side."""


def write(path: Path, side: int, count: int, *, mask: bool) -> None:
    """Write a raster of noise, or a mask of 0 and 255."""
    import rasterio
    from rasterio.windows import Window

    form = {"driver": "GTiff", "height": side, "width": side, "count": count, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "SPARSE_OK": True}
    random = np.random.default_rng(0)
    with quiet_gdal(), rasterio.open(path, "w", **form, **tiles) as file:
        for number, (top, left) in enumerate(np.ndindex(side // BLOCK, side // BLOCK)):
            if number % FULL:
                continue
            values = random.integers(0, 2 if mask else 255, (count, BLOCK, BLOCK), dtype=np.uint8)
            file.write(values * np.uint8(255 if mask else 1), window=Window(left * BLOCK, top * BLOCK, BLOCK, BLOCK))


def areas(shape: tuple[int, int]) -> list[Area]:
    """Return windows spread evenly over a raster."""
    tops, lefts = (np.linspace(0, length - WINDOW, WINDOWS).astype(int).tolist() for length in shape)
    return [Area(top=top, left=left, height=WINDOW, width=WINDOW) for top in tops for left in lefts]


def read_image(folder: Path) -> None:
    """Read the windows of the image, and which of their pixels hold anything."""
    image = as_image(open_raster(folder / "image.tif"), ImageReading())
    with image.opened() as opened:
        for area in areas(image.shape):
            opened.read(area)
            opened.valid(area)


def read_mask(folder: Path) -> None:
    """Read the windows of the mask; before that all of its values are counted."""
    mask, reader = open_mask(folder / "mask.tif"), ForegroundReader(Rule())
    for area in areas(mask.shape):
        reader.read(mask, area)


def take_percentiles(folder: Path) -> None:
    """Take the sample of ``--scale 2%,98%``."""
    np.percentile(sample(as_image(open_raster(folder / "image.tif"), ImageReading()), 2**20), (2, 98), axis=0)


WAYS: dict[str, Callable[[Path], None]] = {
    f"{WINDOWS**2} windows of the image": read_image,
    f"{WINDOWS**2} windows of the mask, all its values counted": read_mask,
    "percentiles for --scale": take_percentiles,
}


def run(side: int) -> None:
    """Measure each way in a process of its own."""
    report = Report(name="rasters")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "image.tif", side, 3, mask=False)
        write(folder / "mask.tif", side, 1, mask=True)
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.rasters", "--way", way, "--folder", name]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
            seconds, peak = json.loads(done.stdout)
            report.note(f"{side:,} x {side:,} pixels: {way}", f"{seconds:.1f} s, peak {peak / 2**20:.2f} GiB")
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=40_000, help="pixels")
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        begin = time.perf_counter()
        WAYS[given.way](given.folder)
        sys.stdout.write(json.dumps([time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
    else:
        run(given.side)
