"""Entries of the architectures that are probes."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from trainables.errors import RecipeError
from trainables.models.architecture import Architecture
from trainables.models.probe_names import PROBE, is_probe, methods_of

MOST_BYTES = 600_000
"""Of a probe's checkpoint for one logit: 33 numbers for each of at most 4,096 features, and the prototypes."""

if TYPE_CHECKING:
    from trainables.models.base import SegmentationModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe


def _build(host: Architecture, recipe: Recipe, weights: Weights, channels: int, bands: int) -> SegmentationModel:
    from trainables.models.probe import build

    return build(host, recipe, weights, channels, bands)


@lru_cache
def probe_entry(name: str, host: Architecture) -> Architecture:
    """Return the entry of ``probe:ARCHITECTURE``, or of one that names its method: ``probe:ridge/ARCHITECTURE``.

    Args:
        name: The probe's.
        host: The architecture on whose encoder it stands.
    """
    methods = methods_of(name)
    return Architecture(
        name=f"{PROBE}{methods[0]}/{host.name}" if len(methods) == 1 else PROBE + host.name,
        title=f"{'Probe' if len(methods) > 1 else f'{methods[0].capitalize()} probe'} on {_encoder_of(host)}",
        track=host.track,
        needs=host.needs,
        factory=partial(_build, host),
        fixed_encoder=True,
        probe=True,
        changes={"max_epochs": 1},  # which fits it
        extra=host.extra,
        packages=host.packages,
        known_bytes={"full": MOST_BYTES, "tiny": MOST_BYTES},
    )


def require_encoder(name: str, host: Architecture) -> None:
    """Refuse a probe of what has no encoder.

    Raises:
        RecipeError: As said.
    """
    if host.needs == "none" or is_probe(host.name):
        raise RecipeError(f"architecture {name!r}: {host.name} has no encoder to probe; name one that has")


def _encoder_of(host: Architecture) -> str:
    """Return what a title calls the encoder: the part that the weights are named after, else the last one."""
    parts = re.split(r" frozen| with | \+ |, ", host.title)
    weights = re.sub(r"[^a-z0-9]", "", host.needs.lower())
    named = [part for part in parts if re.sub(r"[^a-z0-9]", "", part.lower())[:4] in weights]
    return (named or host.title.split(" + ")[-1:])[0]
