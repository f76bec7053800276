"""SAM's ViT-B, adapted: low-rank matrices beside its attention's projections are trained, its own weights are not."""

from __future__ import annotations

from torch import nn

from trainables.models.sam import UnetOnSam

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


def add_adapters(encoder: nn.Module) -> nn.Module:
    """Return SAM's encoder with adapters beside its projections, in place."""
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=SCALE, lora_dropout=0.0, target_modules=["qkv"]), encoder)
    return encoder
