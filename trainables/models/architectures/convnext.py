"""ConvNeXt under UPerNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.smp import SmpModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe

ENCODER = "tu-convnext_tiny.in12k_ft_in1k"


@architecture(
    name="convnext_tiny_upernet",
    title="ConvNeXt-T + UPerNet",
    track="cnn",
    needs=f"imagenet:{ENCODER}",
    known_bytes={"full": 148_200_164, "tiny": 1_361_028},
    changes={"learning_rate": 5e-4, "frozen_epochs": 5},
)
def build_convnext_tiny_upernet(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build 37 million parameters, which train as a whole after few epochs with the encoder frozen."""
    from trainables.models.smp_family import build_smp

    return build_smp("UPerNet", ENCODER, recipe, weights, channels, bands, stand_in="tu-test_convnext")
