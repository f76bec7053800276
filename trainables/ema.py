"""An exponential moving average of the trained weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Shadow copies of the parameters that are trained, fixed encoders left out.

    Args:
        parameters: Name and parameter, as ``named_parameters`` gives them.
        decay: Share of the old average kept a step, in [0, 1).
    """

    def __init__(self, parameters: dict[str, nn.Parameter], decay: float) -> None:
        self._parameters = parameters
        self._decay = decay
        self._average = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the present weights; call it after each optimizer step."""
        torch._foreach_lerp_(
            list(self._average.values()), [p.detach() for p in self._parameters.values()], 1 - self._decay
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the model for the length of the block, then the trained weights back."""
        trained = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        self._copy(self._average)
        try:
            yield
        finally:
            self._copy(trained)

    @torch.no_grad()
    def _copy(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._parameters[name].copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averages by parameter name."""
        return self._average

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over averages that ``state_dict`` returned."""
        for name, value in state.items():
            self._average[name].copy_(value)
