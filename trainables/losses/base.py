"""What a loss is, and the one that a recipe names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

import torch
from torch import Tensor

from trainables.class_balance import class_weights_of
from trainables.data.crops import smaller_than
from trainables.data.tiles import Tile
from trainables.losses.registry import LOSSES
from trainables.recipe import Recipe
from trainables.task import Task


class Loss(Protocol):
    """Compares logits with masks."""

    @property
    def task(self) -> Task:
        """What the masks mean."""
        ...

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Compare logits with masks.

        Args:
            logits: (B, C, H, W) float, C the task's channels.
            masks: (B, 1, H, W) uint8 class indices; 255 does not count where the task ignores pixels or views
                are padded.

        Returns:
            Scalar float32.
        """
        ...


def loss_of(
    recipe: Recipe,
    task: Task,
    train: Sequence[Tile],
    device: torch.device | None = None,
    *,
    partial: bool = False,
) -> Loss:
    """Return the loss that a recipe names.

    Its builder is called with the recipe, the task, ``class_weights`` ((C,) float32 on the device; None weights all the
    same) and ``padded`` (whether views of tiles that are smaller than the crop come with pixels that do not count).

    Args:
        recipe: Uses ``loss``, ``class_weights`` and ``crop_size``.
        task: What the masks mean.
        train: The train tiles that the training sees; inverse frequencies are theirs.
        device: Where logits will be; None is the CPU.
        partial: Whether masks have pixels that do not count, whatever the task and the tiles say.

    Raises:
        RecipeError: As many weights as there are classes were not given.
    """
    weights = class_weights_of(recipe, task, train)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)
    module, _, function = LOSSES[recipe.loss].partition(":")
    build = getattr(import_module(module), function)
    padded = partial or bool(smaller_than(train, recipe.crop_size))
    return cast("Loss", build(recipe, task, class_weights=tensor, padded=padded))
