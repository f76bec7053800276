"""Ridge regression of a pixel's classes on its features, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.probes.deciding import ProbeDecision, calibrated, decide
from trainables.probes.samples import Samples

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Of squared weights on standardised features, per pixel."""


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """A fitted ridge regression; scores are linear in the features.

    Attributes:
        weight: (C, D) float32, C the task's channels.
        bias: (C,) float32.
        decision: How scores become logits.
        penalty: The one that was chosen.
        left_out_weights: (G, C, D) float32 of the regressions with that penalty that left out a group each.
        left_out_biases: (G, C) float32 of the same.
    """

    weight: Tensor
    bias: Tensor
    decision: ProbeDecision
    penalty: float
    left_out_weights: Tensor
    left_out_biases: Tensor

    @property
    def summary(self) -> str:
        """What was chosen, for people."""
        return f"ridge, penalty {self.penalty:g}"


def fit_ridge(samples: Samples, channels: int) -> Ridge:
    """Fit to all samples with the penalty that is best for groups that were left out.

    Args:
        samples: Of at least two groups.
        channels: Logits per pixel: 1 for a binary task, one per class else.

    Source: Hoerl and Kennard 1970, "Ridge Regression: Biased Estimation for Nonorthogonal Problems".
    """
    targets = _targets(samples.classes, channels)
    mean, spread = samples.statistics
    standard = torch.cat([(samples.features - mean) / spread, torch.ones_like(samples.features[:, :1])], dim=1)
    groups = [(samples.groups == number).nonzero().flatten() for number in range(samples.number_of_groups)]
    moments = [_moments(standard[one], targets[one], samples.weights[one]) for one in groups]
    gram, cross = sum(one[0] for one in moments), sum(one[1] for one in moments)
    assert isinstance(gram, Tensor) and isinstance(cross, Tensor)
    frequencies = (samples.weights @ targets) / samples.weights.sum()
    best: tuple[ProbeDecision, float, Tensor, list[Tensor]] | None = None
    for penalty in PENALTIES:
        scores = targets.new_empty(targets.shape)
        solutions = [_solve(gram - own_gram, cross - own_cross, penalty).float() for own_gram, own_cross in moments]
        for rows, solution in zip(groups, solutions, strict=True):
            scores[rows] = standard[rows] @ solution
        decision = decide(scores, samples, -frequencies)
        if best is None or decision.iou > best[0].iou:
            best = decision, penalty, scores, solutions
    assert best is not None
    decision, penalty, scores, solutions = best
    weight, bias = _unstandardised(_solve(gram, cross, penalty).float(), mean, spread)
    without = [_unstandardised(solution, mean, spread) for solution in solutions]
    return Ridge(
        weight=weight,
        bias=bias,
        decision=calibrated(decision, scores, samples),
        penalty=penalty,
        left_out_weights=torch.stack([one for one, _ in without]),
        left_out_biases=torch.stack([one for _, one in without]),
    )


def _unstandardised(solution: Tensor, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Return (C, D) weights and (C,) biases of features as they are, of a (D + 1, C) solution for standardised ones."""
    weight = (solution[:-1] / spread[:, None]).T
    return weight, solution[-1] - weight @ mean


def _targets(classes: Tensor, channels: int) -> Tensor:
    """Return (n, C) float32: 1 for a pixel's class, or for foreground."""
    if channels == 1:
        return (classes == 1).float()[:, None]
    return torch.nn.functional.one_hot(classes, channels).float()


def _moments(features: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (D, D) and (D, C) float64 sums of products."""
    weighted = features * weights[:, None]
    return (weighted.T @ features).double(), (weighted.T @ targets).double()


def _solve(gram: Tensor, cross: Tensor, penalty: float) -> Tensor:
    """Return the (D, C) weights; the last feature is constant, and is not penalised."""
    pixels = gram[-1, -1]
    lines = torch.full((len(gram),), penalty, dtype=gram.dtype, device=gram.device)
    lines[-1] = 1e-9
    factor = torch.linalg.cholesky(gram / pixels + torch.diag(lines))
    return torch.cholesky_solve(cross / pixels, factor)
