"""The optimizer and the learning-rate schedule that a recipe names."""

from __future__ import annotations

from typing import Any

from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, ReduceLROnPlateau

from trainables.metrics import SplitScore
from trainables.models.base import SegmentationModel
from trainables.recipe import Recipe


def make_optimizer(model: SegmentationModel, recipe: Recipe, *, two_stages: bool) -> Optimizer:
    """Return an optimizer with one group for the decoder, and one for an encoder that is ever trained.

    Args:
        model: On its device.
        recipe: Uses ``optimizer``, ``learning_rate``, ``unfrozen_rate_factor`` and ``weight_decay``.
        two_stages: Whether the encoder is frozen first.
    """
    groups: list[dict[str, Any]] = [{"params": model.decoder_parameters(), "lr": recipe.learning_rate}]
    if model.encoder_parameters():
        factor = recipe.unfrozen_rate_factor if two_stages else 1.0
        groups.append({"params": model.encoder_parameters(), "lr": recipe.learning_rate * factor})
    kind = AdamW if recipe.optimizer == "AdamW" else Adam
    return kind(groups, weight_decay=recipe.weight_decay, fused=True)


def make_schedule(optimizer: Optimizer, recipe: Recipe, *, epochs: int) -> LRScheduler:
    """Return the schedule of a stage that begins.

    Args:
        optimizer: Its groups have the stage's first rates.
        recipe: Uses ``schedule`` and what belongs to it.
        epochs: Of the stage, over which a cosine falls.
    """
    if recipe.schedule == "plateau":
        return ReduceLROnPlateau(
            optimizer,
            mode="max",
            factor=recipe.plateau_factor,
            patience=recipe.plateau_patience,
            threshold=0.0,
            min_lr=recipe.min_learning_rate,
        )
    if recipe.schedule == "constant":
        return ConstantLR(optimizer, factor=1.0)
    return CosineAnnealingLR(optimizer, max(epochs, 1), eta_min=recipe.min_learning_rate)


def end_epoch(schedule: LRScheduler, recipe: Recipe, val: SplitScore) -> None:
    """Move a schedule on after an epoch's validation."""
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(val.iou if recipe.plateau_metric == "iou" else val.f1)
    else:
        schedule.step()
