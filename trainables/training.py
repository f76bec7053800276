"""The training step that all architectures share: one ``Trainer`` is one trial."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from trainables.consistency import Consistency
from trainables.data.batches import Batch, Batches, batch_sizes, views_repeat
from trainables.data.centre import centre_window
from trainables.data.tiles import TuningData
from trainables.ema import WeightAverage
from trainables.energy import EnergyMeter
from trainables.epochs import BestEpoch, Measured, epoch_report
from trainables.errors import DivergedError
from trainables.features import FeatureCache
from trainables.fixed_encoder import FixedEncoder, feature_keys, forward_with
from trainables.losses.base import loss_of
from trainables.memory import MemoryLadder, peak_bytes
from trainables.metrics import ScoredTile, SplitScore
from trainables.models.base import SegmentationModel
from trainables.models.registry import build_model
from trainables.models.weights import Weights
from trainables.optimizing import end_epoch, make_optimizer, make_schedule
from trainables.precision import choose_dtype
from trainables.recipe import Recipe
from trainables.report import EpochReport
from trainables.scoring import Forward, predict_tiles, score_and_draw, score_split
from trainables.stepping import Stepper
from trainables.task import Task


class Trainer:
    """Trains one recipe. A loop over ``train_epoch`` in plain Python is a full training.

    All randomness comes from (seed, epoch, draw), so a resumed training takes the same steps as an unbroken one.

    Args:
        recipe: All hyperparameters.
        data: The train and val tiles.
        device: Where to train.
        weights: Initial encoder weights, from ``trainables.models.resolving.resolve``.
        workers: Threads that prepare views, at least 1.
        features: Keeps what a fixed encoder makes of views that come again; None encodes every view every time.
        beside: Architectures whose trials read features of the same fixed encoder: one pass makes theirs, too.
        compiled: Whether ``torch.compile`` translates the training step.
        seed: Seeds initial weights, draws and dropout; None is the recipe's.

    Attributes:
        takes_steps: Whether an epoch consists of optimizer steps.

    Raises:
        DataError: No val tile has a pixel that counts in its window, or there are no unlabelled images to learn from.
        RecipeError: Nothing would label these.
    """

    takes_steps = True

    def __init__(
        self,
        recipe: Recipe,
        data: TuningData,
        device: torch.device,
        weights: Weights | None = None,
        *,
        workers: int = 2,
        features: FeatureCache | None = None,
        beside: Sequence[str] = (),
        compiled: bool = False,
        seed: int | None = None,
    ) -> None:
        self.recipe = recipe
        self._seed = recipe.seed if seed is None else seed
        self.device = device
        self.weights = weights or Weights(kind="none")
        self.dtype = choose_dtype(recipe.precision, device)
        self.epoch = 0
        self.best = BestEpoch()
        self.best_state: dict[str, Tensor] = {}
        self.improved = False
        self.after_step: Callable[[], object] | None = None
        self._data = data
        self._val = tuple(centre_window(tile, recipe.validation_crop) for tile in data.val)
        self._loss = loss_of(recipe, data.task, data.train, device)
        bands = len(data.imagery.bands)
        model = build_model(recipe, self.weights, data.task.channels, bands=bands, seed=self._seed)
        self.model: SegmentationModel = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        keys = feature_keys(tuple(beside), recipe.model_size, data.task.channels, bands)
        self.fixed_encoder = FixedEncoder.of(self.model, device, self.dtype, features, keys)
        encoder = self.fixed_encoder
        encodes_once = encoder is not None and encoder.keeps and views_repeat(data.train, recipe)
        # Features are found by the pixels of a view, which therefore is made on the CPU.
        augmented_on = torch.device("cpu") if encodes_once else device
        drawn = recipe.replace(seed=self._seed)
        colours = data.imagery.has_colours
        self._batches = Batches(data.train, drawn, augmented_on, workers=workers, colours=colours)
        self.memory = MemoryLadder(self.model)
        self._two_stages = (
            self.weights.two_stages and recipe.frozen_epochs > 0 and bool(self.model.encoder_parameters())
        )
        if self._two_stages:
            self.model.freeze_encoder()
        self._optimizer = make_optimizer(self.model, recipe, two_stages=self._two_stages)
        self._schedule = self._make_schedule()
        trained = {k: v for k, v in self.model.portable_state_dict().items() if v.is_floating_point()}
        self._average = WeightAverage(trained, recipe.ema_decay) if recipe.ema_decay else None
        recipe.require_average()
        self._consistency: Consistency | None = None
        if recipe.consistency_weight and self._average:
            self._consistency = Consistency(
                recipe, data, self.model, self._average, self._seed, device, self.dtype, workers=workers
            )
        self._stepper = Stepper(
            self.model,
            self._loss,
            self._optimizer,
            recipe,
            device,
            self.dtype,
            self.memory,
            average=self._average,
            encoder=encoder if encodes_once else None,
            consistency=self._consistency,
            compiled=compiled,
        )

    def _make_schedule(self) -> LRScheduler:
        """Return the schedule of the stage that begins."""
        frozen = min(self.recipe.frozen_epochs, self.recipe.max_epochs) if self._two_stages else 0
        epochs = self.recipe.max_epochs - frozen if self.epoch >= frozen else frozen
        return make_schedule(self._optimizer, self.recipe, epochs=epochs)

    @property
    def learning_rate(self) -> float:
        """The decoder's present step size."""
        return float(self._optimizer.param_groups[0]["lr"])

    def train_epoch(self) -> EpochReport:
        """Train one epoch, validate, and move the schedule on.

        Returns:
            What happened.

        Raises:
            DivergedError: The loss is NaN or infinite.
            InfeasibleError: It does not fit into the device's memory.
        """
        measured = self.run_epoch()
        self.judge(measured.val)
        return epoch_report(self, measured)

    def run_epoch(self) -> Measured:
        """Train one epoch and validate; ``judge`` is to follow.

        Raises:
            DivergedError: The loss is NaN or infinite.
            InfeasibleError: It does not fit into the device's memory.
        """
        self.begin_epoch()
        energy, asked = EnergyMeter(self.device), time.perf_counter()
        for batch in self._batches.epoch(self.epoch):
            self.take_step(batch, waited=time.perf_counter() - asked)
            asked = time.perf_counter()
        return replace(self.end_epoch(), gpu_joules=energy.joules())

    def begin_epoch(self) -> None:
        """Make ready for the steps of the next epoch."""
        self.epoch += 1
        if self.second_stage_began:
            self._start_second_stage()
        torch.manual_seed(self._seed * 1_000_003 + self.epoch)  # dropout: the same after a resume
        self.model.train()
        if self._consistency:
            self._consistency.begin_epoch(self.epoch)
        self._total = torch.zeros((), device=self.device)
        self._steps, self._stepping, self._waited = 0, 0.0, 0.0

    def take_step(self, batch: Batch, *, waited: float, encoding: float = 0.0) -> None:
        """Take one optimizer step.

        Args:
            batch: Some of the epoch's draws.
            waited: Seconds for which it was waited for.
            encoding: Seconds that its features took.

        Raises:
            InfeasibleError: It does not fit into the device's memory.
        """
        started = time.perf_counter()
        self._total += self._stepper.take(batch) * len(batch.images)
        if self.after_step:
            self.after_step()
        self._steps += 1
        self._waited += waited
        self._stepping += waited + encoding + time.perf_counter() - started

    def end_epoch(self) -> Measured:
        """Validate after an epoch's steps; ``judge`` is to follow. Nobody has looked at the GPU's energy.

        Raises:
            DivergedError: The loss is NaN or infinite.
        """
        stepped, rate = time.perf_counter(), self.learning_rate
        train_loss = float(self._total) / self.recipe.draws_per_epoch  # the epoch's only wait for the device
        validating = time.perf_counter()
        stepping = self._stepping + validating - stepped
        if not math.isfinite(train_loss):
            raise DivergedError(f"train loss is {train_loss} in epoch {self.epoch} at learning rate {rate:g}")
        if self._consistency:
            self.memory.news.append(self._consistency.summary)
        with self._averaged():
            val = self.validate()
        return Measured(
            val=val,
            train_loss=train_loss,
            learning_rate=rate,
            step_seconds=stepping / self._steps,
            data_seconds=self._waited,
            seconds=stepping + time.perf_counter() - validating,
            gpu_joules=None,
        )

    def judge(self, val: SplitScore) -> None:
        """Keep the weights if the epoch is the best one so far, and move the schedule on.

        Args:
            val: Scores by which the epoch is judged.
        """
        self.improved = self.best.hear(self.epoch, val.iou)
        if self.improved:
            self._keep()
        end_epoch(self._schedule, self.recipe, val)

    def _keep(self) -> None:
        """Keep the present weights as the best ones."""
        with self._averaged():
            self.best_state = {k: v.clone() for k, v in self.model.portable_state_dict().items()}

    @property
    def second_stage_began(self) -> bool:
        """Whether the last epoch was the first one of the second of two stages."""
        return self._two_stages and self.epoch == self.recipe.frozen_epochs + 1

    @property
    def waiting(self) -> bool:
        """Whether the frozen stage of two is not over; it never ends a training early."""
        return self._two_stages and self.epoch <= self.recipe.frozen_epochs

    @property
    def finished(self) -> bool:
        """Whether the epochs or the patience are used up."""
        return self.best.ends(self.recipe, self.epoch, waiting=self.waiting)

    @property
    def task(self) -> Task:
        """What the masks mean."""
        return self._data.task

    @property
    def folds(self) -> tuple[tuple[str, ...], ...]:
        """None: a single model is trained."""
        return ()

    @property
    def fold_epochs(self) -> tuple[int, ...]:
        """None: see ``folds``."""
        return ()

    @property
    def refit(self) -> bool:
        """Whether all tiles are trained on."""
        return False

    @property
    def memory_measures(self) -> str:
        """What is done to fit into the device's memory; empty where nothing is."""
        return self.memory.measures

    def memory_news(self) -> list[str]:
        """Return lines about what was done for that since the last call."""
        return self.memory.take_news()

    @property
    def trainable_parameters(self) -> int:
        """Numbers that the training changes."""
        return self.model.trainable_parameters

    @property
    def fitted(self) -> str | None:
        """None: it is trained."""
        return None

    @property
    def peak_memory_bytes(self) -> int:
        """Most memory held so far: the GPU's, on the CPU the process's."""
        return peak_bytes(self.device)

    def _start_second_stage(self) -> None:
        """Unfreeze the encoder and start rates, schedule and patience afresh, as a training of its own would."""
        self.model.unfreeze_encoder()
        decoder, encoder = self._optimizer.param_groups
        decoder["lr"] = self.recipe.learning_rate
        encoder["lr"] = self.recipe.learning_rate * self.recipe.unfrozen_rate_factor
        self._schedule = self._make_schedule()
        self.best.stale = 0

    def validate(self) -> SplitScore:
        """Score the validation windows with the present weights."""
        if self.fixed_encoder and self.epoch == 1:
            self.fixed_encoder.look_at(self._val, self.recipe.crop_size)
        return score_split(
            self.model, self._forward(), self._val, self.recipe, self._loss, batch_size=self._windows_a_batch
        )

    def preview(self, count: int) -> list[ScoredTile]:
        """Predict the validation windows of the first ``count`` val tiles with the weights that are validated."""
        with self._averaged():
            return list(
                predict_tiles(
                    self.model,
                    self._forward(),
                    self._val[:count],
                    self.recipe,
                    self._loss,
                    batch_size=self._windows_a_batch,
                )
            )

    def finish(self) -> tuple[SplitScore, dict[str, bytes]]:
        """Score whole val tiles with the best weights, which the model has from then on.

        Returns:
            The scores, and the predicted masks and overlays as file name to content.
        """
        self.model.load_portable_state_dict(self.best_state)
        if self.fixed_encoder:
            self.fixed_encoder.look_at(self._data.val, self.recipe.crop_size)
        return score_and_draw(
            self.model, self._forward(), self._data.val, self.recipe, self._loss, batch_size=self._windows_a_batch
        )

    @property
    def _windows_a_batch(self) -> int:
        """What fits in training fits in validation."""
        return max(1, self.recipe.batch_size // self.memory.parts(self.recipe.batch_size))

    def _forward(self) -> Forward:
        return forward_with(self.model, self.fixed_encoder, self.device, self.dtype)

    def _averaged(self) -> AbstractContextManager[None]:
        return self._average.applied() if self._average else nullcontext()

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch."""
        return len(batch_sizes(self.recipe.draws_per_epoch, self.recipe.batch_size))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the rest of the training depends on, as plain tensors and numbers."""
        return {
            "model": self.model.portable_state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._stepper.state_dict(),
            "average": self._average.state_dict() if self._average else {},
            "encoder_frozen": self.model.encoder_frozen,
            "epoch": self.epoch,
            "stale_epochs": self.best.stale,
            "memory_rung": self.memory.rung,
            "best_iou": self.best.iou,
            "best_epoch": self.best.epoch,
            "best_state": self.best_state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned for the same recipe, data and weights."""
        self.model.load_portable_state_dict(state["model"])
        self.memory.go_to(state["memory_rung"])
        if state["encoder_frozen"]:
            self.model.freeze_encoder()
        else:
            self.model.unfreeze_encoder()
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state.get("schedule") or state["plateau"])  # the name before there were others
        self._stepper.load_state_dict(state["scaler"])
        if self._average:
            self._average.load_state_dict(state["average"])
        self.epoch = state["epoch"]
        self.best = BestEpoch(iou=state["best_iou"], epoch=state["best_epoch"], stale=state["stale_epochs"])
        self.best_state = state["best_state"]
