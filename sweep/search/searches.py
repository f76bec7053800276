"""Makes searches from what the user asked for, and refuses what is impossible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from search_spaces import phase2
from search_spaces.custom import check_spaces, include_shared, load_space
from search_spaces.phase1 import require_distinct, shared_recipe
from search_spaces.phase2 import Space
from search_spaces.profiles import Profile
from sweep.search.recipes_tried import holds
from trainables.errors import ExperimentError, RecipeError
from trainables.models.probe_names import is_probe
from trainables.recipe import Recipe
from trainables.wording import counted


def shared_recipes(names: Sequence[str], profile: Profile, *, seed: int, max_epochs: int | None) -> dict[str, Recipe]:
    """Return each architecture's shared recipe at the search's number of epochs, by the registry's names.

    Raises:
        RecipeError: An unknown architecture, one named twice, or a maximum of epochs below 1.
    """
    require_distinct(names)
    if max_epochs is not None and max_epochs < 1:
        raise RecipeError(f"--max-epochs {max_epochs}: must be at least 1")
    epochs = max_epochs or profile.search_epochs
    recipes = [shared_recipe(name, profile, seed=seed) for name in names]
    return {
        one.architecture: one if is_probe(one.architecture) else one.replace(max_epochs=epochs or one.max_epochs)
        for one in recipes
    }


def make_spaces(recipes: Mapping[str, Recipe], file: Path | None, *, extra: bool = False) -> dict[str, Space]:
    """Return each architecture's space: the user's own, or Phase 2's, maybe with its extra knobs.

    Raises:
        SpaceError: All faults at once.
        ExperimentError: Extra knobs, and a space of the user's own.
    """
    if file and extra:
        raise ExperimentError(
            f"--extra-knobs: adds to tilesweep's own space; leave it out, and add {', '.join(phase2.EXTRA_KNOBS)} "
            f"in {file}"
        )
    origin = f"--space {file}" if file else "search_spaces/phase2.py"
    space = load_space(file) if file else partial(phase2.space, extra=extra)
    spaces = {name: space(name) for name in recipes}
    check_spaces(spaces, recipes, origin)
    return {name: include_shared(found, recipes[name]) for name, found in spaces.items()}


def trials_each(names: Sequence[str], profile: Profile, trials: int | None) -> int:
    """Return every architecture's number of trials.

    Raises:
        ExperimentError: The trials cannot be shared equally.
    """
    if trials is None:
        return profile.trials_each
    number, rest = divmod(trials, len(names))
    if number < 1:
        raise ExperimentError(
            f"--trials {trials}: is fewer than the {len(names)} architectures; each needs at least one"
        )
    if rest:
        raise ExperimentError(
            f"--trials {trials}: cannot be shared equally by {len(names)} architectures; ask for "
            f"{number * len(names)} or {(number + 1) * len(names)}"
        )
    return number


def limited_trials(number: int, spaces: Mapping[str, Space], recipes: Mapping[str, Recipe]) -> dict[str, int]:
    """Return each architecture's number of trials, which is no larger than the number of recipes in its space."""
    return {name: min(number, holds(space, recipes[name].to_dict()) or number) for name, space in spaces.items()}


def say_limits(number: int, trials: Mapping[str, int], console: Console) -> None:
    """Say which architectures get fewer trials than were asked for, and why."""
    for name, found in trials.items():
        if found < number:
            console.print(
                f"{name}: its space holds {counted(found, 'recipe')}, so {counted(found, 'trial')} instead of "
                f"{number}; a second training of the same recipe would only repeat the first",
            )
