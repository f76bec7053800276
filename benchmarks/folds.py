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
from trainables.models.registry import get_architecture
from trainables.models.resolving import resolve
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


def cost(data: TuningData, folds: Sequence[Fold], side: int, epochs: int) -> float:
    """Train a decoder on a frozen encoder whose features are kept, from an empty cache; return the seconds."""
    recipe = Recipe(
        architecture=FROZEN, crop_size=side, augmentation="LIGHT", draws_per_epoch=16, batch_size=2, max_epochs=epochs
    )
    with tempfile.TemporaryDirectory() as cache:
        features = FeatureCache(Path(cache))
        started = time.perf_counter()
        training = start_training(recipe, data, folds, CPU, random_weights(FROZEN), features=features)
        while not training.finished:
            training.train_epoch()
        return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=Path, help="a dataset's folder; default: drawn tiles")
    parser.add_argument("--folds", type=int, default=5, help="how many")
    parser.add_argument("--seeds", type=int, default=3, help="cross-validations")
    parser.add_argument("--architecture", default="smp_unet_efficientnet_lite0", help="what is trained")
    parser.add_argument("--epochs", type=int, default=12, help="of each")
    parser.add_argument("--draws", type=int, default=60, help="per epoch")
    parser.add_argument("--cost-epochs", type=int, default=4, help="of the frozen encoder's decoder; 0: not measured")
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
            title = f"{FROZEN}, frozen ViT-B at full size, 256 x 256, {given.cost_epochs} epochs of 16 draws, CPU"
            ways = {
                "one split": partial(cost, small, (), 256, given.cost_epochs),
                f"{given.folds} folds": partial(cost, pooled, folds, 256, given.cost_epochs),
            }
            found.compare(title, ways, 2, unit="s", baseline="one split")
    found.write()
