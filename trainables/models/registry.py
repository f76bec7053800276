"""The architectures by name. Listing them loads no model code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING

from trainables.models import architectures, families
from trainables.models.architecture import REGISTERED, Architecture
from trainables.models.probe_entry import probe_entry, require_encoder
from trainables.models.probe_names import UNLABELLED, host_of, is_probe, learns_unlabelled
from trainables.models.trust import require_trusted, trust_hashes
from trainables.models.unlabelled_entry import require_trained, unlabelled_entry
from trainables.models.weights import Weights
from trainables.recipe import Recipe

if TYPE_CHECKING:
    from trainables.models.base import SegmentationModel

__all__ = [
    "ARCHITECTURES",
    "GRID_OF_FIVE",
    "Architecture",
    "build_model",
    "described",
    "get_architecture",
    "source_sha256",
]

GRID_OF_FIVE = (
    "unet",
    "smp_unet_resnet34",
    "smp_deeplabv3plus_resnet34",
    "sam_vit_b_conv",
    "sam_vit_b_unet",
)
"""What Phase 1 compares."""


def _registered() -> Mapping[str, Architecture]:
    for module in iter_modules(architectures.__path__):
        import_module(f"{architectures.__name__}.{module.name}")
    return MappingProxyType({name: REGISTERED[name] for name in (*GRID_OF_FIVE, *sorted(REGISTERED))})


ARCHITECTURES: Mapping[str, Architecture] = _registered()
"""The architectures that tilesweep brings: the study's five, then the others by name."""


def get_architecture(name: str) -> Architecture:
    """Look an architecture up.

    Args:
        name: A built-in's; ``smp:ARCHITECTURE/ENCODER``; a Python file, ``my_models.py:build``, whose name is absolute
            in the entry; an installed package's; ``probe:`` and any of these, or any of these and ``+unlabelled``.

    Raises:
        RecipeError: No such name; the nearest one is suggested.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if learns_unlabelled(name):
        host = get_architecture(name.removesuffix(UNLABELLED))
        require_trained(name, host)
        return unlabelled_entry(host)
    if is_probe(name):
        host = get_architecture(host_of(name))
        require_encoder(name, host)
        return probe_entry(name, host)
    if (found := families.find(name)) is None:
        raise families.unknown(name, tuple(ARCHITECTURES))
    return found


def described(name: str) -> Architecture:
    """Return what a record's name of an architecture says, for tables: nothing is imported or looked for."""
    if learns_unlabelled(name):
        return unlabelled_entry(described(name.removesuffix(UNLABELLED)))
    if is_probe(name):
        return probe_entry(name, described(host_of(name)))
    return ARCHITECTURES[name] if name in ARCHITECTURES else families.described(name)


def on_one_encoder(name: str, others: Iterable[str]) -> list[str]:
    """Return which architectures have the same fixed encoder as one of them, itself included, in order of names.

    Returns:
        Nothing where its encoder is trained, or where it alone has it.
    """
    entry = described(name)
    found = {
        other
        for other in others
        if (one := described(other)).fixed_encoder and one.needs == entry.needs and entry.fixed_encoder
    }
    return sorted(found) if len(found) > 1 else []


def source_sha256(name: str) -> str:
    """Return the hex sha256 of the file that defines an architecture of one's own; empty for all others.

    Raises:
        RecipeError: The file does not exist, or no installed package registers the name.
    """
    if not described(name).own:
        return ""
    from trainables.models.own_source import source_of

    return source_of(host_of(name)).sha256


def trust_typed(names: Iterable[str]) -> None:
    """Let the architectures run that the user typed, as their files are now; built-in ones need no word.

    Args:
        names: As typed: ``unet``, ``my_models.py:build``, an installed package's.

    Raises:
        RecipeError: There is no such architecture or file.
    """
    from trainables.models.own_source import source_of

    for name in names:
        entry = get_architecture(name)
        if entry.own:
            code = source_of(host_of(entry.name), moved=False)
            trust_hashes({code.name: code.sha256})


def trusted_hashes(names: Iterable[str]) -> dict[str, str]:
    """Return users' own architectures among some with the hashes of their files, for the processes that train them.

    Raises:
        RecipeError: One that may not run, or whose file does not exist.
    """
    from trainables.models.own_source import source_of

    found = {}
    for name in dict.fromkeys(names):
        if described(name).own:
            code = source_of(host_of(name))
            require_trusted(code.name, code.sha256, code.path)
            found[code.name] = code.sha256
    return found


def build_model(
    recipe: Recipe, weights: Weights, channels: int = 1, *, bands: int = 3, seed: int | None = None
) -> SegmentationModel:
    """Build the model that a recipe names; see ``Architecture.build``."""
    return get_architecture(recipe.architecture).build(recipe, weights, channels, bands=bands, seed=seed)
