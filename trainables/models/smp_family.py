"""Every architecture and encoder of segmentation-models-pytorch, by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from trainables.errors import RecipeError, nearest
from trainables.models.bands import take_bands
from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD
from trainables.models.dropout import Dropped, drop_between, without_dropout
from trainables.models.smp import TINY_ENCODER, SmpModel
from trainables.models.sources import reason_of
from trainables.models.weights import Weights, load_tensors
from trainables.recipe import Recipe

TINY_VIT = "tu-test_vit"
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
"""Mean and standard deviation a channel that SMP's encoders were trained with, where they are not ImageNet's own."""


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
    architecture, _, encoder = recipe.architecture.partition(":")[2].partition("/")
    return build_smp(architecture, encoder, recipe, weights, channels, bands)


def build_smp(architecture: str, encoder: str, recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build an SMP model.

    Args:
        architecture: Name of an SMP class: ``UnetPlusPlus``.
        encoder: Name of an SMP encoder; ``tu-NAME`` is timm's.
        recipe: Uses ``decoder_dropout`` and ``model_size``.
        weights: Resolved weights of the encoder.
        channels: Logits per pixel.
        bands: Bands of the images.

    Raises:
        RecipeError: SMP does not combine the two.
        WeightsError: The file does not fit the encoder.
    """
    import segmentation_models_pytorch as smp

    options: dict[str, Any] = {}
    if recipe.model_size == "tiny":
        encoder = TINY_VIT if architecture == "DPT" else TINY_ENCODER
        options = dict(TINY.get(architecture, {}))
    if architecture == "DPT":
        options |= {"dynamic_img_size": True, "num_classes": 0}  # position embeddings of any size, no classifier
    tensors = load_tensors(weights) if weights.path else None
    if encoder.startswith("tu-"):
        options["in_channels"] = bands  # timm itself widens pretrained weights, of several first convolutions, too
    if encoder.startswith("tu-") and tensors is not None:
        # timm itself maps its names to those of a model that returns features.
        options["pretrained_cfg_overlay"] = {"state_dict": dict(tensors)}
    try:
        model = getattr(smp, architecture)(
            encoder,
            encoder_weights=True if "pretrained_cfg_overlay" in options else None,
            classes=channels,
            **options,
        )
    except (RuntimeError, KeyError) as error:
        if tensors is None:
            raise
        raise weights.wrong(f"does not fit the encoder {encoder} ({reason_of(error)})") from error
    except (ValueError, NotImplementedError, TypeError) as error:
        raise RecipeError(
            f"architecture smp:{architecture}/{encoder}: SMP does not combine them ({reason_of(error)}); take another "
            f"encoder"
        ) from error
    if tensors is not None and not encoder.startswith("tu-"):
        _load(model.encoder, weights, tensors)
    if not encoder.startswith("tu-"):
        take_bands(model.encoder, bands, weights)
    without_dropout(model)
    _leave_upsampling(model.segmentation_head)
    if not drop_between(model.decoder, recipe.decoder_dropout):
        model.decoder = Dropped(model.decoder, recipe.decoder_dropout)
    mean, std = normalisation(encoder)
    least = SMALLEST.get(architecture, 32)
    stride = math.lcm(least, int(getattr(model.encoder, "output_stride", 32)))
    return SmpModel(model, mean=mean, std=std, stride=stride, bands=bands)


def normalisation(encoder: str) -> tuple[Sequence[float], Sequence[float]]:
    """Return the mean and standard deviation a channel that an encoder was trained with."""
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


def _leave_upsampling(head: Any) -> None:
    """Switch a head's own upsampling off: logits are brought to full size in one place, for all models."""
    if hasattr(head, "upsampling_factor"):
        head.upsampling_factor = 1
        return
    for name, part in head.named_children():
        if isinstance(part, nn.Upsample):
            setattr(head, name, nn.Identity())
