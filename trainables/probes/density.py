"""Density ratio of a pixel's classes over prototypes of them; nothing is fitted but where the prototypes are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.probes.deciding import ProbeDecision, calibrated, decide
from trainables.probes.samples import Samples

DIRECTIONS = 32
"""Principal directions of the features that are kept, each brought to the same variance."""
PROTOTYPES = (1, 4, 16)
"""Prototypes of a class that are tried."""
SHARPNESS = (2.0, 8.0, 32.0)
"""Concentrations of the density around a prototype that are tried."""
ROUNDS = 10
"""Of k-means."""
UNUSED = -1e4
"""Logarithm of the weight of a prototype that is not there."""


@dataclass(frozen=True, kw_only=True)
class Density:
    """Fitted densities.

    Attributes:
        weight: (R, D) float32: brings features to R whitened directions.
        bias: (R,) float32.
        prototypes: (classes, K, R) float32 unit vectors, times the sharpness.
        log_weights: (classes, K) float32 logarithm of each prototype's share of its class's pixels.
        decision: How scores become logits.
        used: Prototypes per class.
        sharpness: The one that was chosen.
    """

    weight: Tensor
    bias: Tensor
    prototypes: Tensor
    log_weights: Tensor
    decision: ProbeDecision
    used: int
    sharpness: float

    @property
    def summary(self) -> str:
        """What was chosen, for people."""
        return f"density ratio, {self.used} prototypes per class, sharpness {self.sharpness:g}"


def fit_density(samples: Samples, channels: int, *, seed: int) -> Density:
    """Place prototypes among all samples, as many and as sharp as is best for groups that were left out.

    A class's density is a mixture of von Mises-Fisher densities around its prototypes, all of one concentration.

    Args:
        samples: Of at least two groups.
        channels: Logits per pixel: 1 for a binary task, one per class else.
        seed: Of the prototypes' first places.

    Source: the density ratio is that of FROST (arXiv 2606.31136), over prototypes instead of all pixels.
    """
    classes = max(2, channels)
    weight, bias = _whitening(samples, seed)
    directions = F.normalize(samples.features @ weight.T + bias, dim=1)
    frequencies = samples.weights.new_zeros(classes).index_add_(0, samples.classes, samples.weights)
    unit = (frequencies / frequencies.sum()).clamp(min=1e-6).log()
    groups = [(samples.groups == number) for number in range(samples.number_of_groups)]
    best: tuple[ProbeDecision, int, float, Tensor] | None = None
    for count in PROTOTYPES:
        placed = [_place(directions, samples, ~left, classes, count, seed) for left in groups]
        for sharpness in SHARPNESS:
            scores = directions.new_empty(len(directions), channels)
            for left, (centres, logs) in zip(groups, placed, strict=True):
                scores[left] = _scores(directions[left], sharpness * centres, logs, channels)
            decision = decide(scores, samples, unit)
            if best is None or decision.iou > best[0].iou:
                best = decision, count, sharpness, scores
    assert best is not None
    decision, count, sharpness, scores = best
    everything = torch.ones_like(samples.groups, dtype=torch.bool)
    centres, logs = _place(directions, samples, everything, classes, count, seed)
    return Density(
        weight=weight,
        bias=bias,
        prototypes=F.pad(sharpness * centres, (0, 0, 0, PROTOTYPES[-1] - count)),
        log_weights=F.pad(logs, (0, PROTOTYPES[-1] - count), value=UNUSED),
        decision=calibrated(decision, scores, samples),
        used=count,
        sharpness=sharpness,
    )


def _whitening(samples: Samples, seed: int) -> tuple[Tensor, Tensor]:
    """Return the (R, D) projection to whitened principal directions of the standardised features, and its bias."""
    mean, spread = samples.statistics
    standard = (samples.features - mean) / spread
    covariance = (standard * samples.weights[:, None]).T @ standard / samples.weights.sum()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        count = min(DIRECTIONS, len(covariance))
        vectors, variances, _ = torch.svd_lowrank(covariance, q=min(count + 8, len(covariance)), niter=4)
    scaled = vectors[:, :count] / variances[:count].clamp(min=1e-6).sqrt()
    weight = F.pad((scaled / spread[:, None]).T, (0, 0, 0, DIRECTIONS - count))
    return weight, -weight @ mean


def _place(
    directions: Tensor, samples: Samples, chosen: Tensor, classes: int, count: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Place prototypes of each class by spherical k-means.

    Returns:
        (classes, K, R) unit vectors and (classes, K) logarithms of their shares.
    """
    centres = directions.new_zeros(classes, count, directions.shape[1])
    logs = directions.new_full((classes, count), UNUSED)
    generator = torch.Generator().manual_seed(seed)
    for number in range(classes):
        rows = (chosen & (samples.classes == number)).nonzero().flatten()
        if not len(rows):
            continue
        own, weights = directions[rows], samples.weights[rows]
        first = torch.randperm(len(rows), generator=generator)[:count].to(own.device)
        found = own[first]
        for _ in range(ROUNDS):
            nearest = (own @ found.T).argmax(1)
            sums = torch.zeros_like(found).index_add_(0, nearest, own * weights[:, None])
            found = torch.where(sums.norm(dim=1, keepdim=True) > 0, F.normalize(sums, dim=1), found)
        nearest = (own @ found.T).argmax(1)
        shares = weights.new_zeros(len(found)).index_add_(0, nearest, weights) / weights.sum()
        centres[number, : len(found)] = found
        logs[number, : len(found)] = torch.where(shares > 0, shares.clamp(min=1e-9).log(), UNUSED)
    return centres, logs


def _scores(directions: Tensor, prototypes: Tensor, logs: Tensor, channels: int) -> Tensor:
    """Return (n, C) logarithms of the classes' densities; of a binary task (n, 1), those of their ratio."""
    each = torch.einsum("nr,ckr->nck", directions, prototypes) + logs
    densities = each.logsumexp(-1)
    return densities[:, 1:] - densities[:, :1] if channels == 1 else densities
