"""Which architectures are compared: the study's, or those of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from trainables.models.registry import GRID_OF_FIVE

STUDY, MODERN = "study", "modern"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Some architectures.

    Attributes:
        architectures: What Phase 1 compares.
        search: What Phase 2 searches, and Phase 3 compares.
    """

    architectures: tuple[str, ...]
    search: tuple[str, ...]


GRIDS: Mapping[str, Grid] = MappingProxyType(
    {
        STUDY: Grid(
            architectures=GRID_OF_FIVE,
            search=("smp_unet_resnet34", "smp_deeplabv3plus_resnet34", "sam_vit_b_unet"),
        ),
        MODERN: Grid(
            architectures=(
                "smp_unet_resnet34",
                "convnext_tiny_upernet",
                "segformer_b2",
                "dinov3_vit_s_dpt",
                "dinov3_vit_s_dpt_lora",
                "dinov3_vit_b_dpt",
                "dinov3_vit_b_dpt_lora",
                "sam2_hiera_t_unet",
            ),
            search=("convnext_tiny_upernet", "dinov3_vit_s_dpt_lora", "smp_unet_resnet34"),
        ),
    }
)
"""What a profile compares if it has no choice of its own; ``smp_unet_resnet34`` is in both, their common anchor."""
