"""Dropout that means the same in every architecture: whole channels, between decoder stages, nowhere else."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

RATES = ("drop_prob", "drop_rate", "_drop_connect_rate")
"""Where libraries keep rates of stochastic depth, and of dropout without a module."""


class Dropped(nn.Module):
    """A decoder stage whose output loses whole channels in training.

    Args:
        stage: Any module with one tensor (B, C, H, W) as its output.
        dropout: Probability that a channel is dropped.
    """

    def __init__(self, stage: nn.Module, dropout: float) -> None:
        super().__init__()
        self.stage = stage
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Run the stage, then drop."""
        return self.dropout(self.stage(*inputs, **named))


def without_dropout(module: nn.Module) -> None:
    """Switch a library's own dropout and stochastic depth off, in place."""
    for part in module.modules():
        if isinstance(part, _DropoutNd):
            part.p = 0.0
        for name in RATES:
            if isinstance(getattr(part, name, None), float):
                setattr(part, name, 0.0)


def drop_between(decoder: Any, dropout: float) -> bool:
    """Put dropout between the blocks of an SMP decoder, in place.

    Args:
        decoder: Has ``blocks`` or ``fusion_blocks``, in the order in which they run, if it has any.
        dropout: Probability that a channel is dropped.

    Returns:
        Whether it has blocks.
    """
    blocks = getattr(decoder, "blocks", None) or getattr(decoder, "fusion_blocks", None)
    if not isinstance(blocks, nn.ModuleList | nn.ModuleDict):
        return False
    names = list(dict(blocks.named_children()))[:-1]  # the last one's output goes to the head
    for name in names:
        block = blocks[name] if isinstance(blocks, nn.ModuleDict) else blocks[int(name)]
        setattr(blocks, name, Dropped(block, dropout))
    return True
