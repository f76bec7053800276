"""The one fixed encoder that a process keeps for its next trial: SAM's takes seconds to build and 360 MB."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from trainables.models.weights import Weights
    from trainables.recipe import Recipe


class BuildEncoder(Protocol):
    """Builds an encoder."""

    __module__: str
    __qualname__: str

    def __call__(self, weights: Weights, *, tiny: bool) -> nn.Module:
        """Build it from resolved weights, or its tiny stand-in."""
        ...


_KEPT: dict[Hashable, nn.Module] = {}
"""At most one entry. Trials share the module, which none of them changes."""


def keep(key: Hashable, build: Callable[[], nn.Module], *, seed: int) -> nn.Module:
    """Return the encoder of a key, built again only if another one was kept.

    Args:
        key: All that decides what is built.
        build: Builds it, from random numbers of its own, so that a decoder's do not depend on whether it ran.
        seed: Of those random numbers.
    """
    import torch

    if torch.get_default_device().type == "meta":
        return build()  # which holds no numbers, so there is nothing to keep
    if key not in _KEPT:
        release()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _KEPT[key] = build()
    return _KEPT[key]


def kept_encoder(recipe: Recipe, weights: Weights, build: BuildEncoder, name: str = "") -> nn.Module:
    """Return the encoder that a trial before this one used, if it is the same, and else build it.

    Args:
        recipe: Uses ``model_size``, and ``seed`` where the weights are random.
        weights: Resolved weights.
        build: Builds it.
        name: Distinguishes encoders that the same function builds.
    """
    import torch

    tiny = recipe.model_size == "tiny"
    seed = 0 if weights.path else recipe.seed  # a file's encoder is the same whatever the seed
    place = str(torch.get_default_device())  # models are also built on the meta device, which holds no numbers
    key = (build.__module__, build.__qualname__, name, weights, tiny, seed, place)
    return keep(key, lambda: build(weights, tiny=tiny), seed=seed)


def release() -> None:
    """Let go of the encoder, before a trial that has no use for it."""
    _KEPT.clear()
