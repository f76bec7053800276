"""``make`` reads a raster by windows: its memory does not grow with the raster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from tests.commands import ROOT, environment

METRES, WEST, NORTH = 0.5, 500_000.0, 5_300_000.0
CRS = "EPSG:32633"
EVERY, BUILDING = 500, 60
"""Pixels from one building to the next, and along its sides."""
MEASURED = """
import resource, runpy, sys
sys.argv = ["patches", *sys.argv[1:]]
try:
    runpy.run_module("sweep.patches", run_name="__main__", alter_sys=True)
except SystemExit as ended:
    assert not ended.code, ended.code
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
"""


def _write(folder: Path, side: int) -> None:
    """Write a tiled raster of coloured squares, and buildings all over it as GeoJSON."""
    (folder / "in").mkdir(parents=True)
    form = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint8", "crs": CRS}
    tiled = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    place = from_origin(WEST, NORTH, METRES, METRES)
    random = np.random.default_rng(0)
    with rasterio.open(folder / "in/scene.tif", "w", **form, **tiled, transform=place) as file:
        for top in range(0, side, 512):
            squares = random.integers(0, 256, (3, 8, -(-side // 64)), np.uint8).repeat(64, 1).repeat(64, 2)
            rows = min(512, side - top)
            file.write(squares[:, :rows, :side], window=Window(0, top, side, rows))
    corners = np.stack(np.meshgrid(*[np.arange(0, side - BUILDING, EVERY)] * 2), axis=-1).reshape(-1, 2).tolist()
    features = []
    for left, top in corners:
        right, bottom = left + BUILDING, top + BUILDING
        ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        places = [[WEST + METRES * x, NORTH - METRES * y] for x, y in ring]
        polygon = {"type": "Polygon", "coordinates": [places]}
        features.append({"type": "Feature", "properties": {}, "geometry": polygon})
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{CRS.replace(':', '::')}"}}
    text = json.dumps({"type": "FeatureCollection", "crs": crs, "features": features})
    (folder / "buildings.geojson").write_text(text, encoding="utf-8")


def _peak(folder: Path, side: int) -> int:
    """Return the most bytes that ``make`` holds for a raster of so many pixels per side."""
    _write(folder, side)
    given = ["--src", folder / "in", "--labels", folder / "buildings.geojson", "--dst", folder / "out"]
    chosen = ["--tiles-per-source", "12", "--size", "256", "--no-leak-check"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "make", *map(str, given), *chosen],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(folder.glob("out/*/images/*"))) >= 12
    return int(done.stderr.split()[-1])


def test_a_large_raster_costs_far_less_memory_than_it_has_bytes(tmp_path: Path) -> None:
    side = 12_000
    more = _peak(tmp_path / "large", side) - _peak(tmp_path / "tiny", 2_000)
    assert more < 3 * side**2 / 3
