"""A weighted sum of cross-entropy and soft Dice, binary or over classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.recipe import Recipe
from trainables.task import IGNORE_INDEX, Task

DICE_SMOOTH = 1.0
"""Pixels added to both parts of the Dice ratio, so that an empty mask has a defined loss and gradient."""


def soft_dice_loss(logits: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return ``1 - (2*sum(p*t) + s) / (sum(p) + sum(t) + s)`` a view, averaged over the batch.

    Args:
        logits: (B, 1, H, W) float.
        targets: (B, 1, H, W) float in {0, 1}.
        valid: (B, 1, H, W) bool; pixels that are not do not count. None counts all.

    Returns:
        Scalar float32 in [0, 1). Source: Milletari et al. 2016 (V-Net), with p and t summed, not squared.
    """
    probabilities = logits.float().sigmoid()
    if valid is not None:
        probabilities, targets = probabilities * valid, targets * valid
    return _dice(probabilities.flatten(1), targets.float().flatten(1)).mean()


def _dice(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Return one minus the soft Dice ratio over the last dimension."""
    overlap = (probabilities * truth).sum(-1)
    total = probabilities.sum(-1) + truth.sum(-1)
    return 1 - (2 * overlap + DICE_SMOOTH) / (total + DICE_SMOOTH)


def bce_dice_loss(logits: Tensor, targets: Tensor, bce_weight: float) -> Tensor:
    """Return ``w*BCE + (1-w)*Dice``, computed in float32.

    Args:
        logits: (B, 1, H, W) float.
        targets: (B, 1, H, W) float in {0, 1}.
        bce_weight: w, in [0, 1].

    Returns:
        Scalar float32, at least 0.
    """
    bce = F.binary_cross_entropy_with_logits(logits.float(), targets.float())
    return bce_weight * bce + (1 - bce_weight) * soft_dice_loss(logits, targets)


def ce_dice_loss(logits: Tensor, targets: Tensor, ce_weight: float, class_weights: Tensor | None = None) -> Tensor:
    """Return ``w*CE + (1-w)*Dice`` over classes, computed in float32.

    The cross-entropy is the mean over pixels that count, each weighted by its class. The soft Dice is the plain mean
    over classes and views: it counts every class the same already.

    Args:
        logits: (B, C, H, W) float.
        targets: (B, H, W) integer class indices; pixels of 255 count in neither part.
        ce_weight: w, in [0, 1].
        class_weights: (C,) float, at least 0, for the cross-entropy; None weights all the same.

    Returns:
        Scalar float32, at least 0; with no pixel that counts, 0.
    """
    logits, targets = logits.float(), targets.long()
    valid = targets != IGNORE_INDEX
    total = F.cross_entropy(logits, targets, weight=class_weights, ignore_index=IGNORE_INDEX, reduction="sum")
    known = torch.where(valid, targets, 0)
    counted = valid.float() if class_weights is None else class_weights[known] * valid
    ce = total / counted.sum().clamp(min=torch.finfo(torch.float32).tiny)
    probabilities = logits.softmax(1) * valid[:, None]
    truth = torch.zeros_like(probabilities).scatter_(1, known[:, None], valid[:, None].float())
    dice = _dice(probabilities.flatten(2), truth.flatten(2)).mean()
    return ce_weight * ce + (1 - ce_weight) * dice


@dataclass(frozen=True, kw_only=True)
class SegmentationLoss:
    """The loss of one training.

    Attributes:
        task: What the masks mean.
        cross_entropy_weight: w in ``w*CE + (1-w)*Dice``, in [0, 1].
        class_weights: (C,) float32 where the logits are, one per class of the task; None weights all the same.
        padded: Whether views of tiles that are smaller than the crop come with pixels that do not count.
    """

    task: Task
    cross_entropy_weight: float
    class_weights: Tensor | None = None
    padded: bool = False

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Compare logits with masks, see ``Loss``; at least 0."""
        if not self.task.binary:
            return ce_dice_loss(logits, masks[:, 0], self.cross_entropy_weight, self.class_weights)
        if self.class_weights is None and not self.task.ignores_pixels and not self.padded:
            return bce_dice_loss(logits, masks, self.cross_entropy_weight)
        return self._partial_binary(logits, masks)

    def _partial_binary(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Leave ignored pixels out, and weight the others by class."""
        valid = masks != IGNORE_INDEX
        targets = (masks * valid).float()
        counted = valid.float() if self.class_weights is None else self.class_weights[targets.long()] * valid
        each = F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
        bce = (each * counted).sum() / counted.sum().clamp(min=torch.finfo(torch.float32).tiny)
        dice = soft_dice_loss(logits, targets, valid)
        return self.cross_entropy_weight * bce + (1 - self.cross_entropy_weight) * dice


def build(recipe: Recipe, task: Task, *, class_weights: Tensor | None, padded: bool) -> SegmentationLoss:
    """Return the loss of a recipe; see ``trainables.losses.base.loss_of``.

    Args:
        recipe: Uses ``bce_weight``.
        task: What the masks mean.
        class_weights: See ``SegmentationLoss``.
        padded: See there.
    """
    return SegmentationLoss(
        task=task, cross_entropy_weight=recipe.bce_weight, class_weights=class_weights, padded=padded
    )
