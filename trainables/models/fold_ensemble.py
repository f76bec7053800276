"""The models of a cross-validation's folds as one model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from trainables.models.base import SegmentationModel
from trainables.models.sam import SamModel

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1, where their logit is infinite: about 16 as a logit."""


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
        super().__init__(mean=first.mean.flatten().tolist(), std=first.std.flatten().tolist(), stride=first.stride)
        for number, member in enumerate(members):
            self.add_module(member_name(number), member)

    @property
    def members(self) -> list[SegmentationModel]:
        """The folds' models."""
        return [module for module in self.children() if isinstance(module, SegmentationModel)]

    def logits(self, inputs: Tensor) -> Tensor:
        """Segment normalised inputs.

        Args:
            inputs: (B, 3, H, W) float, H and W multiples of the model's stride.

        Returns:
            (B, C, H, W) float: the logits of the mean probability; of several classes, its logarithm.
        """
        members = self.members
        first = members[0]
        if isinstance(first, SamModel) and all(one.encoder is first.encoder for one in members):
            features = first.encode_prepared(inputs)
            return mean_logits(one.decode(inputs, features) for one in members if isinstance(one, SamModel))
        return mean_logits(member.logits(inputs) for member in members)

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

    Args:
        all_logits: (B, C, H, W) float each.
    """
    total, count = None, 0
    for logits in all_logits:
        found = logits.float()
        probability = found.sigmoid() if logits.shape[1] == 1 else found.softmax(1)
        total, count = probability if total is None else total + probability, count + 1
    assert total is not None
    mean = total / count
    return torch.logit(mean, eps=EPSILON) if mean.shape[1] == 1 else mean.clamp(min=EPSILON).log()
