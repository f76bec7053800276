"""``python -m sweep.phase1``: every architecture once, all under one shared recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from search_spaces.limits import MAX_REPEATS
from sweep.cli.console import Command
from sweep.cli.marks import RARE, Bounds, OnResume
from sweep.cli.options import ProbeOptions, RecipeOptions, SweepOptions
from sweep.cli.output import Output

if TYPE_CHECKING:
    from sweep.planning.plan import SweepPlan
    from sweep.session.session import Phase
    from trainables.data.folds import Fold
    from trainables.data.tiles import TuningData
    from trainables.models.weights import Weights


@dataclass(frozen=True, kw_only=True)
class Phase1Options(SweepOptions, RecipeOptions, ProbeOptions):
    """Compare architectures under one shared recipe, on as many GPUs as there are."""

    repeats: Annotated[int, arg(metavar="R"), Bounds(1, MAX_REPEATS), OnResume.FIXED] = 1
    """Trainings of each architecture, each with a seed of its own; intervals then cover the spread of seeds, too."""

    fill: Annotated[bool, RARE, OnResume.FIXED] = False
    """Train the longest architectures again, with other seeds, on GPUs that would be idle."""


def main(options: Phase1Options, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading Ray.
    from sweep.session.session import resume_sweep, run_sweep

    if options.resume is not None:
        return resume_sweep(options, options.resume, output)
    return run_sweep(design(options, output), options, output)


def design(options: Phase1Options, output: Output) -> Phase:
    """Return what the options make of the phase.

    Raises:
        TilesweepError: Options that make no sense.
    """
    from search_spaces.phase1 import grid, shortened
    from search_spaces.probes import probes_of
    from search_spaces.recipes import read_recipes
    from search_spaces.unlabelled import changes_of, with_unlabelled
    from sweep.planning.plan import SweepPlan
    from sweep.records.trials import TrialPlan
    from sweep.session.resolve import profile_of
    from sweep.session.session import Phase
    from trainables.models.registry import get_architecture
    from trainables.recipe import Recipe

    profile = profile_of(options)
    changes = read_recipes(options.recipes) if options.recipes else {}
    asked = options.architectures or tuple(changes) or profile.architectures
    names = with_unlabelled(asked, given=options.unlabelled is not None, changes=changes)
    names += probes_of(names) if profile.probes and not options.no_probes else ()
    recipes = [
        recipe.replace(**changes_of(recipe.architecture, changes))
        for recipe in grid(profile, names, seed=options.seed, repeats=options.repeats)
    ]

    def attempt_of(number: int, recipe: Recipe) -> str:
        repeat = number // len(names) + 1
        slug = get_architecture(recipe.architecture).slug
        return f"{slug}-{repeat}" if options.repeats > 1 else slug

    attempts = {attempt_of(number, recipe): recipe for number, recipe in enumerate(recipes)}

    def build(data: TuningData, weights: Mapping[str, Weights], folds: tuple[Fold, ...]) -> SweepPlan:
        planned = list(attempts.values())
        if options.weights is None:
            planned = shortened(planned, weights, profile)
        return SweepPlan(
            trials=tuple(
                TrialPlan(
                    attempt=name,
                    contest=name,
                    contender=get_architecture(recipe.architecture).slug,
                    recipe=recipe,
                    weights=weights[recipe.architecture],
                    folds=folds,
                )
                for name, recipe in zip(attempts, planned, strict=True)
            )
        )

    return Phase(name="phase1", profile=profile, architectures=names, build=build, fill=options.fill)


COMMAND = Command(
    name="phase1",
    options=Phase1Options,
    main=main,
    examples={
        "--profile demo": "minutes on a laptop",
        "--patches my_tiles/": "your own tiles, on every GPU",
        "--plan": "what it would do, and how long",
        "--max-concurrent 1 --storage /content/drive/MyDrive": "on Colab",
        "--address auto --storage s3://bucket/runs": "on a running Ray cluster",
    },
)
