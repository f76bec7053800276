"""LoRA: low-rank matrices beside a vision transformer's own projections are trained, its own weights are not.

Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.errors import RecipeError
from trainables.models.base import SegmentationModel
from trainables.recipe import Recipe

ADAPTER = ".lora_"
"""What the names of the adapters' tensors hold, and no others."""
Built = TypeVar("Built")
QUERIES = {"qkv", "q", "kv", "q_proj", "k_proj", "v_proj", "query", "key", "value"}
"""What libraries call the projections of an attention to queries, keys and values."""


class Adapted(SegmentationModel):
    """A model whose encoder's adapters are trained from the start.

    The encoder's own weights are fixed and left out of checkpoints; the adapters are in them. Features change with
    every step, so none can be kept. Comes before the class that it adapts: ``class Mine(Adapted, Trained)``.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.unfreeze_encoder()

    def is_fixed(self, name: str) -> bool:
        """Whether a tensor is one of the encoder's own."""
        return self.in_encoder(name) and ADAPTER not in name

    def train(self, mode: bool = True) -> Adapted:
        """Switch to training mode, but for the encoder's BatchNorm, whose statistics are fixed, too."""
        super().train(mode)
        for module in self.encoder.modules() if self.encoder is not None else ():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def merge_adapters(self) -> None:
        """Add what the adapters add to the weights beside them, and leave the adapters out; changes no logit."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        encoder = cast("nn.Module", self.encoder)
        for name, module in list(encoder.named_modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
                encoder.set_submodule(name, cast("nn.Module", module.get_base_layer()))


def merged(model: SegmentationModel) -> SegmentationModel:
    """Return a model, or the mean of several, with its adapters merged: the same one where it has none, else a copy."""
    if not any(isinstance(module, Adapted) for module in model.modules()):
        return model
    copied = copy.deepcopy(model)
    for module in list(copied.modules()):
        if isinstance(module, Adapted):
            module.merge_adapters()
    return copied


def base_of(recipe: Recipe, build: Callable[[], Built]) -> Built:
    """Build what adapters are put into, random numbers of the recipe's seed in it: folds have one base, as files have.

    Args:
        recipe: Uses ``seed``.
        build: Builds it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return build()


def add_adapters(encoder: nn.Module, recipe: Recipe) -> nn.Module:
    """Put adapters beside an encoder's projections, in place.

    Args:
        encoder: Of a vision transformer.
        recipe: Uses ``lora_rank``, ``lora_alpha`` and ``lora_targets``.

    Returns:
        The encoder.

    Raises:
        RecipeError: It has no attention.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=0.0,
        target_modules=_targets(encoder, recipe),
    )
    return cast("nn.Module", inject_adapter_in_model(config, encoder))


def _targets(encoder: nn.Module, recipe: Recipe) -> list[str]:
    """Return the names of the layers that get adapters."""
    linear = {name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    queries = {name for name in linear if name.rpartition(".")[2] in QUERIES}
    if not queries:
        raise RecipeError(
            f"architecture {recipe.architecture}: LoRA adapts the attention of a vision transformer, and its encoder "
            f"has none; leave LoRA out, or take a transformer such as smp:DPT/timm:vit_small_patch16_224+lora"
        )
    attentions = {name.rpartition(".")[0] for name in queries}
    for name in attentions:
        attention: Any = encoder.get_submodule(name)
        if hasattr(attention, "qkv_bias_separate"):
            attention.qkv_bias_separate = True  # else timm reads the weight and passes the adapter by
    chosen = {
        "qkv": queries,
        "attention": {name for name in linear if name.rpartition(".")[0] in attentions},
        "all": linear,
    }[recipe.lora_targets]
    return sorted(chosen)
