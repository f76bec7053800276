"""Seconds and memory of the whole of ``sweep.patches make --grid``: planning, cutting, reading back, leaks, pages.

Run with ``python -m benchmarks.make``; about two minutes on two CPU cores. ``--count 1 --side 40000`` measures one
raster that no memory holds, with ``--outlines`` labelled by a GeoJSON file instead of a mask.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.processes import run_module
from benchmarks.report import Report
from benchmarks.tiling import write_rasters
from sweep.rasters.gdal import quiet_gdal

METRES, WEST, NORTH = 0.3, 0.0, 5e6
"""Of a pixel, and of the first raster's corner, as ``write_rasters`` places it."""


def write_outlines(file: Path, side: int, every: int = 200) -> None:
    """Write a square of 60 pixels for every ``every`` pixels of a raster in both directions, as GeoJSON."""
    features = []
    for top, left in np.stack(np.meshgrid(*[np.arange(0, side - 60, every)] * 2), axis=-1).reshape(-1, 2).tolist():
        corners = [(left, top), (left + 60, top), (left + 60, top + 60), (left, top + 60), (left, top)]
        ring = [[WEST + METRES * x, NORTH - METRES * y] for x, y in corners]
        features.append({"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    file.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))


def _write(folder: Path, count: int, side: int, masks: bool) -> None:
    with quiet_gdal():
        write_rasters(folder, count, side, masks=masks)


def run(count: int, side: int, size: int, *, outlines: bool) -> None:
    """Measure the command in a process of its own."""
    report = Report(name="make of outlines" if outlines else "make")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: Linux counts the most memory of this one as that of the next one that it starts.
        writing = get_context("spawn").Process(target=_write, args=(folder / "in", count, side, not outlines))
        writing.start()
        writing.join()
        given = ["--src", folder / "in", "--dst", folder / "out", "--grid", "--size", size]
        if outlines:
            write_outlines(folder / "roofs.geojson", side)
            given[1] = folder / "in" / "images"
            given += ["--labels", folder / "roofs.geojson"]
        used = run_module("sweep.patches", "make", *given, log=folder / "log")
        tiles = len(list((folder / "out").glob("*/images/*")))
        what = f"{count} raster{'s' * (count > 1)} of {side} x {side} with {'outlines' if outlines else 'masks'}"
        what += f" into {tiles} tiles of {size}"
        report.note(f"{what}: seconds, CPU seconds", [used.seconds, used.cpu_seconds])
        report.note(f"{what}: most memory, in MiB", used.most_mib)
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="rasters")
    parser.add_argument("--side", type=int, default=5000, help="pixels of a raster")
    parser.add_argument("--size", type=int, default=1024, help="pixels of a tile")
    parser.add_argument("--outlines", action="store_true", help="outlines of one raster instead of masks")
    options = parser.parse_args()
    run(options.count, options.side, options.size, outlines=options.outlines)
