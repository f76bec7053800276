"""Seconds and memory of ``sweep.next`` over a large raster: features, uncertainty and diversity of every window.

Run with ``python -m benchmarks.next``; ``--windows 10000`` takes about ten minutes on two CPU cores. The model is a
U-Net on EfficientNet-Lite0 with its ImageNet weights and an untrained decoder; ``--precision`` is that of its training,
which ``sweep.next`` computes in: on a CPU with bf16 a sweep trains it in that where it measures it to be faster.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from benchmarks.processes import run_module
from benchmarks.report import Report
from sweep.patches.synthetic.scene import draw_scene
from sweep.rasters.gdal import quiet_gdal
from trainables.checkpoints import BestWeights, dump_best
from trainables.models.base import encoder_fingerprint
from trainables.models.registry import build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.recipe import Recipe

ARCHITECTURE = "smp_unet_efficientnet_lite0"
SIDE = 256
"""Pixels of a window."""
SCENE = 1024
"""Pixels of the scene that the raster repeats."""


def write_model(path: Path, precision: str) -> None:
    """Write the weights of a model whose decoder is untrained, as if trained in a precision."""
    weights = resolve(get_architecture(ARCHITECTURE).needs, "available")
    recipe = Recipe(architecture=ARCHITECTURE, crop_size=SIDE, precision=precision)
    model = build_model(recipe, weights)
    best = BestWeights(
        recipe=recipe,
        weights=weights,
        epoch=1,
        val_iou=0.0,
        data_fingerprint="",
        encoder_sha256=encoder_fingerprint(model),
    )
    path.write_bytes(dump_best(model.portable_state_dict(), best))


def write_raster(path: Path, windows: int) -> int:
    """Write a GeoTIFF of at least so many windows; returns how many it has."""
    across = math.ceil(math.sqrt(windows))
    down = math.ceil(windows / across)
    image, _ = draw_scene(0, size=SCENE)
    strip = np.tile(image, (1, math.ceil(across * SIDE / SCENE), 1))[:SIDE, : across * SIDE]
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "compress": "deflate", "tiled": True}
    place = {"crs": "EPSG:32633", "transform": Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)}
    with quiet_gdal(), rasterio.open(path, "w", width=across * SIDE, height=down * SIDE, **profile, **place) as file:
        for row in range(down):
            rolled = np.roll(strip, 61 * row, axis=1)
            file.write(rolled.transpose(2, 0, 1), window=((row * SIDE, (row + 1) * SIDE), (0, across * SIDE)))
    return across * down


def run(windows: int, precision: str) -> None:
    """Measure the command in a process of its own."""
    report = Report(name="next")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model.safetensors", precision)
        count = write_raster(folder / "map.tif", windows)
        given = ["--model", folder / "model.safetensors", "--size", SIDE, "--out", folder / "out"]
        used = run_module("sweep.next", folder / "map.tif", *given, log=folder / "log")
        what = f"ten of {count:,} windows of {SIDE} pixels in {precision}"
        report.note(f"{what}: seconds, CPU seconds", [used.seconds, used.cpu_seconds])
        report.note(f"{what}: most memory, in MiB", used.most_mib)
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    given = parser.parse_args()
    run(given.windows, given.precision)
