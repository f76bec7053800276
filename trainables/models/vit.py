"""timm's encoders, fixed or adapted, under SMP's decoders: DINOv3 under DPT's, SAM 2's Hiera under a U-Net's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import nn

from trainables.models.dropout import drop_between, without_dropout
from trainables.models.encoder_cache import kept_encoder
from trainables.models.lora import add_adapters, base_of
from trainables.models.smp import AdaptedVit, FixedPyramid, FixedVit, SmpModel, supervise_unet
from trainables.models.smp_family import TINY, TINY_HIERA_OPTIONS, fitting, leave_upsampling, normalisation, overlay
from trainables.models.weights import Weights
from trainables.recipe import Recipe

TINY_DINOV3 = {"embed_dim": 32, "num_heads": 2}
"""A stand-in of the same structure."""
DPT_CHANNELS = {"intermediate_channels": (256, 512, 1024, 1024), "fusion_channels": 256}
"""SMP's own."""
UNET_CHANNELS = (256, 128, 64, 32)
STRIDE = 32
"""Of DPT, which halves the features at 1/16 once more, and of Hiera, whose windows are eight tokens of four pixels."""


def build_fixed_dpt(encoder: str, recipe: Recipe, weights: Weights, channels: int) -> SmpModel:
    """Build DPT on a ViT that is never trained, and that other trials share.

    Args:
        encoder: timm's name.
        recipe: Uses ``seed``, ``decoder_dropout`` and ``model_size``.
        weights: Resolved weights of the encoder.
        channels: Logits per pixel.

    Raises:
        WeightsError: The file does not fit the encoder.
    """

    def build(weights: Weights, *, tiny: bool) -> nn.Module:
        return _vit(encoder, weights, tiny=tiny)

    return _dpt(FixedVit, encoder, kept_encoder(recipe, weights, build, encoder), recipe, channels)


def build_adapted_dpt(encoder: str, recipe: Recipe, weights: Weights, channels: int) -> SmpModel:
    """Build DPT on a ViT whose adapters are trained; see ``build_fixed_dpt``."""
    vit = base_of(recipe, lambda: _vit(encoder, weights, tiny=recipe.model_size == "tiny"))
    return _dpt(AdaptedVit, encoder, add_adapters(vit, recipe), recipe, channels)


def _vit(encoder: str, weights: Weights, *, tiny: bool) -> nn.Module:
    from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder

    # Position embeddings of any size, no classifier.
    options: dict[str, Any] = {"dynamic_img_size": True, "num_classes": 0} | (TINY_DINOV3 if tiny else {})
    with fitting(weights, "DPT", encoder):
        vit: nn.Module = TimmViTEncoder(encoder, pretrained=bool(weights.path), **options, **overlay(weights))
    without_dropout(vit)
    return vit


def _dpt(kind: type[SmpModel], name: str, encoder: Any, recipe: Recipe, channels: int) -> SmpModel:
    from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
    from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder, DPTSegmentationHead

    sizes: dict[str, Any] = DPT_CHANNELS
    if recipe.model_size == "tiny":
        sizes = {key.removeprefix("decoder_"): value for key, value in TINY["DPT"].items()}
    decoder = DPTDecoder(
        encoder_out_channels=encoder.out_channels,
        encoder_output_strides=encoder.output_strides,
        encoder_has_prefix_tokens=encoder.has_prefix_tokens,
        **sizes,
    )
    head = DPTSegmentationHead(in_channels=sizes["fusion_channels"], out_channels=channels)
    initialize_decoder(decoder)
    initialize_head(head)
    return _finished(
        kind, f"tu-{name}", SimpleNamespace(encoder=encoder, decoder=decoder, segmentation_head=head), recipe
    )


def build_fixed_unet(encoder: str, recipe: Recipe, weights: Weights, channels: int) -> SmpModel:
    """Build a U-Net decoder on the maps at 1/4, 1/8 and 1/16 of a Hiera that is never trained.

    Arguments and errors are those of ``build_fixed_dpt``.
    """
    from segmentation_models_pytorch.base import SegmentationHead
    from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
    from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

    def build(weights: Weights, *, tiny: bool) -> nn.Module:
        from segmentation_models_pytorch.encoders.timm_universal import TimmUniversalEncoder

        options: dict[str, Any] = TINY_HIERA_OPTIONS if tiny else {}
        with fitting(weights, "Unet", encoder):
            hiera: nn.Module = TimmUniversalEncoder(
                encoder, pretrained=bool(weights.path), depth=len(UNET_CHANNELS), **options, **overlay(weights)
            )
        without_dropout(hiera)
        return hiera

    kept: Any = kept_encoder(recipe, weights, build, encoder)
    widths = TINY["Unet"]["decoder_channels"][: len(UNET_CHANNELS)] if recipe.model_size == "tiny" else UNET_CHANNELS
    decoder = UnetDecoder(encoder_channels=kept.out_channels, decoder_channels=widths, n_blocks=len(widths))
    head = SegmentationHead(in_channels=widths[-1], out_channels=channels, kernel_size=3)
    initialize_decoder(decoder)
    initialize_head(head)
    parts = SimpleNamespace(encoder=kept, decoder=decoder, segmentation_head=head)
    return supervise_unet(_finished(FixedPyramid, f"tu-{encoder}", parts, recipe), recipe, channels)


def _finished(kind: type[SmpModel], encoder: str, parts: Any, recipe: Recipe) -> SmpModel:
    without_dropout(parts.segmentation_head)
    leave_upsampling(parts.segmentation_head)
    drop_between(parts.decoder, recipe.decoder_dropout)
    mean, std = normalisation(encoder)
    return kind(parts, mean=mean, std=std, stride=STRIDE, bands=3)
