"""Phase 2's space: what Optuna searches for each architecture."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from trainables.augment.presets import PRESETS
from trainables.models.probe_names import learns_unlabelled
from trainables.models.registry import get_architecture
from trainables.recipe import LORA_TARGETS

Space = Mapping[str, BaseDistribution]
"""Recipe field to the values that are searched."""

LEARNING_RATES = MappingProxyType(
    {"cnn": (1e-4, 1e-2), "sam": (1e-5, 1e-3), "vit": (1e-4, 1e-2), "transformer": (1e-5, 1e-3)}
)
"""Bounds by pace: a decade below and above the shared recipe's."""

ADAPTERS: Space = MappingProxyType(
    {
        "lora_rank": CategoricalDistribution((4, 8, 16, 32)),
        "lora_alpha": FloatDistribution(4.0, 64.0, log=True),
        "lora_targets": CategoricalDistribution(LORA_TARGETS),
    }
)
"""Searched as well where an architecture has LoRA."""
CONSISTENCY: Space = MappingProxyType(
    {
        "consistency_weight": FloatDistribution(0.1, 3.0, log=True),
        "consistency_threshold": FloatDistribution(0.6, 0.98),
    }
)
"""Searched as well where an architecture learns from unlabelled images, too."""
EXTRA_KNOBS: Space = MappingProxyType({"deep_supervision": CategoricalDistribution((0.0, 0.25, 0.5))})
"""Searched as well where they are asked for, and a decoder has stages: knobs that the shared recipe leaves off."""


def space(architecture: str, *, extra: bool = False) -> Space:
    """Return what is searched for an architecture.

    Args:
        architecture: A name in the registry.
        extra: Also ``EXTRA_KNOBS``, if it has them.

    Raises:
        RecipeError: Unknown architecture.
    """
    entry = get_architecture(architecture)
    low, high = LEARNING_RATES[entry.pace]
    return {
        "learning_rate": FloatDistribution(low, high, log=True),
        "augmentation": CategoricalDistribution(tuple(PRESETS)),
        "decoder_dropout": FloatDistribution(0.0, 0.6),
        "bce_weight": FloatDistribution(0.1, 0.9),
        **(ADAPTERS if entry.lora else {}),
        **(EXTRA_KNOBS if extra and entry.staged else {}),
        **(CONSISTENCY if learns_unlabelled(entry.name) else {}),
    }
