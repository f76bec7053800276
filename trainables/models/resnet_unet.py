"""ResNet34 as a U-Net's encoder, with a decoder of transposed convolutions."""

from __future__ import annotations

import itertools
from typing import Any

from torch import Tensor, nn

from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD, SegmentationModel
from trainables.models.unet import UpStage, double_conv


class ResNetUnet(SegmentationModel):
    """A ResNet encoder, and a stage of the decoder for each of its sizes, the full one included.

    Args:
        encoder: An SMP encoder: gives features at 1, 1/2, 1/4, 1/8, 1/16 and 1/32 of the size.
        widths: Channels of the decoder at 1/16, 1/8, 1/4, 1/2 and 1 of the size.
        dropout: Probability that a channel is dropped between decoder stages.
        channels: Logits per pixel.
        bands: Bands of the images.
        supervision: Weight of the loss on logits at half the size, see ``StageHeads``; 0 has none.
    """

    def __init__(
        self,
        encoder: Any,
        widths: tuple[int, ...],
        dropout: float,
        channels: int,
        bands: int,
        *,
        supervision: float = 0.0,
    ) -> None:
        super().__init__(mean=IMAGENET_MEAN, std=IMAGENET_STD, stride=32, bands=bands)
        self.encoder: nn.Module = encoder
        *skips, bottom = encoder.out_channels[1:]
        ways = itertools.pairwise((bottom, *widths[:-1]))
        self.up = nn.ModuleList(
            [UpStage(inputs, skip, outputs) for (inputs, outputs), skip in zip(ways, reversed(skips), strict=True)]
        )
        self.to_full = nn.ConvTranspose2d(widths[-2], widths[-1], 2, stride=2)
        self.full = double_conv(widths[-1], widths[-1])
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(widths[-1], channels, 1)
        self.supervise([*self.up, self.full], widths, channels, supervision)

    def raw_logits(self, inputs: Tensor) -> Tensor:
        """Map (B, N, H, W) to (B, C, H, W); H and W are multiples of 32."""
        *skips, x = self.encoder(inputs)[1:]
        for up in self.up:
            x = up(self.dropout(x), skips.pop())
        result: Tensor = self.head(self.full(self.to_full(self.dropout(x))))
        return result
