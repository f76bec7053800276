"""Two decoders on SAM's ViT-B encoder, which is frozen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.models.encoder_decoder import EncoderDecoder, OnFixedEncoder
from trainables.models.lora import Adapted
from trainables.models.sam_encoder import PATCH, encode
from trainables.models.unet import double_conv
from trainables.recipe import Recipe

SAM_MEAN = (123.675 / 255, 116.28 / 255, 103.53 / 255)
SAM_STD = (58.395 / 255, 57.12 / 255, 57.375 / 255)
SKIP_BLOCKS = (3, 6, 9, 12)
"""The ViT blocks whose outputs are skips, counted from 1."""
BLOCKS, NECK = str(SKIP_BLOCKS), str(())
"""What features are called that are the blocks' outputs, and those that are the neck's."""


class SamBase(EncoderDecoder):
    """A decoder on a SAM encoder.

    A subclass implements ``decode`` and sets ``taps``.

    Attributes:
        taps: Numbers of the blocks whose outputs the decoder takes; none means the neck's features alone.
        normalisation: Mean and standard deviation per channel, for inputs in [0, 1].
    """

    taps: tuple[int, ...] = ()
    stride = PATCH
    normalisation: tuple[Sequence[float], Sequence[float]] = (SAM_MEAN, SAM_STD)

    def __init__(self, encoder: nn.Module) -> None:
        mean, std = self.normalisation
        super().__init__(mean=mean, std=std, stride=self.stride)
        self.encoder: nn.Module = encoder

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return the features of normalised (B, 3, H, W) inputs: each (B, C, H/16, W/16)."""
        return encode(self.encoder, inputs, self.taps)

    @classmethod
    def feature_maps(cls, encoder: nn.Module, inputs: Tensor) -> list[Tensor]:
        """Return the blocks' outputs that are a decoder's skips: each (B, C, H/16, W/16)."""
        return encode(encoder, inputs, SKIP_BLOCKS)

    @classmethod
    def feature_maps_key(cls) -> str:
        """Return what a decoder on the same blocks calls its features."""
        return BLOCKS

    @classmethod
    def features_by_key(cls, encoder: nn.Module, inputs: Tensor) -> dict[str, list[Tensor]]:
        """Return the blocks' outputs and the neck's, which one pass gives, of SAM's own ViT."""
        if cls.feature_maps_key() != BLOCKS:
            return {}
        *blocks, neck = encode(encoder, inputs, SKIP_BLOCKS, neck=True)
        return {BLOCKS: blocks, NECK: [neck]}


class SamModel(OnFixedEncoder, SamBase):
    """A decoder on a fixed SAM encoder."""


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class SamConv(SamModel):
    """Four stages of upsampling and convolution on the neck's one map: a huge prior and few weights.

    Args:
        encoder: What ``build_encoder`` returned.
        features: Channels of the neck.
        widths: Channels of the four stages.
        dropout: Probability that a channel is dropped between stages.
        channels: Logits per pixel.
    """

    def __init__(
        self, encoder: nn.Module, features: int, widths: tuple[int, ...], dropout: float, channels: int
    ) -> None:
        super().__init__(encoder)
        self.stages = nn.ModuleList(
            [double_conv(inputs, outputs) for inputs, outputs in zip((features, *widths), widths, strict=False)]
        )
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(widths[-1], channels, 1)

    def decode(self, inputs: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Map the neck's features (B, C, H/16, W/16) to (B, C, H, W)."""
        (x,) = features
        for number, stage in enumerate(self.stages):
            x = stage(_upsample(x if number == 0 else self.dropout(x)))
        result: Tensor = self.head(x)
        return result


class UnetOnSam(SamBase):
    """A U-Net decoder: ViT blocks as skips, and a shallow convolutional path for what 16-pixel patches blur.

    The skips all are at 1/16 of the size; each is projected, brought to the size of its stage and joined there with
    the detail path of that size, which starts from the image itself.

    Args:
        encoder: What ``build_encoder`` returned.
        tokens: Width of the ViT.
        widths: Channels of the decoder at 1/16, 1/8, 1/4, 1/2 and 1 of the size.
        details: Channels of the detail path at 1, 1/2, 1/4 and 1/8 of the size.
        dropout: Probability that a channel is dropped between stages.
        channels: Logits per pixel.
    """

    taps = SKIP_BLOCKS

    def __init__(
        self,
        encoder: nn.Module,
        tokens: int,
        widths: tuple[int, ...],
        details: tuple[int, ...],
        dropout: float,
        channels: int,
    ) -> None:
        super().__init__(encoder)
        self.details = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(inputs, outputs, 3, stride=1 if number == 0 else 2, padding=1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(inplace=True),
                )
                for number, (inputs, outputs) in enumerate(zip((3, *details), details, strict=False))
            ]
        )
        self.bottom = nn.Sequential(nn.Conv2d(tokens, widths[0], 1), double_conv(widths[0], widths[0]))
        # Blocks 9, 6 and 3 join at 1/8, 1/4 and 1/2; the full size has the detail path alone.
        self.skips = nn.ModuleList([nn.Conv2d(tokens, width, 1) for width in widths[1:4]])
        joined = [2 * width for width in widths[1:4]] + [widths[4]]
        self.ups = nn.ModuleList([nn.Conv2d(inputs, outputs, 1) for inputs, outputs in itertools.pairwise(widths)])
        self.stages = nn.ModuleList(
            [
                double_conv(inputs + detail, outputs)
                for inputs, detail, outputs in zip(joined, reversed(details), widths[1:], strict=True)
            ]
        )
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(widths[-1], channels, 1)

    def decode(self, inputs: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Map normalised (B, 3, H, W) inputs and four blocks' outputs to (B, C, H, W)."""
        third, sixth, ninth, twelfth = features
        details = [self.details[0](inputs)]
        for stage in self.details[1:]:
            details.append(stage(details[-1]))
        x = self.bottom(twelfth)
        for number, (up, stage) in enumerate(zip(self.ups, self.stages, strict=True)):
            detail = details.pop()
            parts = [_upsample(up(self.dropout(x))), detail]
            if number < len(self.skips):
                skip = self.skips[number]((ninth, sixth, third)[number])
                parts.insert(1, F.interpolate(skip, detail.shape[-2:], mode="bilinear", align_corners=False))
            x = stage(torch.cat(parts, dim=1))
        result: Tensor = self.head(x)
        return result


class SamUnet(UnetOnSam, SamModel):
    """The U-Net decoder on a fixed encoder."""


class SamUnetLora(Adapted, UnetOnSam):
    """The U-Net decoder on an adapted encoder."""


Conv = TypeVar("Conv", bound=SamConv)


def conv_on(model: type[Conv], encoder: nn.Module, recipe: Recipe, channels: int) -> Conv:
    """Put the convolutional decoder, of the same widths for all, on an encoder of SAM's kind."""
    tiny = recipe.model_size == "tiny"
    widths = (16, 16, 8, 8) if tiny else (192, 128, 64, 32)
    return model(encoder, 32 if tiny else 256, widths, recipe.decoder_dropout, channels)


def unet_widths(*, tiny: bool) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return the width of the ViT, and the channels of the U-Net decoder and of its detail path."""
    return (32, (16, 16, 8, 8, 8), (4, 8, 8, 16)) if tiny else (768, (384, 256, 128, 64, 32), (16, 32, 64, 128))
