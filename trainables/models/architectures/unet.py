"""The U-Nets from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.unet import UNet
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe


@architecture(
    name="unet",
    title="U-Net from scratch",
    track="cnn",
    staged=True,
    needs="none",
    known_bytes={"full": 31_075_860, "tiny": 491_460},
)
def build_unet(recipe: Recipe, weights: Weights, channels: int, bands: int) -> UNet:
    """Build the study's U-Net, with transposed convolutions."""
    from trainables.models.unet import BASE_WIDTH, UNet

    return UNet(
        BASE_WIDTH[recipe.model_size], recipe.decoder_dropout, channels, bands, supervision=recipe.deep_supervision
    )


@architecture(
    name="unet_bilinear",
    title="U-Net from scratch, bilinear upsampling",
    track="cnn",
    staged=True,
    needs="none",
    known_bytes={"full": 34_557_460, "tiny": 545_860},
)
def build_unet_bilinear(recipe: Recipe, weights: Weights, channels: int, bands: int) -> UNet:
    """Build the U-Net that upsamples without a checkerboard."""
    from trainables.models.unet import BASE_WIDTH, UNet

    return UNet(
        BASE_WIDTH[recipe.model_size],
        recipe.decoder_dropout,
        channels,
        bands,
        bilinear=True,
        supervision=recipe.deep_supervision,
    )
