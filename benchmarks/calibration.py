"""How often the interval of an expected calibration error holds the error that endless scenes would show.

Run with ``python -m benchmarks.calibration``; minutes on two CPU cores. Scenes are drawn from a model that is too sure
by a factor, and in each of them off by an amount of its own, as real scenes are: then pixels of a scene agree
with each other, and only the number of scenes counts. The interval is the one that ``--calibrated`` prints.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report
from sweep.results.calibrating import scene_interval
from trainables.calibration import ERROR_BINS, error_of_bins

SPREAD = 2.0
"""Standard deviation of logits."""
PIXELS = 4096
"""Of a scene: those of a tile of 64 x 64."""
MANY = 4000
"""Scenes from which the truth is computed."""
HEATS, OFFSETS, COUNTS = (1.0, 1.5, 3.0), (0.0, 0.5), (5, 10, 20, 50)


def draw(rng: np.random.Generator, scenes: int, heat: float, offset: float) -> NDArray[np.float64]:
    """Return (scenes, 3, 15) bins, see ``count_bins``.

    Args:
        rng: Random numbers.
        scenes: How many.
        heat: So many times as sure as it may be the model is.
        offset: Standard deviation, over scenes, of what its logits are off by.
    """
    found = np.zeros((scenes, 3, ERROR_BINS))
    for one in found:
        logits = rng.normal(rng.normal(0, 1), SPREAD, PIXELS)
        real = rng.random(PIXELS) < 1 / (1 + np.exp(-(logits / heat + rng.normal(0, offset))))
        probability = 1 / (1 + np.exp(-logits))
        places = np.minimum((probability * ERROR_BINS).astype(int), ERROR_BINS - 1)
        for row, weights in enumerate((None, probability, real.astype(float))):
            one[row] = np.bincount(places, weights, ERROR_BINS)
    return found


def run(repeats: int) -> None:
    """Measure each kind of model with each number of scenes."""
    report = Report(name="calibration")
    lines = [
        "| too sure by | scenes differ by | true error | scenes | estimate | interval holds the truth | width |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rng = np.random.default_rng(0)
    for heat, offset in itertools.product(HEATS, OFFSETS):
        truth = error_of_bins(draw(rng, MANY, heat, offset).sum(axis=0))
        for count in COUNTS:
            found = [scene_interval(draw(rng, count, heat, offset), np.arange(count)) for _ in range(repeats)]
            ends = [(one["low"], one["high"]) for one in found]
            known = [(low, high) for low, high in ends if low is not None and high is not None]
            held = np.mean([low <= truth <= high for low, high in known])
            width = np.mean([high - low for low, high in known])
            mean = np.mean([one["value"] for one in found])
            how_often = f"{held:.0%} of {len(known)}"
            lines.append(f"| {heat:g} | {offset:g} | {truth:.4f} | {count} | {mean:.4f} | {how_often} | {width:.4f} |")
    report.table("\n".join(lines) + "\n")
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=300, help="simulated validations of each kind")
    run(parser.parse_args().repeats)
