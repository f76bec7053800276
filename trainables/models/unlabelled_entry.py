"""Entries of architectures that learn from unlabelled images, too: ``ARCHITECTURE+unlabelled``."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from trainables.errors import RecipeError
from trainables.models.architecture import Architecture
from trainables.models.probe_names import UNLABELLED

if TYPE_CHECKING:
    from trainables.models.base import SegmentationModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe

WEIGHT, DECAY = 1.0, 0.99
"""Of the loss on unlabelled images, and of the average of the weights that labels them, in the shared recipe."""


def _build(host: Architecture, recipe: Recipe, weights: Weights, channels: int, bands: int) -> SegmentationModel:
    return host.factory(recipe.replace(architecture=host.name), weights, channels, bands)


@lru_cache
def unlabelled_entry(host: Architecture) -> Architecture:
    """Return the entry of the same model, whose shared recipe learns from unlabelled images, too."""
    return replace(
        host,
        name=host.name + UNLABELLED,
        title=f"{host.title} + unlabelled",
        factory=partial(_build, host),
        changes={**host.changes, "consistency_weight": WEIGHT, "ema_decay": DECAY},
    )


def require_trained(name: str, host: Architecture) -> None:
    """Refuse what learns nothing from unlabelled images.

    Raises:
        RecipeError: As said.
    """
    if host.probe or host.name.endswith(UNLABELLED):
        why = "a probe is fitted to labels alone" if host.probe else "it does already"
        raise RecipeError(f"architecture {name!r}: {UNLABELLED} learns from unlabelled images, and {why}; leave it out")
