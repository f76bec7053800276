"""SAM's ViT-B, adapted: low-rank matrices beside its attention's projections are trained, its own weights are not."""

from __future__ import annotations

from trainables.models.sam import UnetOnSam, unet_widths
from trainables.models.sam_encoder import build_encoder
from trainables.models.weights import Weights
from trainables.recipe import Recipe

RANK = 8
SCALE = 8
"""Alpha: what the adapters add is multiplied with alpha / rank, here 1."""
ADAPTER = ".lora_"
"""What the names of the adapters' tensors hold, and no others."""


class SamUnetLora(UnetOnSam):
    """The U-Net decoder on an encoder whose adapters are trained from the start.

    The encoder's own weights are fixed and left out of checkpoints; the adapters are in them. Features change with
    every step, so none can be kept.

    Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".
    """

    def is_fixed(self, name: str) -> bool:
        """Whether a tensor is one of the encoder's own."""
        return self.in_encoder(name) and ADAPTER not in name


def build_sam_unet_lora(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SamUnetLora:
    """Build ``sam_vit_b_unet_lora``; its encoder is never shared with another trial's."""
    from peft import LoraConfig, inject_adapter_in_model

    tiny = recipe.model_size == "tiny"
    encoder = build_encoder(weights, tiny=tiny)
    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=SCALE, lora_dropout=0.0, target_modules=["qkv"]), encoder)
    model = SamUnetLora(encoder, *unet_widths(tiny=tiny), recipe.decoder_dropout, channels)
    model.unfreeze_encoder()
    return model
