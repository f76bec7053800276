"""The architectures that learn from unlabelled images, beside the same without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from search_spaces.recipes import Changes
from trainables.errors import RecipeError
from trainables.models.probe_names import UNLABELLED, host_of, learns_unlabelled
from trainables.models.registry import get_architecture


def with_unlabelled(
    architectures: Sequence[str], *, given: bool, changes: Changes = MappingProxyType({})
) -> tuple[str, ...]:
    """Add to architectures the same that learn from unlabelled images, too, unless such are named already.

    Args:
        architectures: Names in the registry.
        given: Whether there are unlabelled images.
        changes: Of a recipe file; who learns from such images by it needs no second recipe.

    Returns:
        Names in the registry.

    Raises:
        RecipeError: There are none and an architecture needs them, or there are and none is trained.
    """
    names = tuple(get_architecture(name).name for name in architectures)
    named = [name for name in names if learns_unlabelled(name)]
    if named and not given:
        raise RecipeError(
            f"--architectures {named[0]}: learns from unlabelled images; give their folder, --unlabelled DIR"
        )
    if not given or named:
        return names
    trained = [name for name in names if not get_architecture(name).probe]
    if not trained:
        raise RecipeError("--unlabelled: only probes are named, which are fitted to labels alone; leave it out")
    plain = [name for name in trained if not changes.get(name, {}).get("consistency_weight")]
    return (*names, *(name + UNLABELLED for name in plain))


def changes_of(name: str, changes: Changes) -> Mapping[str, Any]:
    """Return a recipe file's changes of an architecture; one with unlabelled images has those of the one without."""
    return (
        {**changes.get(host_of(name), {}), **changes.get(name, {})}
        if learns_unlabelled(name)
        else changes.get(name, {})
    )
