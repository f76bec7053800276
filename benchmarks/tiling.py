"""Seconds and memory of ``sweep.patches make --grid``: large georeferenced rasters become tiles.

Run with ``python -m benchmarks.tiling``; about five minutes on two CPU cores. Planning reads all masks; cutting reads
images and masks again and writes JPEG and PNG. Not in it: reading the tiles back, the overview, the search for leaks.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

from benchmarks.report import Report, seconds
from sweep.patches.folders import new_dataset
from sweep.patches.layouts.opening import open_sources
from sweep.patches.options import Make
from sweep.patches.tiling.cutting import cut_tiles
from sweep.patches.tiling.plan import plan_tiles
from sweep.rasters.gdal import quiet_gdal

STRIP = 500
"""Rows that are drawn at once."""


def write_rasters(folder: Path, count: int, side: int, *, masks: bool = True) -> None:
    """Write images of grainy patches of colour, and masks of which a tenth is foreground, as tiled GeoTIFF."""
    random = np.random.default_rng(0)
    for number in range(count):
        for kind, bands in (("images", 3), ("masks", 1))[: 1 + masks]:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            profile = {"driver": "GTiff", "height": side, "width": side, "count": bands, "dtype": "uint8"}
            place = {"transform": Affine(0.3, 0, 1e5 * number, 0, -0.3, 5e6), "crs": "EPSG:32633"}
            packed = {"tiled": True, "compress": "deflate", "bigtiff": "if_safer"}
            with rasterio.open(folder / kind / f"r{number}.tif", "w", **profile, **place, **packed) as file:
                for top in range(0, side, STRIP):
                    height = min(STRIP, side - top)
                    if kind == "images":
                        coarse = random.integers(0, 256, (height // 8 + 1, side // 8 + 1, 3), dtype=np.uint8)
                        pixels = cv2.resize(coarse, (side, height), interpolation=cv2.INTER_LINEAR)
                        pixels ^= random.integers(0, 8, pixels.shape, dtype=np.uint8)
                    else:
                        coarse = np.uint8(random.integers(0, 10, (height // 50 + 1, side // 50 + 1)) == 0)
                        pixels = cv2.resize(coarse, (side, height), interpolation=cv2.INTER_NEAREST)[..., None] * 255
                    file.write(np.moveaxis(pixels, 2, 0), window=Window(0, top, side, height))


@contextmanager
def rasters(count: int, side: int) -> Iterator[Path]:
    """Write them into a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as folder, quiet_gdal():
        write_rasters(Path(folder) / "in", count, side)
        yield Path(folder)


def run(count: int, side: int, size: int, repeats: int) -> None:
    """Measure planning and cutting."""
    report = Report(name="tiling")
    with rasters(count, side) as folder:
        options = Make(src=folder / "in", dst=folder / "out", grid=True, size=size, force=True)
        began, cpu = time.perf_counter(), time.process_time()
        found = open_sources(options)
        plan = plan_tiles(found, options, {})
        planned, cpu = time.perf_counter() - began, time.process_time() - cpu

        def cut(threads: int) -> float:
            with new_dataset(options.dst, force=True) as root:
                return seconds(lambda: cut_tiles(root, found, plan, threads=threads))

        began = time.process_time()
        title = f"{len(plan.tiles)} tiles of {size} pixels out of {count} rasters of {side}, cut and written"
        ways = {"1 thread": lambda: cut(1), "2 threads": lambda: cut(2)}
        report.compare(title, ways, repeats, unit="s", baseline="1 thread")
        report.note("seconds to plan them, masks read", planned)
        report.note("CPU seconds to plan, and to cut once", [cpu, (time.process_time() - began) / (2 * repeats)])
        report.note("most memory, in MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="rasters")
    parser.add_argument("--side", type=int, default=5000, help="pixels of a raster")
    parser.add_argument("--size", type=int, default=1024, help="pixels of a tile")
    parser.add_argument("--repeats", type=int, default=1, help="values per way")
    given = parser.parse_args()
    run(given.count, given.side, given.size, given.repeats)
