"""The probes that belong to some architectures: one for each encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trainables.errors import RecipeError
from trainables.models.probe_names import PROBE
from trainables.models.registry import get_architecture


def probes_of(architectures: Sequence[str]) -> tuple[str, ...]:
    """Return the probes of architectures' encoders, one for each encoder.

    Left out are encoders of which a probe is among the architectures already, and those of a user's own architectures,
    which need not give maps of features; their probes can be named.

    Args:
        architectures: Names in the registry.

    Returns:
        Names in the registry.
    """
    entries = [get_architecture(name) for name in architectures]
    probed = {entry.needs for entry in entries if entry.probe}
    found: dict[str, str] = {}
    for entry in entries:
        if entry.needs != "none" and not entry.own and entry.needs not in probed:
            found.setdefault(entry.needs, get_architecture(PROBE + entry.name).name)
    return tuple(found.values())


def without_probes(architectures: Iterable[str]) -> tuple[str, ...]:
    """Return the architectures that are trained by gradients."""
    return tuple(name for name in architectures if not get_architecture(name).probe)


def refuse_probes(architectures: Iterable[str]) -> None:
    """Refuse probes where recipes are searched: no hyperparameter changes one.

    Raises:
        RecipeError: One is named.
    """
    for name in architectures:
        if get_architecture(name).probe:
            raise RecipeError(
                f"--architectures {name}: a probe has no recipe to search, it is fitted in closed form; leave it out"
            )
