"""DINOv3's ViTs under DPT: frozen, and adapted by LoRA."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.smp import SmpModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe

ENCODERS = {"s": "vit_small_patch16_dinov3.lvd1689m", "b": "vit_base_patch16_dinov3.lvd1689m"}
"""timm's names."""
FROZEN_BYTES = {"s": 122_389_644, "b": 140_876_940}
LORA_BYTES = {"s": 122_979_468, "b": 142_056_588}
"""Of the checkpoints, in which the encoder's own weights are not."""


def build_frozen(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build the size that the recipe's architecture names, its encoder never trained."""
    from trainables.models.vit import build_fixed_dpt

    return build_fixed_dpt(_encoder(recipe), recipe, weights, channels)


def build_lora(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build the size that the recipe's architecture names, with adapters in its encoder."""
    from trainables.models.vit import build_adapted_dpt

    return build_adapted_dpt(_encoder(recipe), recipe, weights, channels)


def _encoder(recipe: Recipe) -> str:
    return ENCODERS[recipe.architecture.removeprefix("dinov3_vit_")[0]]


for size, encoder in ENCODERS.items():
    entry = partial(architecture, track="vit", needs=f"imagenet:tu-{encoder}")
    entry(
        name=f"dinov3_vit_{size}_dpt",
        title=f"DINOv3 ViT-{size.upper()} frozen + DPT",
        fixed_encoder=True,
        known_bytes={"full": FROZEN_BYTES[size], "tiny": 274_060},
    )(build_frozen)
    entry(
        name=f"dinov3_vit_{size}_dpt_lora",
        title=f"DINOv3 ViT-{size.upper()} with LoRA + DPT",
        lora=True,
        known_bytes={"full": LORA_BYTES[size], "tiny": 323_212},
        changes={"learning_rate": 3e-4, "batch_size": 2, "frozen_epochs": 0},
    )(build_lora)
