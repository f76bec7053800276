"""Profiles: how big a run is, as changes to the shared recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from trainables.errors import RecipeError, nearest
from trainables.models.registry import GRID_OF_FIVE

Changes = Mapping[str, str | int | float]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How big a run is.

    Attributes:
        name: What users type.
        summary: One line for help texts and plans.
        architectures: What Phase 1 compares by default.
        weights: ``pretrained`` refuses to start without the real weights; ``available`` uses what is on disk.
        changes: Recipe fields that differ from the study's shared recipe.
        needs_gpu: Explain instead of starting when there is no GPU.
    """

    name: str
    summary: str
    architectures: tuple[str, ...]
    weights: Literal["pretrained", "available"]
    changes: Changes = field(default_factory=lambda: MappingProxyType({}))
    needs_gpu: bool = False


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                name="paper",
                summary="the study's own numbers: whole tiles, 400 draws an epoch, up to 60 epochs; wants GPUs",
                architectures=GRID_OF_FIVE,
                weights="pretrained",
                needs_gpu=True,
            ),
            Profile(
                name="demo",
                summary="the real architectures on 256-pixel crops for a few steps; minutes on two CPU cores",
                architectures=(*GRID_OF_FIVE, "smp_unet_efficientnet_lite0"),
                weights="available",
                changes=MappingProxyType(
                    {
                        "crop_size": 256,
                        "validation_crop": 256,
                        "draws_per_epoch": 24,
                        "max_epochs": 5,
                        "patience": 5,
                        "frozen_epochs": 2,
                    }
                ),
            ),
            Profile(
                name="smoke",
                summary="tiny stand-in models on 64-pixel crops; seconds, to see that everything works",
                architectures=GRID_OF_FIVE,
                weights="available",
                changes=MappingProxyType(
                    {
                        "model_size": "tiny",
                        "crop_size": 64,
                        "validation_crop": 64,
                        "draws_per_epoch": 8,
                        "max_epochs": 2,
                        "patience": 2,
                        "frozen_epochs": 1,
                    }
                ),
            ),
        )
    }
)


def get_profile(name: str) -> Profile:
    """Look a profile up.

    Raises:
        RecipeError: No such profile; the nearest name is suggested.
    """
    if name not in PROFILES:
        raise RecipeError(f"--profile {name!r} does not exist; {nearest(name, PROFILES)}")
    return PROFILES[name]
