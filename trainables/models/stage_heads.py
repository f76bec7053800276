"""Deep supervision: logits at the sizes of a decoder's stages, for the training loss alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

SIZES = 3
"""Smaller sizes that have a loss: a half, a quarter and an eighth. nnU-Net leaves out the smallest ones, too."""
FALLS = 0.5
"""Of the weight from each size to the next smaller one. Source: Isensee et al. 2021, nnU-Net."""


class StageHeads(nn.Module):
    """A 1x1 convolution from each of a decoder's last stages, but the very last, to logits.

    Args:
        stages: The decoder's, the coarsest first; each is called once per forward pass and returns (B, C, h, w).
        widths: Channels of each.
        channels: Logits per pixel.
    """

    def __init__(self, stages: Sequence[nn.Module], widths: Sequence[int], channels: int) -> None:
        super().__init__()
        chosen = list(zip(stages, widths, strict=True))[:-1][-SIZES:]
        self.heads = nn.ModuleList(nn.Conv2d(width, channels, 1) for _, width in chosen)
        self._stages = tuple(stage for stage, _ in chosen)  # in a tuple, they stay the decoder's alone

    def logits(self, run: Callable[[Tensor], Tensor], inputs: Tensor) -> tuple[Tensor, ...]:
        """Run a model, and return its logits and those of its stages, the largest first."""
        seen: list[Tensor] = []

        def see(stage: nn.Module, inputs: Any, output: Tensor) -> None:
            seen.append(output)

        handles = [stage.register_forward_hook(see) for stage in self._stages]
        try:
            main = run(inputs)
        finally:
            for handle in handles:
                handle.remove()
        found = [head(output) for head, output in zip(self.heads, seen, strict=True)]
        return main, *reversed(found)
