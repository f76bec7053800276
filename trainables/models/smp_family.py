"""Every architecture and encoder of segmentation-models-pytorch, by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from trainables.errors import RecipeError, nearest
from trainables.models.bands import take_bands
from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD
from trainables.models.dropout import Dropped, drop_between, without_dropout
from trainables.models.lora import add_adapters, base_of
from trainables.models.smp import TINY_ENCODER, AdaptedVit, SmpModel, supervise_unet
from trainables.models.smp_names import parts_of
from trainables.models.sources import reason_of
from trainables.models.weights import Weights, load_tensors
from trainables.recipe import Recipe

TINY_VIT = "tu-test_vit"
TINY_HIERA = "tu-sam2_hiera_tiny"
TINY_HIERA_OPTIONS = {"embed_dim": 8, "num_heads": 1, "stages": (1, 1, 2, 1), "global_att_blocks": (3,)}
"""A stand-in with both a pyramid and attention."""
TINY_CHANNELS = (32, 24, 16, 16, 8)
TINY: dict[str, dict[str, Any]] = {
    "Unet": {"decoder_channels": TINY_CHANNELS},
    "UnetPlusPlus": {"decoder_channels": TINY_CHANNELS},
    "MAnet": {"decoder_channels": TINY_CHANNELS, "decoder_pab_channels": 8},
    "FPN": {"decoder_pyramid_channels": 32, "decoder_segmentation_channels": 32},
    "PSPNet": {"psp_out_channels": 32},
    "DeepLabV3": {"decoder_channels": 32},
    "DeepLabV3Plus": {"decoder_channels": 32},
    "PAN": {"decoder_channels": 16},
    "UPerNet": {"decoder_channels": 32},
    "Segformer": {"decoder_segmentation_channels": 32},
    "DPT": {"decoder_intermediate_channels": (16, 16, 16, 16), "decoder_fusion_channels": 16},
}
"""Widths of the tiny stand-ins' decoders."""
SMALLEST_SIDE = 32
SMALLEST = {"PAN": 128}
"""Where a decoder halves the smallest features further, what sides must be a multiple of."""
HALF = (0.5, 0.5, 0.5)
DPN = ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3)
NORMALISATION: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "inceptionresnetv2": (HALF, HALF),
    "inceptionv4": (HALF, HALF),
    "xception": (HALF, HALF),
    "timm-tf_efficientnet_lite": (HALF, HALF),
    "dpn": DPN,
}
"""Mean and standard deviation per channel that SMP's encoders were trained with, where they are not ImageNet's own."""


def check_names(name: str, architecture: str, encoder: str) -> None:
    """Check that SMP has an architecture and an encoder.

    Raises:
        RecipeError: It has not; the nearest name is suggested.
    """
    import segmentation_models_pytorch as smp
    import timm

    known = [one.__name__ for one in smp.MODEL_ARCHITECTURES_MAPPING.values()]
    if architecture not in known:
        raise RecipeError(f"architecture {name!r}: SMP has no {architecture!r}; {nearest(architecture, known)}")
    if encoder.startswith("tu-"):
        if not timm.is_model(encoder[3:].partition(".")[0]):
            raise RecipeError(f"architecture {name!r}: timm has no {encoder[3:]!r}; {_guess(encoder[3:])}")
    elif encoder not in smp.encoders.encoders:
        names = list(smp.encoders.encoders)
        raise RecipeError(f"architecture {name!r}: SMP has no encoder {encoder!r}; {nearest(encoder, names)}")


def _guess(model: str) -> str:
    """Suggest the nearest of timm's thousand names, without listing them."""
    import timm

    return nearest(model, timm.list_models()).partition(" known:")[0].partition("known:")[0] or "see timm.list_models()"


def build(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build the model that ``smp:ARCHITECTURE/ENCODER`` names."""
    architecture, encoder, lora = parts_of(recipe.architecture)
    return build_smp(architecture, encoder, recipe, weights, channels, bands, lora=lora)


def build_smp(
    architecture: str,
    encoder: str,
    recipe: Recipe,
    weights: Weights,
    channels: int,
    bands: int,
    *,
    lora: bool = False,
    stand_in: str = "",
) -> SmpModel:
    """Build an SMP model.

    Args:
        architecture: Name of an SMP class: ``UnetPlusPlus``.
        encoder: Name of an SMP encoder; ``tu-NAME`` is timm's.
        recipe: Uses ``decoder_dropout``, ``model_size`` and, with adapters, what is theirs.
        weights: Resolved weights of the encoder.
        channels: Logits per pixel.
        bands: Bands of the images.
        lora: Train adapters in the encoder instead of the encoder.
        stand_in: The tiny size's encoder; empty for the usual one.

    Raises:
        RecipeError: SMP does not combine the two, or adapters are wanted in an encoder without attention.
        WeightsError: The file does not fit the encoder.
    """
    import segmentation_models_pytorch as smp

    options: dict[str, Any] = {}
    if recipe.model_size == "tiny":
        options = dict(TINY.get(architecture, {}))
        if lora and architecture != "DPT":
            encoder, options = TINY_HIERA, options | TINY_HIERA_OPTIONS
        else:
            encoder = stand_in or (TINY_VIT if architecture == "DPT" else TINY_ENCODER)
    if architecture == "DPT":
        options |= {"dynamic_img_size": True, "num_classes": 0}  # position embeddings of any size, no classifier
    if encoder.startswith("tu-"):
        options["in_channels"] = bands  # timm itself widens pretrained weights, of several first convolutions, too
        options |= overlay(weights)
    options["encoder_weights"] = True if "pretrained_cfg_overlay" in options else None

    def build() -> Any:
        return getattr(smp, architecture)(encoder, classes=channels, **options)

    with fitting(weights, architecture, encoder):
        model = base_of(recipe, build) if lora else build()
    if weights.path and not encoder.startswith("tu-"):
        _load(model.encoder, weights, load_tensors(weights))
    if not encoder.startswith("tu-"):
        take_bands(model.encoder, bands, weights)
    without_dropout(model)
    leave_upsampling(model.segmentation_head)
    if not drop_between(model.decoder, recipe.decoder_dropout):
        model.decoder = Dropped(model.decoder, recipe.decoder_dropout)
    if lora:
        add_adapters(model.encoder, recipe)
    mean, std = normalisation(encoder)
    stride = _stride(architecture, int(getattr(model.encoder, "output_stride", 32)))
    found = (AdaptedVit if lora else SmpModel)(model, mean=mean, std=std, stride=stride, bands=bands)
    return supervise_unet(found, recipe, channels) if architecture == "Unet" else found


def _stride(architecture: str, encoder: int) -> int:
    """Return what sides must be a multiple of, with an encoder's stride in pixels."""
    if architecture == "DPT" and SMALLEST_SIDE % encoder:
        return 2 * encoder  # DPT halves the features once more
    return math.lcm(SMALLEST.get(architecture, SMALLEST_SIDE), encoder)


def overlay(weights: Weights) -> dict[str, Any]:
    """Return what makes timm take its tensors from a file; it maps their names to those of a model of features."""
    return {"pretrained_cfg_overlay": {"state_dict": dict(load_tensors(weights))}} if weights.path else {}


@contextmanager
def fitting(weights: Weights, architecture: str, encoder: str) -> Iterator[None]:
    """Say in a line what keeps the block from building an SMP model.

    Raises:
        RecipeError: SMP does not combine the two.
        WeightsError: The file does not fit the encoder.
    """
    try:
        yield
    except (RuntimeError, KeyError) as error:
        if not weights.path:
            raise
        raise weights.wrong(f"does not fit the encoder {encoder} ({reason_of(error)})") from error
    except (ValueError, NotImplementedError, TypeError, AttributeError) as error:
        raise RecipeError(
            f"architecture smp:{architecture}/{encoder}: {_why_not(architecture, encoder, error)}"
        ) from error


def _why_not(architecture: str, encoder: str, error: Exception) -> str:
    reason = reason_of(error)
    if "downsampling pattern" in reason:
        return (
            f"{architecture} needs features at 1/4, 1/8, 1/16 and 1/32 of the size, and {encoder} has others, as plain "
            f"vision transformers have; take smp:DPT/{encoder}, or an encoder with a pyramid such as tu-convnext_tiny"
        )
    if "output_stride" in reason:
        return f"{architecture} dilates its encoder, which {encoder} cannot; take Unet, FPN or UPerNet"
    return f"SMP does not combine them ({reason}); take another encoder"


def normalisation(encoder: str) -> tuple[Sequence[float], Sequence[float]]:
    """Return the mean and standard deviation per channel that an encoder was trained with."""
    if encoder.startswith("tu-"):
        import timm

        config = timm.get_pretrained_cfg(encoder[3:], allow_unregistered=True)
        return (config.mean, config.std) if config is not None else (IMAGENET_MEAN, IMAGENET_STD)
    for prefix, values in NORMALISATION.items():
        if encoder.startswith(prefix):
            return values
    return IMAGENET_MEAN, IMAGENET_STD


def _load(encoder: nn.Module, weights: Weights, tensors: dict[str, Tensor]) -> None:
    try:
        encoder.load_state_dict(tensors)
    except (RuntimeError, KeyError) as error:
        raise weights.wrong(f"does not fit the encoder ({reason_of(error)})") from error


def leave_upsampling(head: Any) -> None:
    """Switch a head's own upsampling off: logits are brought to full size in one place, for all models."""
    if hasattr(head, "upsampling_factor"):
        head.upsampling_factor = 1
        return
    for name, part in head.named_children():
        if isinstance(part, nn.Upsample):
            setattr(head, name, nn.Identity())
