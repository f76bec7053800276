"""Phase 2's space: what Optuna searches for each architecture."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from trainables.augment.presets import PRESETS
from trainables.models.registry import get_architecture

Space = Mapping[str, BaseDistribution]
"""Recipe field to the values that are searched."""

LEARNING_RATES = MappingProxyType({"cnn": (1e-4, 1e-2), "sam": (1e-5, 1e-3), "transformer": (1e-5, 1e-3)})
"""Bounds by pace: a decade below and above the shared recipe's."""


def space(architecture: str) -> Space:
    """Return what is searched for an architecture.

    Args:
        architecture: A name in the registry.

    Raises:
        RecipeError: Unknown architecture.
    """
    low, high = LEARNING_RATES[get_architecture(architecture).pace]
    return {
        "learning_rate": FloatDistribution(low, high, log=True),
        "augmentation": CategoricalDistribution(tuple(PRESETS)),
        "decoder_dropout": FloatDistribution(0.0, 0.6),
        "bce_weight": FloatDistribution(0.1, 0.9),
    }
