"""What a training is to its callers, and what it says of an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from trainables.metrics import ScoredTile, SplitScore
from trainables.models.base import SegmentationModel
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.report import EpochReport
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an epoch came to, before anybody has judged it.

    Attributes:
        val: Scores of the validation windows.
        train_loss: Mean loss over the epoch's draws.
        learning_rate: The decoder's step size during the epoch.
        step_seconds: Mean time of a training step.
        data_seconds: Time that the steps waited for views.
        seconds: Duration of the epoch, validation included.
        gpu_joules: Energy that the whole GPU took; None where it does not say.
    """

    val: SplitScore
    train_loss: float
    learning_rate: float
    step_seconds: float
    data_seconds: float
    seconds: float
    gpu_joules: float | None


@dataclass
class BestEpoch:
    """The best epoch so far.

    Attributes:
        iou: Its val IoU; -1 before the first one.
        epoch: Its number; 0 before the first one.
        stale: Epochs since then.
    """

    iou: float = -1.0
    epoch: int = 0
    stale: int = 0

    def hear(self, epoch: int, iou: float) -> bool:
        """Take an epoch into account; returns whether it is the best one so far."""
        if iou > self.iou:
            self.iou, self.epoch, self.stale = iou, epoch, 0
            return True
        self.stale += 1
        return False

    def ends(self, recipe: Recipe, epoch: int, *, waiting: bool) -> bool:
        """Whether a training ends after an epoch: the epochs are used up, or the patience, which may have to wait."""
        return epoch >= recipe.max_epochs or (not waiting and self.stale >= recipe.patience)


class Training(Protocol):
    """A training of one recipe, epoch by epoch: of one model, or of one for each fold.

    Attributes:
        recipe: All hyperparameters.
        device: Where it trains.
        best: The best epoch so far.
        improved: Whether the last epoch changed ``best_state``.
        after_step: Called after each optimizer step; None calls nothing.
    """

    recipe: Recipe
    device: torch.device
    best: BestEpoch
    improved: bool
    after_step: Callable[[], object] | None

    @property
    def epoch(self) -> int:
        """Epochs trained."""

    @property
    def model(self) -> SegmentationModel:
        """What is trained; the first fold's of several."""

    @property
    def weights(self) -> Weights:
        """What the encoder started from."""

    @property
    def task(self) -> Task:
        """What the masks mean."""

    @property
    def folds(self) -> tuple[tuple[str, ...], ...]:
        """Names of the tiles that each fold leaves out; none for no cross-validation."""

    @property
    def fold_epochs(self) -> tuple[int, ...]:
        """The epoch that each fold's best weights come from; none for no cross-validation."""

    @property
    def refit(self) -> bool:
        """Whether it trains on all tiles, so that no score tells how good it is."""

    @property
    def best_state(self) -> dict[str, Tensor]:
        """The best weights so far, of every fold."""

    @property
    def finished(self) -> bool:
        """Whether the epochs or the patience are used up."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch, of a fold."""

    @property
    def trainable_parameters(self) -> int:
        """Numbers that the training of a model changes."""

    @property
    def fitted(self) -> str | None:
        """How a probe classifies pixels; None for what is trained."""

    @property
    def peak_memory_bytes(self) -> int:
        """Most memory held so far: the GPU's, on the CPU the process's."""

    @property
    def memory_measures(self) -> str:
        """What is done to fit into the device's memory; empty where nothing is done."""

    def memory_news(self) -> list[str]:
        """Return lines about what was done for that since the last call."""

    def train_epoch(self) -> EpochReport:
        """Train one epoch, validate, and move the schedule on."""

    def preview(self, count: int) -> list[ScoredTile]:
        """Predict the validation windows of ``count`` val tiles with the weights that are validated."""

    def finish(self) -> tuple[SplitScore, dict[str, bytes]]:
        """Score whole val tiles with the best weights; also returns pictures of what is predicted."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the rest of the training depends on, as plain tensors and numbers."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned."""


def epoch_report(training: Training, measured: Measured) -> EpochReport:
    """Return what a training reports after an epoch that has been judged."""
    return EpochReport.of(
        measured.val,
        training.task,
        epoch=training.epoch,
        train_loss=measured.train_loss,
        learning_rate=measured.learning_rate,
        encoder_frozen=training.model.encoder_frozen,
        step_seconds=measured.step_seconds,
        images_per_second=training.recipe.draws_per_epoch / (measured.step_seconds * training.steps_per_epoch),
        data_share=measured.data_seconds / (measured.step_seconds * training.steps_per_epoch),
        seconds=measured.seconds,
        peak_memory_bytes=training.peak_memory_bytes,
        memory_measures=training.memory_measures,
        best_epoch=training.best.epoch,
        best_val_iou=training.best.iou,
        gpu_joules=measured.gpu_joules,
    )
