"""Views a second of each augmentation preset: albumentations beside the one-warp version, one thread each.

Run with ``python -m benchmarks.augment``; a minute or two. Both carry out the same operations on the same seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report, seconds
from sweep.patches.synthetic.scene import draw_scene
from trainables.augment.host import HostAugmentation
from trainables.augment.presets import PRESETS, ReferenceAugmentation

View = NDArray[np.uint8]


def rate(augment: Callable[[View, View, int], object], image: View, mask: View, draws: int) -> float:
    """Return views a second over the seeds 0 to ``draws`` - 1."""

    def all_draws() -> None:
        for seed in range(draws):
            augment(image, mask, seed)

    return draws / seconds(all_draws)


def run(side: int, draws: int, repeats: int) -> None:
    """Measure every preset on a synthetic tile."""
    cv2.setNumThreads(1)
    report = Report(name="augment")
    image, mask = draw_scene(1, size=side)
    for preset in PRESETS:
        ways = {"albumentations": ReferenceAugmentation(preset), "tilesweep": HostAugmentation(preset)}
        for augment in ways.values():
            augment(image, mask, 0)
        measures = {name: partial(rate, augment, image, mask, draws) for name, augment in ways.items()}
        title = f"{preset}, {side} x {side}, {draws} draws"
        report.compare(title, measures, repeats, unit="views/s", baseline="albumentations", more_is_better=True)
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024, help="pixels a side")
    parser.add_argument("--draws", type=int, default=100, help="views a value")
    parser.add_argument("--repeats", type=int, default=5, help="values a way")
    given = parser.parse_args()
    run(given.side, given.draws, given.repeats)
