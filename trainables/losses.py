"""The loss of the study: a weighted sum of binary cross-entropy and soft Dice."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

DICE_SMOOTH = 1.0
"""Pixels added to both parts of the Dice ratio, so that an empty mask has a defined loss and gradient."""


def soft_dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return ``1 - (2*sum(p*t) + s) / (sum(p) + sum(t) + s)`` a view, averaged over the batch.

    Args:
        logits: (B, 1, H, W) float.
        targets: (B, 1, H, W) float in {0, 1}.

    Returns:
        Scalar float32 in [0, 1). Source: Milletari et al. 2016 (V-Net), with p and t summed, not squared.
    """
    probabilities = logits.float().sigmoid().flatten(1)
    truth = targets.float().flatten(1)
    overlap = (probabilities * truth).sum(1)
    total = probabilities.sum(1) + truth.sum(1)
    return (1 - (2 * overlap + DICE_SMOOTH) / (total + DICE_SMOOTH)).mean()


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
