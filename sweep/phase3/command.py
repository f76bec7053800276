"""``python -m sweep.phase3``: how IoU falls with fewer labelled tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from search_spaces.limits import MAX_REPEATS, MAX_TRIALS, require_few
from search_spaces.phase3 import TILE_BUDGETS, Condition, conditions, fitting_budgets
from sweep.cli.console import Command
from sweep.cli.marks import REFUSED, Bounds, OnResume, typed
from sweep.cli.options import Numbers, ProbeOptions, RecipeOptions
from sweep.cli.output import Output
from sweep.session.search_options import SearchOptions

if TYPE_CHECKING:
    from sweep.planning.plan import SweepPlan
    from sweep.session.session import Phase
    from trainables.data.folds import Fold
    from trainables.data.tiles import TuningData
    from trainables.models.weights import Weights


MAX_TILES = 1_000_000
"""A tile budget; a dataset never has as many train tiles."""


@dataclass(frozen=True, kw_only=True)
class Phase3Options(RecipeOptions, ProbeOptions, SearchOptions):
    """Train each architecture's best known recipe on fewer and fewer tiles; val and test never shrink."""

    trials: Annotated[int | None, arg(metavar="N"), REFUSED, Bounds(1, MAX_TRIALS), OnResume.FIXED] = None
    """Phase 2's; --tune gives the trials at each budget."""

    tiles: Annotated[Numbers, Bounds(0, MAX_TILES), OnResume.FIXED] = TILE_BUDGETS
    """Nested tile budgets; shares of them for fewer tiles."""

    draws: Annotated[int | None, arg(metavar="N"), Bounds(1, MAX_REPEATS), OnResume.FIXED] = None
    """Draws of each budget, each with a seed of its own; default: the profile's."""

    tune: Annotated[int, arg(metavar="N"), Bounds(0, MAX_TRIALS), OnResume.FIXED] = 0
    """Search the recipe again at each budget, N trials per search."""


def main(options: Phase3Options, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading Ray.
    from sweep.session.session import resume_sweep, run_sweep

    if options.resume is not None:
        return resume_sweep(options, options.resume, output)
    return run_sweep(design(options, output), options, output)


def design(options: Phase3Options, output: Output) -> Phase:
    """Return what the options make of the phase.

    Raises:
        TilesweepError: Options that make no sense.
    """
    from search_spaces.probes import probes_of, without_probes
    from search_spaces.recipes import read_recipes
    from search_spaces.unlabelled import changes_of, with_unlabelled
    from sweep.planning.plan import StudyPlan, SweepPlan
    from sweep.planning.policy import NoHalving
    from sweep.records.trials import TrialPlan
    from sweep.search.searches import limited_trials, make_spaces, say_limits, shared_recipes
    from sweep.session.resolve import policy_of, profile_of, warm_from_of
    from sweep.session.session import Phase
    from trainables.data.budgets import draw_tiles
    from trainables.data.folds import draw_folds
    from trainables.errors import ExperimentError

    if options.trials is not None:
        raise ExperimentError("--trials: belongs to Phase 2; --tune N gives the trials at each budget")
    profile = profile_of(options)
    changes = read_recipes(options.recipes) if options.recipes else {}
    asked = options.architectures or tuple(changes) or profile.search
    asked = with_unlabelled(asked, given=options.unlabelled is not None, changes=changes)
    asked += probes_of(asked) if profile.probes and not options.no_probes else ()
    shared = shared_recipes(asked, profile, seed=options.seed, max_epochs=options.max_epochs)
    recipes = {name: recipe.replace(**changes_of(name, changes)) for name, recipe in shared.items()}
    names = tuple(recipes)
    searched = without_probes(names)
    spaces = make_spaces({name: recipes[name] for name in searched}, options.space, extra=options.extra_knobs)
    trials = limited_trials(options.tune, spaces, recipes)
    say_limits(options.tune, trials, output.console)
    policy = policy_of(options, profile) if options.tune else NoHalving()
    draws = profile.draws if options.draws is None else options.draws
    if options.tune:
        count = len(searched) * len(options.tiles) * (options.tune + draws - 1)
        require_few(count, f"--tune {options.tune:,} for {len(searched)} architectures x {len(options.tiles)} budgets")
    conditions(names, options.tiles, draws)  # refuses too many before the data is read

    def build(data: TuningData, weights: Mapping[str, Weights], folds: tuple[Fold, ...]) -> SweepPlan:
        available = min((fold.train_tiles(len(data.train)) for fold in folds), default=len(data.train))
        budgets = options.tiles if "tiles" in typed(options) else fitting_budgets(available)
        grid = conditions(names, budgets, draws)
        if folds:
            folded = draw_folds(data, folds, budgets, draws, options.seed)
        else:
            drawn = draw_tiles(data.train, budgets, draws, options.seed, data.task)

        def trial(condition: Condition, attempt: str, study: str = "") -> TrialPlan:
            recipe = recipes[condition.architecture]
            return TrialPlan(
                attempt=attempt,
                role="final" if study else "planned",
                study=study,
                contest=condition.attempt,
                contender=condition.contender,
                recipe=recipe.replace(seed=recipe.seed + condition.draw - 1),
                weights=weights[condition.architecture],
                tiles=() if folds else drawn[condition.draw - 1][condition.tiles],
                folds=folded[condition.draw - 1][condition.tiles] if folds else (),
                draw=condition.draw,
            )

        if not options.tune:
            return SweepPlan(trials=tuple(trial(one, one.attempt) for one in grid))
        studies = []
        for first in (one for one in grid if one.draw == 1 and one.architecture in searched):
            name = first.contender
            finals = [one for one in grid if one.draw > 1 and replace(one, draw=1) == first]
            studies.append(
                StudyPlan(
                    template=trial(first, name),
                    space=spaces[first.architecture],
                    trials=trials[first.architecture],
                    finals=tuple(trial(one, one.attempt, name) for one in finals),
                )
            )
        fitted = tuple(trial(one, one.attempt) for one in grid if one.architecture not in searched)
        return SweepPlan(
            trials=fitted,
            studies=tuple(studies),
            policy=policy,
            sampler=options.sampler,
            warm_from=warm_from_of(options),
        )

    return Phase(name="phase3", profile=profile, architectures=names, build=build)


COMMAND = Command(
    name="phase3",
    options=Phase3Options,
    main=main,
    examples={
        "--profile demo": "minutes on a laptop",
        "--recipes best_recipes.toml": "with the recipes that Phase 2 found",
    },
)
