"""Phase 1's grid: every architecture once, all under one shared recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search_spaces.limits import require_few
from search_spaces.profiles import Profile
from trainables.errors import RecipeError
from trainables.models.registry import get_architecture
from trainables.models.weights import Weights
from trainables.recipe import Recipe

TRACKS: dict[str, dict[str, float | int]] = {
    "cnn": {"learning_rate": 1e-3, "batch_size": 4},
    "sam": {"learning_rate": 1e-4, "batch_size": 2},
    "vit": {"learning_rate": 1e-3, "batch_size": 4},
    "transformer": {"learning_rate": 1e-4, "batch_size": 4},
}
"""The shared recipe's exception: what differs between CNNs, trained transformers, and foundation models' decoders."""


def shared_recipe(architecture: str, profile: Profile, *, seed: int = 42) -> Recipe:
    """Return the recipe that all architectures share.

    Args:
        architecture: A name in the registry.
        profile: How big the run is.
        seed: At least 0.

    Raises:
        RecipeError: Unknown architecture, or one whose packages are not installed.
    """
    entry = get_architecture(architecture)
    entry.require()
    changes: dict[str, str | int | float] = {**TRACKS[entry.pace], **profile.changes, **entry.changes}
    if {"frozen_epochs"} <= entry.changes.keys() & profile.changes.keys():  # a short run has no long stage
        changes["frozen_epochs"] = min(entry.changes["frozen_epochs"], int(profile.changes["frozen_epochs"]))
    return Recipe.from_dict({"architecture": entry.name, **changes, "seed": seed})


def require_distinct(architectures: Sequence[str]) -> None:
    """Refuse an architecture that is named twice, and two whose folders would have one name.

    Raises:
        RecipeError: As said.
    """
    for name in architectures:
        if list(architectures).count(name) > 1:
            raise RecipeError(f"--architectures {name}: is named more than once")
    slugs: dict[str, str] = {}
    for name in architectures:
        slug = get_architecture(name).slug
        if slug in slugs:
            raise RecipeError(f"--architectures {name}: would share the folder {slug} with {slugs[slug]}; rename one")
        slugs[slug] = name


def grid(profile: Profile, architectures: Sequence[str] = (), *, seed: int = 42, repeats: int = 1) -> list[Recipe]:
    """List Phase 1's trials.

    Args:
        profile: How big the run is; also names the architectures when none are given.
        architectures: Names in the registry.
        seed: Seed of the first repeat; each further repeat adds one.
        repeats: Trainings of each architecture that differ in the seed alone, at least 1.

    Returns:
        One recipe a trial: all architectures of the first repeat, then of the next.

    Raises:
        RecipeError: An unknown architecture, or one named twice.
    """
    names = architectures or profile.architectures
    require_distinct(names)
    require_few(len(names) * repeats, f"{len(names)} architectures x {repeats:,} repeats")
    return [shared_recipe(name, profile, seed=seed + repeat) for repeat in range(repeats) for name in names]


def shortened(recipes: Sequence[Recipe], weights: Mapping[str, Weights], profile: Profile) -> list[Recipe]:
    """Give what has random weights for lack of real ones the few epochs of the profile, if others have real ones.

    Args:
        recipes: Those that ask for other epochs than the profile's keep theirs.
        weights: Architecture to what its encoder starts from.
        profile: Has ``random_epochs``.
    """
    few, usual = profile.random_epochs, profile.changes.get("max_epochs")
    if few is None or not any(one.path for one in weights.values()):
        return list(recipes)
    return [
        recipe.replace(max_epochs=few)
        if weights[recipe.architecture].kind == "random" and recipe.max_epochs == usual
        else recipe
        for recipe in recipes
    ]
