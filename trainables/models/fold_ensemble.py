"""The models of a cross-validation's folds as one model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from trainables.models.base import SegmentationModel, enlarge
from trainables.models.encoder_decoder import OnFixedEncoder

LEAST = -80.0
"""Logarithm of the smallest probability: graphs in ONNX add the numbers themselves, which float32 has down to e^-87."""


def member_name(number: int) -> str:
    """Return what the names of a fold's tensors begin with, the fold counted from 0."""
    return f"fold{number + 1}"


class FoldEnsemble(SegmentationModel):
    """Predicts the mean of its members' probabilities. A fixed encoder that they share sees an image once.

    Args:
        members: One architecture's models of the same recipe, in the order of the folds.
    """

    def __init__(self, members: Sequence[SegmentationModel]) -> None:
        first = members[0]
        super().__init__(**first.preparation)
        for number, member in enumerate(members):
            self.add_module(member_name(number), member)

    @property
    def members(self) -> list[SegmentationModel]:
        """The folds' models."""
        return [module for module in self.children() if isinstance(module, SegmentationModel)]

    @property
    def on_shared_encoder(self) -> list[OnFixedEncoder]:
        """The members where one fixed encoder is all of theirs; none else."""
        fixed = [one for one in self.members if isinstance(one, OnFixedEncoder)]
        return (
            fixed if len(fixed) == len(self.members) and all(one.encoder is fixed[0].encoder for one in fixed) else []
        )

    def forward(self, images: Tensor, features: Sequence[Tensor] | None = None) -> Tensor:
        """Segment a batch.

        Args:
            images: (B, N, H, W) float in [0, 1].
            features: What the one encoder of ``on_shared_encoder`` made of the same images; None encodes them.

        Returns:
            (B, C, H, W) float logits.
        """
        if features is None:
            return super().forward(images)
        height, width = images.shape[-2:]
        return self._mean_of(self.prepare(images), features)[..., :height, :width]

    def _mean_of(self, inputs: Tensor, features: Sequence[Tensor]) -> Tensor:
        return mean_logits(enlarge(one.decode(inputs, features), inputs) for one in self.on_shared_encoder)

    def logits(self, inputs: Tensor) -> Tensor:
        """Segment normalised inputs.

        Args:
            inputs: (B, N, H, W) float, H and W multiples of the model's stride.

        Returns:
            (B, C, H, W) float: the logits of the mean probability; of several classes, its logarithm.
        """
        if fixed := self.on_shared_encoder:
            return self._mean_of(inputs, fixed[0].encode_prepared(inputs))
        return mean_logits(member.logits(inputs) for member in self.members)

    def complete_state_dict(self) -> dict[str, Tensor]:
        """Return all tensors; those of an encoder that all members share once, with the first one's."""
        first = self.members[0].encoder
        shared = first is not None and all(one.encoder is first for one in self.members)
        own = f"{member_name(0)}."
        return {
            name: tensor
            for name, tensor in super().complete_state_dict().items()
            if not (shared and self.is_fixed(name)) or name.startswith(own)
        }

    def is_fixed(self, name: str) -> bool:
        """Whether a tensor is part of a member's fixed encoder."""
        member, _, rest = name.partition(".")
        module = getattr(self, member, None)
        return isinstance(module, SegmentationModel) and module.is_fixed(rest)


def mean_logits(all_logits: Iterable[Tensor]) -> Tensor:
    """Return the logits of the mean probability of at least one tensor; of classes, the logarithm of it.

    Probabilities are added as logarithms: close to 1, where float32 has few numbers, no digits are lost.

    Args:
        all_logits: (B, C, H, W) float each.
    """
    logs, count = None, 0
    for logits in all_logits:
        found = _log_probabilities(logits.float())
        logs, count = found if logs is None else torch.logaddexp(logs, found), count + 1
    assert logs is not None
    return logs[:, :1] - logs[:, 1:] if logits.shape[1] == 1 else logs - math.log(count)


def _log_probabilities(logits: Tensor) -> Tensor:
    """Return the logarithm of each class's probability; of a single logit, foreground first and then background.

    By softplus: in onnxruntime (1.22, CPU) the sigmoid of -13 is 1 % off and that of -20 is 0.
    """
    one = logits.shape[1] == 1
    found = -softplus(torch.cat([-logits, logits], dim=1)) if one else log_softmax(logits, dim=1)
    return found.clamp(min=LEAST)
