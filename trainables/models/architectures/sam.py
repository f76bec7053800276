"""Decoders on SAM's encoders: ViT-B, MobileSAM's TinyViT and SAM 2's Hiera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.mobile_sam import MobileSamConv
    from trainables.models.sam import SamConv, SamUnet, SamUnetLora
    from trainables.models.sam2 import Sam2Conv
    from trainables.models.smp import SmpModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe

HIERA_T = "sam2_hiera_tiny.fb_r896_2pt1"
"""timm's name."""
CONV_BYTES = {"full": 5_137_604, "tiny": 59_236}
"""Of the convolutional decoder, the same on every encoder."""


@architecture(
    name="sam_vit_b_conv",
    title="SAM ViT-B frozen + conv decoder",
    track="sam",
    needs="sam-vit-b",
    fixed_encoder=True,
    known_bytes=CONV_BYTES,
)
def build_sam_conv(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SamConv:
    """Build 1.3 million trainable parameters."""
    from trainables.models.encoder_cache import kept_encoder
    from trainables.models.sam import SamConv, conv_on
    from trainables.models.sam_encoder import build_encoder

    return conv_on(SamConv, kept_encoder(recipe, weights, build_encoder), recipe, channels)


@architecture(
    name="sam_vit_b_unet",
    title="SAM ViT-B frozen + U-Net decoder",
    track="sam",
    needs="sam-vit-b",
    fixed_encoder=True,
    known_bytes={"full": 25_093_940, "tiny": 99_044},
)
def build_sam_unet(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SamUnet:
    """Build 5 to 10 million trainable parameters."""
    from trainables.models.encoder_cache import kept_encoder
    from trainables.models.sam import SamUnet, unet_widths
    from trainables.models.sam_encoder import build_encoder

    tiny = recipe.model_size == "tiny"
    encoder = kept_encoder(recipe, weights, build_encoder)
    return SamUnet(encoder, *unet_widths(tiny=tiny), recipe.decoder_dropout, channels)


@architecture(
    name="mobile_sam_conv",
    title="MobileSAM frozen + conv decoder",
    track="sam",
    needs="mobile-sam",
    fixed_encoder=True,
    known_bytes=CONV_BYTES,
)
def build_mobile_sam_conv(recipe: Recipe, weights: Weights, channels: int, bands: int) -> MobileSamConv:
    """Build the decoder of ``sam_vit_b_conv`` on TinyViT."""
    from trainables.models.encoder_cache import kept_encoder
    from trainables.models.mobile_sam import MobileSamConv, build_encoder
    from trainables.models.sam import conv_on

    return conv_on(MobileSamConv, kept_encoder(recipe, weights, build_encoder), recipe, channels)


@architecture(
    name="sam_vit_b_unet_lora",
    title="SAM ViT-B with LoRA + U-Net decoder",
    track="sam",
    needs="sam-vit-b",
    known_bytes={"full": 26_273_588, "tiny": 148_196},
    lora=True,
)
def build_sam_unet_lora(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SamUnetLora:
    """Build the U-Net decoder on an encoder that is never shared with another trial's."""
    from trainables.models.lora import add_adapters, base_of
    from trainables.models.sam import SamUnetLora, unet_widths
    from trainables.models.sam_encoder import build_encoder

    tiny = recipe.model_size == "tiny"
    encoder = add_adapters(base_of(recipe, lambda: build_encoder(weights, tiny=tiny)), recipe)
    return SamUnetLora(encoder, *unet_widths(tiny=tiny), recipe.decoder_dropout, channels)


@architecture(
    name="sam2_hiera_t_conv",
    title="SAM 2 Hiera-T frozen + conv decoder",
    track="sam",
    needs="sam2-hiera-t",
    fixed_encoder=True,
    known_bytes=CONV_BYTES,
    extra="sam2",
    packages=("sam2",),
)
def build_sam2_hiera_t_conv(recipe: Recipe, weights: Weights, channels: int, bands: int) -> Sam2Conv:
    """Build the decoder of ``sam_vit_b_conv`` on one map of SAM 2's feature pyramid."""
    from trainables.models.encoder_cache import kept_encoder
    from trainables.models.sam import conv_on
    from trainables.models.sam2 import Sam2Conv, build_encoder

    return conv_on(Sam2Conv, kept_encoder(recipe, weights, build_encoder), recipe, channels)


@architecture(
    name="sam2_hiera_t_unet",
    title="SAM 2.1 Hiera-T frozen + U-Net decoder",
    track="sam",
    needs=f"imagenet:tu-{HIERA_T}",
    fixed_encoder=True,
    staged=True,
    known_bytes={"full": 10_449_092, "tiny": 192_388},
    changes={"learning_rate": 1e-3, "batch_size": 4},
)
def build_sam2_hiera_t_unet(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build a U-Net decoder on Hiera's maps at 1/4, 1/8 and 1/16 of the size."""
    from trainables.models.vit import build_fixed_unet

    return build_fixed_unet(HIERA_T, recipe, weights, channels)
