"""The losses by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "ce_dice": "trainables.losses.ce_dice:build",
    }
)
"""What a recipe's ``loss`` may be -> ``module:function`` that builds it, called as ``trainables.losses.base.loss_of``
does. Listing them loads no torch."""
