"""``Student``: learns from some labelled tiles, is scored on val, and says what it thinks of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sweep.next.replay.pixels import TilePixels
from sweep.next.strategies.strategy import Pool
from trainables.metrics import ClassScore, as_confusion
from trainables.probes.ridge import Ridge, fit_ridge
from trainables.probes.samples import Samples
from trainables.task import Task

MOST_GROUPS = 5
"""Groups of scenes of which each is left out once."""


class Lesson(Protocol):
    """What a student has learnt."""

    @property
    def ious(self) -> NDArray[np.float64]:
        """(V,) IoU of each val tile."""
        ...

    def pool(self, rest: Sequence[int]) -> Pool:
        """Say what it thinks of tiles that it has not seen, by their numbers."""
        ...


class Student(Protocol):
    """Learns again from the beginning, each time."""

    @property
    def tiles(self) -> Sequence[str]:
        """Names of the tiles whose labels may be uncovered."""
        ...

    @property
    def val(self) -> Sequence[str]:
        """Names of the tiles that it is scored on."""
        ...

    def study(self, labelled: Sequence[int]) -> Lesson:
        """Learn from the labels of tiles, by their numbers; at least two."""
        ...


@dataclass(frozen=True, kw_only=True)
class ProbeStudent:
    """Fits ridge regression to drawn pixels of frozen features; a ``Student``.

    Attributes:
        own: Tiles whose labels may be uncovered.
        held: Val tiles.
        scenes: Tile name to scene.
        task: What masks mean.
    """

    own: Sequence[TilePixels]
    held: Sequence[TilePixels]
    scenes: Mapping[str, str]
    task: Task

    @property
    def tiles(self) -> Sequence[str]:
        """Names of the tiles whose labels may be uncovered."""
        return [one.name for one in self.own]

    @property
    def val(self) -> Sequence[str]:
        """Names of the tiles that it is scored on."""
        return [one.name for one in self.held]

    def study(self, labelled: Sequence[int]) -> ProbeLesson:
        """Fit to the pixels of tiles."""
        tiles = [self.own[number] for number in labelled]
        groups = _groups([one.name for one in tiles], self.scenes)
        classes = torch.cat([one.classes for one in tiles])
        samples = Samples(
            features=torch.cat([one.features for one in tiles]).float(),
            classes=classes,
            weights=torch.ones(len(classes)),
            groups=torch.cat([torch.full((len(one.classes),), groups[one.name]) for one in tiles]),
            grouped_by="scenes",
        )
        return ProbeLesson(
            fitted=fit_ridge(samples, self.task.channels), student=self, labelled=tuple(labelled), task=self.task
        )


@dataclass(frozen=True, kw_only=True)
class ProbeLesson:
    """A fitted probe; a ``Lesson``."""

    fitted: Ridge
    student: ProbeStudent
    labelled: tuple[int, ...]
    task: Task

    @property
    def ious(self) -> NDArray[np.float64]:
        """(V,) IoU of each val tile, of its drawn pixels."""
        return np.array([self._iou(one) for one in self.student.held])

    def _iou(self, tile: TilePixels) -> float:
        logits = self._logits(tile, self.fitted.weight, self.fitted.bias)
        predicted = (logits[:, 0] >= 0).long() if self.task.binary else logits.argmax(1)
        classes = len(self.task.classes)
        counts = torch.bincount(tile.classes * classes + predicted, minlength=classes**2).view(classes, classes)
        return ClassScore(confusion=as_confusion(counts.tolist()), scored=self.task.scored_classes).iou

    def pool(self, rest: Sequence[int]) -> Pool:
        """Say what the probe, and those that left out a group each, think of other tiles."""
        tiles = [self.student.own[number] for number in rest]
        asked = [self._ask(one) for one in tiles]
        labelled = [self.student.own[number] for number in self.labelled]
        return Pool(
            features=np.stack([one.pooled for one in tiles]),
            entropy=np.array([one[0] for one in asked], np.float32),
            disagreement=np.array([max(0.0, one[1]) for one in asked], np.float32),
            shares=np.stack([one[2] for one in asked]),
            labelled_features=np.stack([one.pooled for one in labelled]),
            labelled_shares=np.stack([self._shares(one) for one in labelled]),
        )

    def _ask(self, tile: TilePixels) -> tuple[float, float, NDArray[np.float32]]:
        """Return entropy and disagreement as shares of the largest entropy, and expected shares of the classes."""
        members = [
            self._probabilities(self._logits(tile, weight, bias))
            for weight, bias in zip(self.fitted.left_out_weights, self.fitted.left_out_biases, strict=True)
        ]
        mean = torch.stack(members).mean(0)
        entropy = _entropy(mean)
        return entropy, entropy - sum(map(_entropy, members)) / len(members), mean.mean(0).numpy()

    def _logits(self, tile: TilePixels, weight: Tensor, bias: Tensor) -> Tensor:
        scores = tile.features.float() @ weight.T + bias
        return (scores + self.fitted.decision.offset) / self.fitted.decision.temperature

    def _probabilities(self, logits: Tensor) -> Tensor:
        """Return (n, C) probabilities of all classes."""
        if self.task.binary:
            return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)
        return logits.softmax(1)

    def _shares(self, tile: TilePixels) -> NDArray[np.float32]:
        counts = np.bincount(tile.classes.numpy(), minlength=len(self.task.classes)).astype(np.float32)
        found: NDArray[np.float32] = counts / counts.sum()
        return found


def _entropy(probabilities: Tensor) -> float:
    """Return the mean entropy of (n, C) probabilities as a share of the largest one."""
    return float(torch.special.entr(probabilities).sum(1).mean() / np.log(probabilities.shape[1]))


def _groups(names: Sequence[str], scenes: Mapping[str, str]) -> dict[str, int]:
    """Return each tile's group: whole scenes, or where there is one scene whole tiles; at most so many, evenly."""
    of = {name: scenes.get(name, name) for name in names}
    if len(set(of.values())) == 1:
        of = {name: name for name in names}
    sizes: dict[str, int] = {}
    for unit in of.values():
        sizes[unit] = sizes.get(unit, 0) + 1
    filled = [0] * min(MOST_GROUPS, len(sizes))
    group = {}
    for unit in sorted(sizes, key=lambda one: (-sizes[one], one)):
        group[unit] = filled.index(min(filled))
        filled[group[unit]] += sizes[unit]
    return {name: group[unit] for name, unit in of.items()}
