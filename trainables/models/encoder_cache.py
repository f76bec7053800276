"""The one fixed encoder that a process keeps for its next trial: SAM's takes seconds to build and 360 MB."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

_KEPT: dict[Hashable, nn.Module] = {}
"""At most one entry. Trials share the module, which none of them changes."""


def keep(key: Hashable, build: Callable[[], nn.Module], *, seed: int) -> nn.Module:
    """Return the encoder of a key, built again only if another one was kept.

    Args:
        key: All that decides what is built.
        build: Builds it, from random numbers of its own, so that a decoder's do not depend on whether it ran.
        seed: Of those random numbers.
    """
    if key not in _KEPT:
        import torch

        release()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _KEPT[key] = build()
    return _KEPT[key]


def release() -> None:
    """Let go of the encoder, before a trial that has no use for it."""
    _KEPT.clear()
