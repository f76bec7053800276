"""``python -m sweep.phase1``: every architecture once, all under one shared recipe."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.console import run_command
from sweep.engine.options import SweepOptions


@dataclass(frozen=True, kw_only=True)
class Phase1Options(SweepOptions):
    """Compare architectures under one shared recipe, on as many GPUs as there are."""

    repeats: int = 1
    """Trainings of each architecture, each with a seed of its own."""


def main(options: Phase1Options) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading Ray.
    from search_spaces.phase1 import grid
    from search_spaces.profiles import get_profile
    from sweep.engine.session import run_sweep
    from trainables.errors import RecipeError
    from trainables.recipe import Recipe

    if options.repeats < 1:
        raise RecipeError(f"--repeats {options.repeats}: must be at least 1")

    def attempt_of(recipe: Recipe) -> str:
        repeat = recipe.seed - options.seed
        return f"{recipe.architecture}-{repeat + 1}" if options.repeats > 1 else recipe.architecture

    profile = get_profile(options.profile)
    recipes = grid(profile, options.architectures, seed=options.seed, repeats=options.repeats)
    return run_sweep("phase1", options, profile, {attempt_of(recipe): recipe for recipe in recipes})


if __name__ == "__main__":
    run_command(main, Phase1Options, prog="python -m sweep.phase1")
