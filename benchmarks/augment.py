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
from trainables.augment.host import augment
from trainables.augment.parameters import Sampler
from trainables.augment.presets import PRESETS, operations, seed_operations

View = NDArray[np.uint8]
Augment = Callable[[View, View, int], tuple[View, View]]
"""Takes a view of side S, (S, S, 3) and (S, S) uint8, and a seed from 0 on, which alone decides the result."""


def by_albumentations(preset: str) -> Augment:
    """Return what augments by albumentations alone, which is the reference; one serves one thread."""
    steps = operations(preset)

    def augmented(image: View, mask: View, seed: int) -> tuple[View, View]:
        seed_operations(steps, seed)
        view: dict[str, View] = {"image": image, "mask": mask}
        for step in steps:
            view = step(**view)
        return view["image"], view["mask"]

    return augmented


def by_opencv(preset: str) -> Augment:
    """Return what augments as a training on the CPU does; one serves one thread."""
    sample = Sampler(preset)
    return lambda image, mask, seed: augment(image, mask, sample(seed, mask.shape[0]))


def rate(augmented: Augment, image: View, mask: View, draws: int) -> float:
    """Return views a second over the seeds 0 to ``draws`` - 1."""

    def all_draws() -> None:
        for seed in range(draws):
            augmented(image, mask, seed)

    return draws / seconds(all_draws)


def run(side: int, draws: int, repeats: int) -> None:
    """Measure every preset on a synthetic tile."""
    cv2.setNumThreads(1)
    report = Report(name="augment")
    image, mask = draw_scene(1, size=side)
    for preset in PRESETS:
        ways = {"albumentations": by_albumentations(preset), "tilesweep": by_opencv(preset)}
        for augmented in ways.values():
            augmented(image, mask, 0)
        measures = {name: partial(rate, augmented, image, mask, draws) for name, augmented in ways.items()}
        title = f"{preset}, {side} x {side}, {draws} draws"
        report.compare(title, measures, repeats, unit="views/s", baseline="albumentations", more_is_better=True)
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024, help="pixels per side")
    parser.add_argument("--draws", type=int, default=100, help="views a value")
    parser.add_argument("--repeats", type=int, default=5, help="values per way")
    given = parser.parse_args()
    run(given.side, given.draws, given.repeats)
