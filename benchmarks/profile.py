"""Where the time of a demo epoch goes, for each architecture, beside the least that its operations could take here.

Run with ``python -m benchmarks.profile``; three minutes on two CPU cores. An epoch is timed after one to warm up, with
random weights, with which no encoder but SAM's is frozen, and SAM's features of val kept, as in a sweep.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.loops import random_weights
from benchmarks.report import Report, seconds
from benchmarks.tiles import synthetic_tiles
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from trainables.data.batches import batch_sizes
from trainables.data.tiles import TuningData
from trainables.features import FeatureCache
from trainables.precision import computes_bf16
from trainables.recipe import Recipe
from trainables.training import Trainer

ARCHITECTURES = (
    "smp_unet_efficientnet_lite0",
    "smp_unet_resnet34",
    "smp_deeplabv3plus_resnet34",
    "unet",
    "sam_vit_b_conv",
    "sam_vit_b_unet",
)
STEPS = 3
"""Of the epoch that is timed; the demo's has more, and its parts are scaled to it."""
EPOCHS = 3
"""Of which the fastest counts: other work on the machine only slows."""
PARTS = ("encoder", "forward", "loss", "backward", "optimizer", "other", "val")
MATRIX = 2048
"""Side of the matrices whose product gives the machine's rate."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A demo epoch of an architecture.

    Attributes:
        spent: Part to seconds of the epoch, whose sum it is; ``encoder`` is that of a fixed one, in training.
        data: Seconds of one thread that cutting the epoch's views out of tiles takes, beside the steps.
        augmentation: Likewise, of augmenting them.
        operations: Of the epoch, in FLOP: multiplications and additions of matrix products and convolutions.
    """

    spent: dict[str, float]
    data: float
    augmentation: float
    operations: float

    @property
    def seconds(self) -> float:
        """The epoch's."""
        return sum(self.spent.values())


class Clock:
    """Sums the seconds that functions take, less those of functions within them that are timed, too."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._within: list[float] = []

    def timed(self, part: str, action: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and is timed."""

        def run(*given: Any, **named: Any) -> Any:
            self._within.append(0.0)
            began = time.perf_counter()
            try:
                return action(*given, **named)
            finally:
                took = time.perf_counter() - began
                self.spent[part] += took - self._within.pop()
                if self._within:
                    self._within[-1] += took

        return run


def profile(recipe: Recipe, data: TuningData, folder: Path) -> Profile:
    """Train a short epoch to warm up, and take the fastest of those after it apart.

    Args:
        recipe: The demo's, in the precision that is to be measured.
        data: The tiles.
        folder: Keeps features.
    """
    whole = len(batch_sizes(recipe.draws_per_epoch, recipe.batch_size))
    short = recipe.replace(draws_per_epoch=STEPS * recipe.batch_size)
    trainer = Trainer(
        short, data, torch.device("cpu"), random_weights(recipe.architecture), features=FeatureCache(folder)
    )
    trainer.train_epoch()
    clock, stepper, backward = Clock(), trainer._stepper, torch.autograd.backward
    if trainer.fixed_encoder:
        encode = clock.timed("encoder", trainer.model.encode_prepared)  # type: ignore[operator]
        trainer.model.encode_prepared = encode  # type: ignore[assignment]
    stepper._run = clock.timed("forward", stepper._run)
    stepper._loss = clock.timed("loss", stepper._loss)
    trainer._optimizer.step = clock.timed("optimizer", trainer._optimizer.step)  # type: ignore[method-assign]
    torch.autograd.backward = clock.timed("backward", backward)
    found = []
    try:
        for _ in range(EPOCHS):
            clock.spent.clear()
            trainer.begin_epoch()
            for batch in trainer._batches.epoch(trainer.epoch):
                clock.timed("other", trainer.take_step)(batch, waited=0.0)
            spent = {part: clock.spent[part] * whole / STEPS for part in PARTS}
            found.append(spent | {"val": seconds(trainer.validate)})
    finally:
        torch.autograd.backward = backward
    spent = min(found, key=lambda one: sum(one.values()))
    draws = range(short.draws_per_epoch)
    cut = seconds(lambda: [trainer._batches.choose(3, index) for index in draws])
    drawn = seconds(lambda: [trainer._batches.draw(3, index) for index in draws])
    counted = [operations(partial(trainer.take_step, batch, waited=0.0)), operations(trainer.validate)]
    scale = whole / STEPS
    return Profile(
        spent=spent,
        data=cut * scale,
        augmentation=max(0.0, drawn - cut) * scale,
        operations=counted[0] * whole + counted[1],
    )


def operations(action: Callable[[], object]) -> float:
    """Count the operations of a call, in FLOP."""
    own = {torch.ops.aten.convolution_backward: _backward_of_convolution}
    with FlopCounterMode(display=False, custom_mapping=own) as counter:
        action()
    return float(counter.get_total_flops())


def _backward_of_convolution(
    gradient: Sequence[int], inputs: Sequence[int], weight: Sequence[int], *others: Any, **named: Any
) -> int:
    """Return the operations of a convolution's gradients: each of the two takes those of its forward pass.

    torch's own formula counts a grouped convolution as if it had a single group.
    """
    transposed, wanted = others[4], others[7]
    shape = inputs if transposed else gradient
    return 2 * shape[0] * math.prod(shape[2:]) * math.prod(weight) * sum(wanted[:2])


def matrix_rate(dtype: torch.dtype) -> float:
    """Return FLOP a second of a product of large matrices, the best of ten."""
    one, other = (torch.randn(MATRIX, MATRIX, dtype=dtype) for _ in range(2))
    return 2.0 * MATRIX**3 / min(seconds(lambda: torch.mm(one, other)) for _ in range(10))


def table(profiles: dict[str, Profile], rates: dict[str, float], precision: str) -> str:
    """Write the profiles, in milliseconds."""
    heads = (*PARTS, "whole", "data, augmentation beside it", "GFLOP", "floor", "share reached")
    lines = [f"| {precision}, ms a demo epoch | {' | '.join(heads)} |\n", f"|---{'|--:' * len(heads)}|\n"]
    for name, one in profiles.items():
        floor = one.operations / rates[precision]
        cells = [f"{one.spent[part] * 1000:,.0f}" for part in PARTS]
        cells += [f"{one.seconds * 1000:,.0f}", f"{one.data * 1000:,.0f}, {one.augmentation * 1000:,.0f}"]
        cells += [f"{one.operations / 1e9:,.0f}", f"{floor * 1000:,.0f}", f"{floor / one.seconds:.0%}"]
        lines.append(f"| {name} | {' | '.join(cells)} |\n")
    return "".join(lines)


def main() -> None:
    """Measure and write the figures on the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES), help="A,B,...")
    parser.add_argument("--precisions", default="bf16" if computes_bf16() else "fp32", help="fp32, bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=1024, help="side of a tile in pixels")
    parser.add_argument("--crop", type=int, help="side of a view; default: the demo's")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(given.threads)
    report = Report(name="profile")
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    precisions = given.precisions.split(",")
    with synthetic_tiles((8, 6, 1), given.size) as patches, tempfile.TemporaryDirectory() as folder:
        data = TuningData.read(patches)
        for precision in precisions:
            rates = {precision: matrix_rate(types[precision])}
            profiles = {}
            for name in given.architectures.split(","):
                recipe = shared_recipe(name, get_profile("demo")).replace(precision=precision)
                if given.crop:
                    recipe = recipe.replace(crop_size=given.crop, validation_crop=given.crop)
                profiles[name] = profile(recipe, data, Path(folder) / f"{name}-{precision}")
                rates[precision] = max(rates[precision], matrix_rate(types[precision]))
            report.table(table(profiles, rates, precision))
            report.note(f"{precision}: GFLOP/s of a product of matrices of {MATRIX}", rates[precision] / 1e9)
    report.write()


if __name__ == "__main__":
    main()
