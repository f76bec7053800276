"""U-Net from scratch: the floor that pretraining has to beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD, SegmentationModel

BASE_WIDTH = {"full": 32, "tiny": 4}
"""Channels of the first stage; 32 gives 7.8 million parameters."""
STAGES = 4


def double_conv(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with BatchNorm and ReLU; the size stays."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class UpStage(nn.Module):
    """Doubles the size, by a transposed convolution or bilinearly, joins a skip, and convolves twice."""

    def __init__(self, inputs: int, skip: int, outputs: int, *, bilinear: bool = False) -> None:
        super().__init__()
        doubled = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.up: nn.Module = (
            nn.Sequential(doubled, nn.Conv2d(inputs, outputs, 3, padding=1))
            if bilinear
            else nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        )
        self.convs = double_conv(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and (B, skip, 2H, 2W) to (B, outputs, 2H, 2W)."""
        result: Tensor = self.convs(torch.cat([self.up(x), skip], dim=1))
        return result


class UNet(SegmentationModel):
    """U-Net with BatchNorm, four downsamplings and a skip at every size.

    Args:
        base: Channels of the first stage, doubled at each of four downsamplings.
        dropout: Probability that a channel is dropped between decoder stages.
        channels: Logits per pixel.
        bands: Bands of the images.
        bilinear: Upsample bilinearly instead of by transposed convolutions, which can leave a checkerboard.
        supervision: Weight of the loss on logits at half the size, see ``StageHeads``; 0 has none.

    Source: Ronneberger et al. 2015, with padded convolutions.
    """

    def __init__(
        self,
        base: int,
        dropout: float,
        channels: int,
        bands: int,
        *,
        bilinear: bool = False,
        supervision: float = 0.0,
    ) -> None:
        super().__init__(mean=IMAGENET_MEAN, std=IMAGENET_STD, stride=2**STAGES, bands=bands)
        widths = [base * 2**stage for stage in range(STAGES + 1)]
        self.down = nn.ModuleList(
            [double_conv(inputs, outputs) for inputs, outputs in zip([bands, *widths], widths, strict=False)]
        )
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            [UpStage(2 * width, width, width, bilinear=bilinear) for width in reversed(widths[:-1])]
        )
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(base, channels, 1)
        self.supervise(list(self.up), widths[-2::-1], channels, supervision)

    def raw_logits(self, inputs: Tensor) -> Tensor:
        """Map (B, N, H, W) to (B, C, H, W); H and W are multiples of 16."""
        skips = [self.down[0](inputs)]
        for down in self.down[1:]:
            skips.append(down(self.pool(skips[-1])))
        x = skips.pop()
        for up in self.up:
            x = up(self.dropout(x), skips.pop())
        result: Tensor = self.head(x)
        return result
