"""Out-of-fold predictions: each tile is predicted by a model that has seen neither it nor its scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.results.trained_models import TrainedModel
from trainables.cross_validation import fold_seed, trainer_of
from trainables.data.folds import Fold, split_folds
from trainables.data.scenes import scenes_of
from trainables.data.tiles import SIDE_MULTIPLE, Tile, TuningData
from trainables.errors import DataError, ExperimentError
from trainables.held_out import fold_models, labelled, unseen_tiles
from trainables.inference import choose_device, default_batch, ready, within_memory
from trainables.models.registry import get_architecture
from trainables.models.resolving import resolve
from trainables.recipe import Recipe
from trainables.scoring import Forward
from trainables.windows import predict_by_windows
from trainables.wording import counted

PROBE = "probe:smp_unet_efficientnet_lite0"
"""Fitted in closed form on ImageNet weights that are installed with tilesweep."""
MOST_FOLDS = 5
STEPS = 200
"""Into how many steps a probability is rounded where it is kept: half a percent is below what decides."""

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class UnseenTiles:
    """Some tiles, and a model that has not seen them.

    Attributes:
        tiles: The tiles.
        forward: The model's forward pass.
        window: Side of its windows in pixels.
        batch_size: Windows per forward pass.
    """

    tiles: tuple[Tile, ...]
    forward: Forward
    window: int
    batch_size: int

    def predict(self) -> Iterator[tuple[Tile, Probabilities]]:
        """Yield each tile with the (classes, H, W) probabilities of its pixels."""
        for tile in self.tiles:
            image = torch.tensor(tile.image).permute(2, 0, 1)
            (logits,) = predict_by_windows(self.forward, [image], window=self.window, batch_size=self.batch_size)
            if len(logits) == 1:
                foreground = logits[0].sigmoid()
                found = torch.stack([1 - foreground, foreground])
            else:
                found = logits.softmax(0)
            yield tile, found.float().cpu().numpy()


class KeptProbabilities:
    """Probabilities of many tiles, on disk: they are needed twice, and do not fit into memory.

    Args:
        folder: Where; is the caller's to delete.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[str, int] = {}

    def add(self, tile: Tile, probabilities: Probabilities) -> None:
        """Keep those of a tile."""
        number = self._numbers.setdefault(tile.name, len(self._numbers))
        np.save(self._folder / f"{number}.npy", np.rint(probabilities * STEPS).astype(np.uint8))

    def of(self, tile: Tile) -> Probabilities:
        """Return those of a tile."""
        found: Probabilities = np.load(self._folder / f"{self._numbers[tile.name]}.npy").astype(np.float32) / STEPS
        return found


def by_folds_of(chosen: TrainedModel, data: TuningData, device: str) -> list[UnseenTiles]:
    """Return the tiles that each fold of a trained model has left out; of a single model, the val tiles.

    Raises:
        ExperimentError: It was trained on all tiles.
        DataError: It was trained on other tiles.
    """
    model, best = chosen.load()
    if best.refit:
        raise ExperimentError(
            f"--model {chosen.name}: was trained on all tiles, so it knows their labels; name the experiment alone"
        )
    if best.data_fingerprint != data.fingerprint:
        raise DataError(
            f"--patches: {data.name} is not the data that {chosen.name} was trained on, or its labels have changed "
            f"since; sweep again, or leave --model out"
        )
    place = choose_device(device)
    window = best.recipe.crop_size
    return [
        UnseenTiles(
            tiles=unseen_tiles(told, data),
            forward=within_memory(ready(one, best.recipe, place)),
            window=window,
            batch_size=default_batch(window, place),
        )
        for one, told in fold_models(model, best)
    ]


@dataclass(frozen=True, kw_only=True)
class ProbeFolds:
    """Folds of whole scenes, for each of which a probe is fitted to the others.

    Attributes:
        data: All labelled tiles but test.
        folds: Which are left out.
        origin: What a fold is made of, in words.
    """

    data: TuningData
    folds: tuple[Fold, ...]
    origin: str

    @classmethod
    def of(cls, data: TuningData, group_by: str | None, seed: int) -> ProbeFolds:
        """Divide a dataset.

        Raises:
            DataError: There is one tile alone.
        """
        pooled = data.pooled()
        tiles = labelled(pooled.train)
        names = [tile.name for tile in tiles]
        if len(names) < 2:
            raise DataError(
                f"{data.name}: has {counted(len(names), 'labelled tile')}, and a label is checked by those of others; "
                "add tiles"
            )
        scenes = dict(scenes_of(names, data.scenes, group_by, data.same_ground).of)
        count = len(set(scenes.values()))
        origin = f"{counted(min(MOST_FOLDS, count), 'fold')} of {counted(count, 'scene')}"
        if count < 2:
            scenes = {name: name for name in names}
            count = len(names)
            origin = f"{counted(min(MOST_FOLDS, count), 'fold')} of single tiles, as all are of one scene"
        folds = split_folds(tiles, scenes, min(MOST_FOLDS, count), seed, data.task)
        return cls(data=pooled.only(names, val=names), folds=folds, origin=origin)

    def fit(self, seed: int, device: str) -> Iterator[UnseenTiles]:
        """Fit a probe for each fold, one after the other, and yield the tiles that it has not seen."""
        place, recipe = choose_device(device), probe_recipe(self.data.train, seed)
        weights = resolve(get_architecture(PROBE).needs, "available", offline=True)
        for number, fold in enumerate(self.folds):
            own = fold.of(self.data)
            trainer = trainer_of(recipe)(recipe, own, place, weights, seed=fold_seed(seed, number))
            trainer.train_epoch()
            yield UnseenTiles(
                tiles=own.val,
                forward=within_memory(ready(trainer.model, recipe, place)),
                window=recipe.crop_size,
                batch_size=default_batch(recipe.crop_size, place),
            )


def probe_recipe(tiles: Sequence[Tile], seed: int) -> Recipe:
    """Return the recipe of the probe, whose windows fit into the smallest tile."""
    recipe = shared_recipe(PROBE, get_profile("demo"), seed=seed)
    least = min(min(tile.shape) for tile in tiles)
    side = min(recipe.crop_size, least - least % SIDE_MULTIPLE)
    return recipe.replace(crop_size=side, validation_crop=min(recipe.validation_crop, side))
