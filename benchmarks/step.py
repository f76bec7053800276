"""Images per second of every architecture's training step, beside the loop that tutorials show.

Run with ``python -m benchmarks.step``; about ten minutes on two CPU cores. Both train on 256-pixel crops of the same
tiles, with the same model, loss, batch and preset.
"""

from __future__ import annotations

import argparse
from functools import partial

import cv2
import torch

from benchmarks.loops import compare_paces, naive, ours
from benchmarks.report import Report
from benchmarks.tiles import synthetic_tiles
from trainables.data.tiles import TuningData
from trainables.models.registry import ARCHITECTURES
from trainables.recipe import Recipe


def run(names: tuple[str, ...], crop: int, steps: int, repeats: int, *, compiled: bool) -> None:
    """Measure each architecture."""
    cv2.setNumThreads(1)
    report = Report(name="step")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with synthetic_tiles((4, 2, 1), 1024) as patches:
        data = TuningData.read(patches)
        for name in names:
            batch = 2 if ARCHITECTURES[name].track == "sam" else 4
            recipe = Recipe(architecture=name, crop_size=crop, batch_size=batch, draws_per_epoch=steps * batch)
            ways = {
                "naive loop": partial(naive, recipe, patches, device),
                "tilesweep": partial(ours, recipe, data, device),
            }
            if compiled:
                ways["tilesweep --compile"] = partial(ours, recipe, data, device, compiled=True)
            paces = compare_paces(report, f"{name}, {crop} x {crop}, batch {batch}, {device.type}", ways, repeats)
            waits = {way: [pace.data_share for pace in found] for way, found in paces.items()}
            report.note(f"{name}: share of the time waiting for views", waits)
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES), help="A,B,...")
    parser.add_argument("--crop", type=int, default=256, help="pixels per side")
    parser.add_argument("--steps", type=int, default=6, help="steps per epoch")
    parser.add_argument("--repeats", type=int, default=3, help="values per way")
    parser.add_argument("--compile", action="store_true", help="torch.compile, too")
    given = parser.parse_args()
    run(tuple(given.architectures.split(",")), given.crop, given.steps, given.repeats, compiled=given.compile)
