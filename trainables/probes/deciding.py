"""From scores of pixels that were left out to logits: a threshold, or what a rare class is given, and a temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.probes.samples import Samples

THRESHOLDS = 197
"""Quantiles of the scores that are tried as thresholds."""
SHIFTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of a class's offset that are tried."""
TEMPERATURES = tuple(10.0 ** (power / 10) for power in range(-30, 21))


@dataclass(frozen=True, kw_only=True)
class ProbeDecision:
    """What is added to scores before the largest, or a positive one, wins.

    Attributes:
        offset: (C,) float, C the task's channels.
        iou: IoU of the pixels that were left out, in [0, 1]: the mean over groups, so that each scene counts the same;
            in a binary task of groups that show foreground, else also over the classes that a group shows.
        temperature: What scores with the offset are divided by to be logits, more than 0; 1 before ``calibrated``.
        loss: Mean cross-entropy of the pixels that were left out, in nats; NaN before.
    """

    offset: Tensor
    iou: float
    temperature: float = 1.0
    loss: float = math.nan


def decide(scores: Tensor, samples: Samples, unit: Tensor) -> ProbeDecision:
    """Choose the offset with the highest IoU.

    Args:
        scores: (n, C) float, of pixels that were left out. One channel is higher for foreground.
        samples: Those pixels.
        unit: (C,) the offset of which several classes are given a share: a function of their frequencies.
    """
    return _decide_binary(scores[:, 0], samples) if scores.shape[1] == 1 else _decide_classes(scores, samples, unit)


def _decide_binary(scores: Tensor, samples: Samples) -> ProbeDecision:
    places = torch.linspace(0, len(scores) - 1, THRESHOLDS + 2, device=scores.device).long()[1:-1]
    tried = torch.unique(scores.sort().values[places])
    above = torch.bucketize(scores.contiguous(), tried, right=True)  # how many thresholds a score reaches
    truth = samples.classes == 1
    hits = _reached(above, samples, truth, len(tried))
    total = _by_group(samples.weights * truth, samples)[:, None]
    union = _reached(above, samples, ~truth, len(tried)) + total
    shown = total[:, 0] > 0
    ious = (hits / union.clamp(min=1e-9))[shown].mean(0) if bool(shown.any()) else torch.zeros(len(tried))
    best = (ious == ious.max()).nonzero().flatten()
    threshold = tried[best[len(best) // 2]]  # the middle of several that are as good
    return ProbeDecision(offset=-threshold[None], iou=float(ious.max()))


def _reached(above: Tensor, samples: Samples, chosen: Tensor, thresholds: int) -> Tensor:
    """Return (groups, thresholds) pixels, of those chosen, whose score reaches each threshold."""
    counts = torch.zeros(samples.number_of_groups * (thresholds + 1), device=above.device, dtype=torch.float64)
    counts.index_add_(0, samples.groups * (thresholds + 1) + above, (samples.weights * chosen).double())
    return counts.view(-1, thresholds + 1).flip(1).cumsum(1).flip(1)[:, 1:]


def _decide_classes(scores: Tensor, samples: Samples, unit: Tensor) -> ProbeDecision:
    ious = [_mean_iou((scores + share * unit).argmax(1), samples, scores.shape[1]) for share in SHIFTS]
    share = max(range(len(SHIFTS)), key=ious.__getitem__)
    return ProbeDecision(offset=SHIFTS[share] * unit, iou=ious[share])


def _mean_iou(predicted: Tensor, samples: Samples, classes: int) -> float:
    sums = torch.zeros(samples.number_of_groups, device=predicted.device, dtype=torch.float64)
    shown = torch.zeros_like(sums)
    for number in range(classes):
        here, there = predicted == number, samples.classes == number
        union = _by_group(samples.weights * (here | there), samples)
        in_truth = _by_group(samples.weights * there, samples) > 0
        sums += torch.where(in_truth, _by_group(samples.weights * (here & there), samples) / union.clamp(min=1e-9), 0.0)
        shown += in_truth
    return float((sums / shown.clamp(min=1)).mean())


def _by_group(values: Tensor, samples: Samples) -> Tensor:
    empty = torch.zeros(samples.number_of_groups, device=values.device, dtype=torch.float64)
    return empty.index_add_(0, samples.groups, values.double())


def calibrated(decision: ProbeDecision, scores: Tensor, samples: Samples) -> ProbeDecision:
    """Return a decision with the temperature of the least cross-entropy.

    Args:
        decision: What was decided of the scores.
        scores: (n, C) float of pixels that were left out.
        samples: Those pixels.
    """
    losses = [_loss((scores + decision.offset) / one, samples) for one in TEMPERATURES]
    chosen = min(range(len(losses)), key=losses.__getitem__)
    return replace(decision, temperature=TEMPERATURES[chosen], loss=losses[chosen])


def _loss(logits: Tensor, samples: Samples) -> float:
    if logits.shape[1] == 1:
        truth = (samples.classes == 1).float()
        each = F.binary_cross_entropy_with_logits(logits[:, 0], truth, reduction="none")
    else:
        each = F.cross_entropy(logits, samples.classes, reduction="none")
    return float((each * samples.weights).sum() / samples.weights.sum())
