"""A training on all labelled tiles, after a cross-validation has said how: nothing is left to score it on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from trainables.data.tiles import TuningData
from trainables.epochs import BestEpoch
from trainables.metrics import ScoredTile, SplitScore
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.training import Trainer


class Refit(Trainer):
    """Trains on every tile for a given number of epochs, with a given learning rate in each.

    The rates are those that the folds had, so a schedule is cut off where it was for them, and one that waits for val
    takes the steps that it took on the folds' val. There is no score: the weights are those of the last epoch.

    Args:
        recipe: All hyperparameters; ``patience`` and ``schedule`` have no part in it.
        data: All tiles are ``train``; val is not looked at.
        rates: The decoder's learning rate of each epoch.
        device: Where to train.
        weights: Initial encoder weights; see ``Trainer``, as the rest.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TuningData,
        rates: Sequence[float],
        device: torch.device,
        weights: Weights | None = None,
        **how: Any,
    ) -> None:
        super().__init__(recipe, replace(data, val=()), device, weights, **how)
        self._rates = tuple(rates)

    @property
    def refit(self) -> bool:
        """Whether all tiles are trained on: yes."""
        return True

    @property
    def finished(self) -> bool:
        """Whether each rate has had its epoch."""
        return self.epoch >= len(self._rates)

    def begin_epoch(self) -> None:
        """Make ready for the steps of the next epoch, at its own rate."""
        super().begin_epoch()
        decoder, *encoder = self._optimizer.param_groups
        decoder["lr"] = self._rates[self.epoch - 1]
        for group in encoder:
            group["lr"] = decoder["lr"] * (self.recipe.unfrozen_rate_factor if self._two_stages else 1.0)

    def validate(self) -> SplitScore:
        """Score nothing."""
        return SplitScore(tiles=())

    def judge(self, val: SplitScore) -> None:
        """Keep the weights of the last epoch."""
        self.best = BestEpoch(iou=math.nan, epoch=self.epoch)
        self.improved = self.finished
        if self.improved:
            self._keep()

    def preview(self, count: int) -> list[ScoredTile]:
        """Return nothing: no tile is left to predict."""
        return []

    def finish(self) -> tuple[SplitScore, dict[str, bytes]]:
        """Score nothing."""
        return SplitScore(tiles=()), {}
