"""What a fold that chooses its own best epoch would add to its score, and what K folds cost beside one split.

Run with ``python -m benchmarks.folds --patches DIR``; ten minutes per seed on two CPU cores. Without ``--patches``
the tiles are drawn.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.loops import random_weights
from benchmarks.report import Report
from benchmarks.tiles import synthetic_tiles
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.results.statistics import mean_interval
from trainables.cross_validation import CrossValidation, start_training
from trainables.data.folds import Fold, split_folds
from trainables.data.scenes import scenes_of
from trainables.data.tiles import TuningData
from trainables.features import FeatureCache
from trainables.models.registry import build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.models.sam import SamModel
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.report import EpochReport

CPU = torch.device("cpu")
FROZEN = "sam_vit_b_conv"


def flattery(epochs: Sequence[Mapping[str, float | None]], folds: Sequence[Fold]) -> float:
    """Return how much higher a mean out-of-fold score is where each fold takes its own best epoch.

    Args:
        epochs: Tile name to IoU, after each epoch; None where a tile has no score.
        folds: Of these tiles.

    Returns:
        The mean over tiles at each fold's own best epoch, less that at the epoch that is best for the other folds.
    """
    scores = {name: [np.nan if epoch[name] is None else epoch[name] for epoch in epochs] for name in epochs[0]}
    own, others = [], []
    for fold in folds:
        inside = np.array([scores[name] for name in fold.val])  # (tiles, epochs)
        outside = np.array([scores[name] for name in scores if name not in fold.val])
        own += inside[:, np.nanmean(inside, axis=0).argmax()].tolist()
        others += inside[:, np.nanmean(outside, axis=0).argmax()].tolist()
    return float(np.nanmean(own) - np.nanmean(others))


def divided(data: TuningData, count: int, seed: int) -> tuple[TuningData, tuple[Fold, ...]]:
    """Return a dataset's tiles in folds by scene."""
    pooled = data.pooled()
    scenes = scenes_of([tile.name for tile in pooled.train], data.scenes, None, data.same_ground)
    return pooled, split_folds(pooled.train, scenes.of, count, seed, data.task)


def trained(recipe: Recipe, data: TuningData, folds: Sequence[Fold]) -> list[EpochReport]:
    """Train all epochs of a cross-validation, whatever its patience."""
    weights = resolve(get_architecture(recipe.architecture).needs, "available")
    training = CrossValidation(recipe.replace(patience=recipe.max_epochs), data, folds, CPU, weights)
    found = []
    while not training.finished:
        found.append(training.train_epoch())
    return found


def cost(
    data: TuningData, folds: Sequence[Fold], side: int, epochs: int, augmentation: str, *, shared: bool = True
) -> float:
    """Train a decoder on a frozen encoder, from an empty cache of features; return the CPU's seconds.

    Args:
        data: Tiles of ``side``.
        folds: None trains once.
        side: Of the crop in pixels.
        epochs: How many, of 16 draws.
        augmentation: LIGHT, under which the views of whole tiles come again, or another preset.
        shared: Whether folds share their views; else each draws its own.
    """
    recipe = Recipe(
        architecture=FROZEN,
        crop_size=side,
        augmentation=augmentation,
        draws_per_epoch=16,
        batch_size=2,
        max_epochs=epochs,
    )
    with tempfile.TemporaryDirectory() as cache:
        features = FeatureCache(Path(cache))
        started = time.process_time()  # others may use the machine, too
        training = start_training(recipe, data, folds, CPU, random_weights(FROZEN), features=features)
        if isinstance(training, CrossValidation) and not shared:
            training._shared = None
        while not training.finished:
            training.train_epoch()
        return time.process_time() - started


def model_of(architecture: str, side: int) -> SamModel:
    """Build a model of full size with random weights, in training mode, where torch's default device is."""
    model = build_model(Recipe(architecture=architecture, crop_size=side), Weights(kind="none"), 1, seed=1)
    assert isinstance(model, SamModel)
    return model.train()


def counted(architecture: str, side: int) -> tuple[float, float]:
    """Return the floating-point operations of encoding one view, and of a decoder's step per view of its batch."""
    with torch.device("meta"):
        model, view = model_of(architecture, side), torch.rand(1, 3, side, side)
    with FlopCounterMode(display=False) as encoding:
        features = model.encode(view)
    with FlopCounterMode(display=False) as step:
        model(view, features).sum().backward()
    return float(encoding.get_total_flops()), float(step.get_total_flops())


def timed_parts(architecture: str, side: int) -> tuple[float, float]:
    """Return the same in the CPU's seconds, measured once on a batch of two."""
    model = model_of(architecture, side).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    views = torch.rand(2, 3, side, side).contiguous(memory_format=torch.channels_last)
    started = time.process_time()
    features = [feature.clone() for feature in model.encode(views)]
    encoded = time.process_time()
    model(views, features).sum().backward()
    return (encoded - started) / 2, (time.process_time() - encoded) / 2


def times_one_split(encoding: float, step: float, folds: int) -> float:
    """Return what the training steps of K folds cost beside one split's, K/(K-1) views encoded for each of its own."""
    return (folds / (folds - 1) * encoding + folds * step) / (encoding + step)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=Path, help="a dataset's folder; default: drawn tiles")
    parser.add_argument("--folds", type=int, default=5, help="how many")
    parser.add_argument("--seeds", type=int, default=3, help="cross-validations")
    parser.add_argument("--architecture", default="smp_unet_efficientnet_lite0", help="what is trained")
    parser.add_argument("--epochs", type=int, default=12, help="of each")
    parser.add_argument("--draws", type=int, default=60, help="per epoch")
    parser.add_argument("--cost-epochs", type=int, default=4, help="of the frozen encoder's decoder; 0: not measured")
    parser.add_argument("--repeats", type=int, default=2, help="of that")
    parser.add_argument("--part-side", type=int, default=1024, help="of the view whose parts are timed; 0: none")
    given = parser.parse_args()
    found = Report(name="folds")
    with synthetic_tiles((24, 6, 1), 256) if given.patches is None else nullcontext(given.patches) as patches:
        data = TuningData.read(patches)
        if given.seeds:
            gains = []
            for seed in range(given.seeds):
                recipe = shared_recipe(given.architecture, get_profile("demo"), seed=seed)
                recipe = recipe.replace(max_epochs=given.epochs, draws_per_epoch=given.draws)
                pooled, folds = divided(data, given.folds, seed)
                epochs = trained(recipe, pooled, folds)
                gains.append(flattery([one.tile_iou for one in epochs], folds))
                found.note(f"seed {seed}: out-of-fold val IoU", max(one.val_iou for one in epochs))
            interval = mean_interval(np.array([gains]), bounds=(-1.0, 1.0))
            found.note("IoU that a fold's own best epoch adds, mean over seeds", fmean(gains))
            if interval.low is not None and interval.high is not None:
                found.note("lower end of its 95 % interval", interval.low)
                found.note("upper end", interval.high)
    if given.cost_epochs:
        with synthetic_tiles((8, 2, 1), 256) as drawn:
            small = TuningData.read(drawn)
            pooled, folds = divided(small, given.folds, 0)
            for preset, views in (("LIGHT", "views that come again"), ("MEDIUM", "views that do not")):
                run = partial(cost, side=256, epochs=given.cost_epochs, augmentation=preset)
                ways = {
                    "one split": partial(run, small, ()),
                    f"{given.folds} folds": partial(run, pooled, folds),
                    f"{given.folds} folds, each with its own views": partial(run, pooled, folds, shared=False),
                }
                title = f"{FROZEN} at full size, 256 x 256, {given.cost_epochs} epochs of 16 draws, {preset} ({views})"
                found.compare(title, ways, given.repeats, unit="CPU s", baseline="one split")
    for architecture in (FROZEN, "sam_vit_b_unet", "mobile_sam_conv"):
        for side in (256, 1024):
            encoding, step = counted(architecture, side)
            found.note(
                f"{architecture}, {side} x {side}: operations of {given.folds} folds' steps over one split's, "
                f"a view's encoding {encoding / 1e9:.0f} GFLOP, a decoder's step {step / 1e9:.0f}",
                times_one_split(encoding, step, given.folds),
            )
    if given.part_side:
        encoding, step = timed_parts(FROZEN, given.part_side)
        found.note(
            f"{FROZEN}, {given.part_side} x {given.part_side}: CPU seconds likewise, a view's encoding "
            f"{encoding:.3g} s, a decoder's step {step:.3g} s",
            times_one_split(encoding, step, given.folds),
        )
    found.write()
