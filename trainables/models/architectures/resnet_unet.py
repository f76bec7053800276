"""The U-Net on ResNet34 with transposed convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.resnet_unet import ResNetUnet
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe


@architecture(
    name="resnet34_unet",
    title="ResNet34 U-Net, transposed convolutions",
    track="cnn",
    needs="imagenet-resnet34",
    staged=True,
    known_bytes={"full": 97_883_508, "tiny": 660_932},
)
def build_resnet34_unet(recipe: Recipe, weights: Weights, channels: int, bands: int) -> ResNetUnet:
    """Build SMP's encoder under our decoder."""
    from segmentation_models_pytorch.encoders import get_encoder

    from trainables.models.bands import take_bands
    from trainables.models.resnet_unet import ResNetUnet
    from trainables.models.smp import TINY_ENCODER
    from trainables.models.weights import fill

    tiny = recipe.model_size == "tiny"
    encoder = get_encoder(TINY_ENCODER if tiny else "resnet34", weights=None)
    fill(encoder, weights)
    take_bands(encoder, bands, weights)
    widths = (32, 24, 16, 16, 8) if tiny else (256, 128, 64, 64, 32)
    dropout, supervision = recipe.decoder_dropout, recipe.deep_supervision
    return ResNetUnet(encoder, widths, dropout, channels, bands, supervision=supervision)
