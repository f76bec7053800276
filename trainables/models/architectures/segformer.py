"""SegFormer in its six sizes: logits at a quarter of the images' size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.smp import SmpModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe

FULL_BYTES = (14_859_660, 54_712_076, 98_891_532, 178_394_892, 245_477_132, 327_878_412)
"""Of the checkpoints of B0 to B5."""


def build_segformer(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build the size that the recipe's architecture names."""
    from trainables.models.smp_family import build_smp

    encoder = f"mit_{recipe.architecture.rpartition('_')[2]}"
    return build_smp("Segformer", encoder, recipe, weights, channels, bands)


for size, full in enumerate(FULL_BYTES):
    architecture(
        name=f"segformer_b{size}",
        title=f"SegFormer-B{size}",
        track="cnn",
        transformer=True,
        needs=f"imagenet:mit_b{size}",
        known_bytes={"full": full, "tiny": 382_684},
    )(build_segformer)
