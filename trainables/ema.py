"""An exponential moving average of the trained weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

WARMED_UP = 2**62
"""Updates of an average that was saved before they were counted: its decay was the full one from the first step."""


class WeightAverage:
    """Shadow copies of the weights that are trained and of BatchNorm's statistics, fixed encoders left out.

    Update n, from 0, keeps ``min(decay, (1 + n) / (10 + n))`` of the old average: without this, the average of a short
    training is that of its untrained weights (at a decay of 0.999 and 30 steps they would weigh 97 %). Source:
    ``tf.train.ExponentialMovingAverage`` with ``num_updates``, of which this is the formula. BatchNorm's running
    statistics are averaged too, as in ``timm.utils.ModelEmaV2``: the last weights' ones are not the averaged weights'.

    Args:
        tensors: Name to weight or statistic, each floating-point and the model's own memory: what is averaged.
        decay: Share of the old average kept per step, in [0, 1).
    """

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self._tensors = {name: tensor.detach() for name, tensor in tensors.items()}
        self._decay = decay
        self._updates = 0
        self._average = {name: tensor.clone() for name, tensor in self._tensors.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the present weights; call it after each optimizer step."""
        kept = min(self._decay, (1 + self._updates) / (10 + self._updates))
        torch._foreach_lerp_(list(self._average.values()), list(self._tensors.values()), 1 - kept)
        self._updates += 1

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Name to average: not the model's memory, and changed in place by each update."""
        return self._average

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the model for the length of the block, then the trained weights back."""
        trained = {name: tensor.clone() for name, tensor in self._tensors.items()}
        self._copy(self._average)
        try:
            yield
        finally:
            self._copy(trained)

    @torch.no_grad()
    def _copy(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._tensors[name].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages by name, and how many updates made them."""
        return {"updates": self._updates, "average": self._average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` returned.

        A state from before updates were counted holds the parameters' averages alone, all with the full decay; it
        continues with that decay, and with the statistics of the weights in training as its own first ones.
        """
        counted = "updates" in state
        self._updates = state["updates"] if counted else WARMED_UP
        self._average = {name: tensor.clone() for name, tensor in self._tensors.items()}
        for name, value in (state["average"] if counted else state).items():
            self._average[name].copy_(value)
