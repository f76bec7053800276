"""One model for each fold, trained side by side: each tile is scored by the model that has not seen it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.data.folds import Fold
from trainables.data.tiles import TuningData
from trainables.energy import EnergyMeter
from trainables.epochs import BestEpoch, Measured, Training, epoch_report
from trainables.features import FeatureCache
from trainables.memory import random_state, set_random_state
from trainables.metrics import ScoredTile, SplitScore
from trainables.models.base import SegmentationModel
from trainables.models.fold_ensemble import member_name
from trainables.models.probe_names import is_probe
from trainables.models.weights import Weights
from trainables.probing import ProbeRefit, ProbeTrainer
from trainables.recipe import Recipe
from trainables.refit import Refit
from trainables.report import EpochReport
from trainables.shared_views import SharedViews
from trainables.task import Task
from trainables.training import Trainer


class CrossValidation:
    """A cross-validation of one recipe; to its caller it is one training, see ``Training``.

    After each epoch, val is the out-of-fold scores of all tiles. **No fold's own scores decide about its model**: its
    best epoch and its schedule follow the mean over the tiles of the other folds, whose models never saw that
    fold left out. So the out-of-fold scores are not flattered by the choice of the epoch, as those of a val split are
    on which training was stopped. Their mean over all tiles ends the training, for all folds at once.

    Folds on one fixed encoder share their views, which are then encoded once, see ``SharedViews``; others draw their
    own.

    Args:
        recipe: All hyperparameters.
        data: The tiles of all folds, as ``TuningData.pooled`` returns them.
        folds: At least two.
        device: Where to train: the models are there together.
        weights: Initial encoder weights; see ``Trainer``, as the rest.
        workers: See there.
        features: See there.
        beside: See there.
        compiled: See there.

    Raises:
        DataError: A fold has no tile with a pixel that counts in its window.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TuningData,
        folds: Sequence[Fold],
        device: torch.device,
        weights: Weights | None = None,
        *,
        workers: int = 2,
        features: FeatureCache | None = None,
        beside: Sequence[str] = (),
        compiled: bool = False,
    ) -> None:
        self.recipe = recipe
        self.device = device
        self.task: Task = data.task
        self.best = BestEpoch()
        self.improved = False
        self._folds = tuple(fold.val for fold in folds)
        self._order = {tile.name: place for place, tile in enumerate(data.val)}
        self._trainers = [
            trainer_of(recipe)(
                recipe,
                fold.of(data),
                device,
                weights,
                workers=workers,
                features=features,
                beside=beside,
                compiled=compiled,
                seed=fold_seed(recipe.seed, number),
            )
            for number, fold in enumerate(folds)
        ]
        self._shared: SharedViews | None = None
        encoder = self._trainers[0].fixed_encoder
        if (
            self._trainers[0].takes_steps
            and encoder is not None
            and all(encoder.same_as(trainer.fixed_encoder) for trainer in self._trainers)
        ):
            own = [[tile.name for tile in fold.of(data).train] for fold in folds]
            self._shared = SharedViews(
                data.train, own, recipe, device, encoder, colours=data.imagery.has_colours, workers=workers
            )

    @property
    def folds(self) -> tuple[tuple[str, ...], ...]:
        """Names of the tiles that each fold leaves out."""
        return self._folds

    @property
    def fold_epochs(self) -> tuple[int, ...]:
        """The epoch that each fold's best weights come from."""
        return tuple(trainer.best.epoch for trainer in self._trainers)

    @property
    def refit(self) -> bool:
        """Whether a model trains on all tiles."""
        return False

    @property
    def model(self) -> SegmentationModel:
        """The first fold's model."""
        return self._trainers[0].model

    @property
    def weights(self) -> Weights:
        """What the encoders started from."""
        return self._trainers[0].weights

    @property
    def epoch(self) -> int:
        """Epochs that each fold was trained."""
        return self._trainers[-1].epoch

    @property
    def after_step(self) -> Callable[[], object] | None:
        """Called after each optimizer step of each fold."""
        return self._trainers[0].after_step

    @after_step.setter
    def after_step(self, call: Callable[[], object] | None) -> None:
        for trainer in self._trainers:
            trainer.after_step = call

    @property
    def best_state(self) -> dict[str, Tensor]:
        """The best weights of every fold, each fold's names after its own."""
        return {
            f"{member_name(number)}.{name}": tensor
            for number, trainer in enumerate(self._trainers)
            for name, tensor in trainer.best_state.items()
        }

    @property
    def finished(self) -> bool:
        """Whether the epochs are used up, or the patience with the mean of all folds."""
        return self.best.ends(self.recipe, self.epoch, waiting=self._trainers[0].waiting)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch of a fold."""
        return self._trainers[0].steps_per_epoch

    @property
    def trainable_parameters(self) -> int:
        """Numbers that the training of a fold changes."""
        return self._trainers[0].trainable_parameters

    @property
    def fitted(self) -> str | None:
        """How the folds' probes classify pixels, each way once; None for what is trained."""
        return " and ".join(sorted({one.fitted for one in self._trainers if one.fitted})) or None

    @property
    def peak_memory_bytes(self) -> int:
        """Most memory that all folds together held so far."""
        return self._trainers[0].peak_memory_bytes

    @property
    def memory_measures(self) -> str:
        """What the fold that did most does to fit into the device's memory; empty where it does nothing."""
        return max((trainer.memory for trainer in self._trainers), key=lambda memory: memory.rung).measures

    def memory_news(self) -> list[str]:
        """Return lines about what was done for that since the last call."""
        return [
            f"fold {number}: {line}"
            for number, trainer in enumerate(self._trainers, start=1)
            for line in trainer.memory_news()
        ]

    def train_epoch(self) -> EpochReport:
        """Train an epoch of every fold, validate, and judge each fold by the others.

        Raises:
            DivergedError: The loss of a fold is NaN or infinite.
            InfeasibleError: It does not fit into the device's memory.
        """
        started, energy = time.perf_counter(), EnergyMeter(self.device)
        measured = self._run_epoch()
        if self._trainers[0].second_stage_began:
            self.best.stale = 0
        for number, trainer in enumerate(self._trainers):
            trainer.judge(self._together(one.val for other, one in enumerate(measured) if other != number))
        val = self._together(one.val for one in measured)
        self.best.hear(self.epoch, val.iou)
        self.improved = any(trainer.improved for trainer in self._trainers)
        whole = Measured(
            val=val,
            train_loss=fmean(one.train_loss for one in measured),
            learning_rate=fmean(one.learning_rate for one in measured),
            step_seconds=fmean(one.step_seconds for one in measured),
            data_seconds=fmean(one.data_seconds for one in measured),
            seconds=time.perf_counter() - started,
            gpu_joules=energy.joules(),
        )
        return epoch_report(self, whole)

    def _run_epoch(self) -> list[Measured]:
        """Train an epoch of every fold and validate it."""
        if self._shared is None:
            return [trainer.run_epoch() for trainer in self._trainers]
        random = []
        for trainer in self._trainers:
            trainer.begin_epoch()
            random.append(random_state(self.device))
        for step in self._shared.epoch(self.epoch):
            set_random_state(self.device, random[step.training])  # each fold's dropout is its own
            self._trainers[step.training].take_step(step.batch, waited=step.waited, encoding=step.encoding)
            random[step.training] = random_state(self.device)
        return [trainer.end_epoch() for trainer in self._trainers]

    def _together(self, scores: Iterable[SplitScore]) -> SplitScore:
        """Return the scores of several folds as those of one split, the tiles in their usual order."""
        tiles = [tile for one in scores for tile in one.tiles]
        return SplitScore(tiles=tuple(sorted(tiles, key=lambda tile: self._order[tile.name])))

    def preview(self, count: int) -> list[ScoredTile]:
        """Predict the validation windows of the first fold's first ``count`` tiles."""
        return self._trainers[0].preview(count)

    def finish(self) -> tuple[SplitScore, dict[str, bytes]]:
        """Score each whole tile with the best weights of the fold that left it out.

        Returns:
            The scores, and the predicted masks and overlays as file name to content.
        """
        found = [trainer.finish() for trainer in self._trainers]
        return self._together(score for score, _ in found), {
            name: content for _, files in found for name, content in files.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the rest of the training depends on, as plain tensors and numbers."""
        return {
            "folds": [trainer.state_dict() for trainer in self._trainers],
            "best": [self.best.iou, self.best.epoch, self.best.stale],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned for the same recipe, data, folds and weights."""
        for trainer, one in zip(self._trainers, state["folds"], strict=True):
            trainer.load_state_dict(one)
        iou, epoch, stale = state["best"]
        self.best = BestEpoch(iou=iou, epoch=epoch, stale=stale)


def start_training(
    recipe: Recipe,
    data: TuningData,
    folds: Sequence[Fold],
    device: torch.device,
    weights: Weights | None = None,
    *,
    rates: Sequence[float] = (),
    **how: Any,
) -> Training:
    """Return a ``CrossValidation``, a ``Refit`` where there are rates, else a ``Trainer``; the arguments are theirs.

    A probe has its own kinds of the last two.
    """
    if folds:
        return CrossValidation(recipe, data, folds, device, weights, **how)
    if rates:
        refit = ProbeRefit if is_probe(recipe.architecture) else Refit
        return refit(recipe, data, rates, device, weights, **how)
    return trainer_of(recipe)(recipe, data, device, weights, **how)


def trainer_of(recipe: Recipe) -> type[Trainer]:
    """Return the kind of training of a single model that a recipe asks for."""
    return ProbeTrainer if is_probe(recipe.architecture) else Trainer


def fold_seed(seed: int, number: int) -> int:
    """Return the seed of a fold's initial weights, draws and dropout; that of fold 0 is the recipe's."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
