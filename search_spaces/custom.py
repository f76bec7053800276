"""A user's own space: a Python file with one function."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.phase2 import Space
from trainables.errors import RecipeError, SpaceError, nearest
from trainables.models.registry import get_architecture
from trainables.recipe import Recipe

FIXED = {
    "architecture": "each architecture has a study of its own",
    "seed": "a lucky seed is no recipe",
    "model_size": "the profile decides it",
    "max_epochs": "all trials have the same maximum; use --max-epochs",
    "draws_per_epoch": "an epoch costs the same in all trials",
    "validation_crop": "scores would not be comparable",
}
"""Recipe fields that cannot be searched, and why."""
TWO_STAGE_ONLY = ("frozen_epochs", "unfrozen_rate_factor")
"""Fields that do nothing for an architecture without an ImageNet encoder to freeze and unfreeze."""


def load_space(path: Path) -> Callable[[str], Space]:
    """Load ``space(architecture) -> {recipe field: Optuna distribution}`` from a Python file, which is run.

    Raises:
        SpaceError: No such file, it does not run, or it defines no such function.
    """
    specification = importlib.util.spec_from_file_location("tilesweep_user_space", path)
    if not path.is_file() or specification is None or specification.loader is None:
        raise SpaceError(f"--space {path}: is not a Python file; see docs/phase2.md for an example")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise SpaceError(f"--space {path}: does not run ({type(error).__name__}: {error}); mend it") from error
    function = getattr(module, "space", None)
    if not callable(function):
        raise SpaceError(f"--space {path}: defines no function space(architecture); see docs/phase2.md")

    def space(architecture: str) -> Space:
        try:
            found: Any = function(architecture)
        except (Exception, SystemExit) as error:
            raise SpaceError(
                f"--space {path}: space({architecture!r}) fails ({type(error).__name__}: {error}); mend it"
            ) from error
        if not isinstance(found, Mapping) or not found or not all(isinstance(name, str) for name in found):
            raise SpaceError(
                f"--space {path}: space({architecture!r}) returns no dict of name to distribution; see docs/phase2.md"
            )
        return dict(found)

    return space


def check_spaces(spaces: Mapping[str, Space], shared: Mapping[str, Recipe], origin: str) -> None:
    """Check the spaces of all architectures against what a recipe can hold.

    Args:
        spaces: Architecture to its space.
        shared: Architecture to its shared recipe.
        origin: Where the spaces come from, for the message.

    Raises:
        SpaceError: All faults at once.
    """
    faults = [
        f"{origin}: {fault} ({architecture})"
        for architecture, space in spaces.items()
        for name, values in space.items()
        for fault in _faults(architecture, name, values, shared[architecture])
    ]
    if faults:
        raise SpaceError(faults)


def include_shared(space: Space, shared: Recipe) -> Space:
    """Add the shared recipe's value to choices that lack it: it is every search's first trial.

    A range need not contain it; Optuna takes a first trial outside of it.
    """
    values = shared.to_dict()
    return {
        name: CategoricalDistribution((*found.choices, values[name]))
        if isinstance(found, CategoricalDistribution) and values[name] not in found.choices
        else found
        for name, found in space.items()
    }


def _faults(architecture: str, name: str, values: object, shared: Recipe) -> list[str]:
    known = [field for field in shared.to_dict() if field not in FIXED]
    if name in FIXED:
        return [f"{name} cannot be searched: {FIXED[name]}"]
    if name not in known:
        return [f"{name!r} is no recipe field; {nearest(name, known)}"]
    if name in TWO_STAGE_ONLY and not get_architecture(architecture).two_stages:
        return [f"{name} does nothing without a pretrained encoder that is trained; leave it out"]
    if not isinstance(values, BaseDistribution):
        return [f"{name} is {values!r}; give a distribution such as FloatDistribution(1e-4, 1e-2, log=True)"]
    found = []
    for value in _extremes(values):
        try:
            shared.replace(**{name: value})
        except RecipeError as error:
            found.append(str(error))
    return found


def _extremes(values: BaseDistribution) -> Sequence[Any]:
    if isinstance(values, CategoricalDistribution):
        return values.choices
    assert isinstance(values, FloatDistribution | IntDistribution)
    return (values.low, values.high)
