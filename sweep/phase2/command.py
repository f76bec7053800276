"""``python -m sweep.phase2``: each architecture's best recipe, found with the same number of trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from search_spaces.limits import MAX_REPEATS, require_few
from sweep.cli.console import Command
from sweep.cli.marks import Bounds, OnResume
from sweep.cli.output import Output
from sweep.session.search_options import SearchOptions

if TYPE_CHECKING:
    from sweep.planning.plan import SweepPlan
    from sweep.session.session import Phase
    from trainables.data.folds import Fold
    from trainables.data.tiles import TuningData
    from trainables.models.weights import Weights


@dataclass(frozen=True, kw_only=True)
class Phase2Options(SearchOptions):
    """Search each architecture's recipe with Optuna: own study, own rungs, the same number of trials."""

    confirm: Annotated[int, arg(metavar="K"), Bounds(0, MAX_REPEATS), OnResume.FIXED] = 0
    """Train each architecture's K best recipes again, without ASHA; that decides."""

    repeats: Annotated[int, arg(metavar="R"), Bounds(1, MAX_REPEATS), OnResume.FIXED] = 3
    """Trainings of each confirmed recipe, with seeds that the search has not used."""


def main(options: Phase2Options, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading Ray.
    from sweep.session.session import resume_sweep, run_sweep

    if options.resume is not None:
        return resume_sweep(options, options.resume, output)
    return run_sweep(design(options, output), options, output)


def design(options: Phase2Options, output: Output) -> Phase:
    """Return what the options make of the phase.

    Raises:
        TilesweepError: Options that make no sense.
    """
    from search_spaces.probes import refuse_probes
    from search_spaces.unlabelled import with_unlabelled
    from sweep.planning.plan import StudyPlan, SweepPlan
    from sweep.records.trials import TrialPlan
    from sweep.search.recipes_tried import require_trials
    from sweep.search.searches import limited_trials, make_spaces, say_limits, shared_recipes, trials_each
    from sweep.session.resolve import policy_of, profile_of, warm_from_of
    from sweep.session.session import Phase
    from trainables.models.registry import get_architecture

    profile = profile_of(options)
    refuse_probes(options.architectures)
    asked = with_unlabelled(options.architectures or profile.search, given=options.unlabelled is not None)
    recipes = shared_recipes(asked, profile, seed=options.seed, max_epochs=options.max_epochs)
    names = tuple(recipes)
    slugs = {name: get_architecture(name).slug for name in names}
    spaces = make_spaces(recipes, options.space, extra=options.extra_knobs)
    number = trials_each(names, profile, options.trials)
    require_few(
        len(names) * (number + options.confirm * options.repeats),
        f"{len(names)} architectures x ({number:,} trials + {options.confirm:,} x {options.repeats:,} confirmations)",
    )
    trials = limited_trials(number, spaces, recipes)
    require_trials(options.confirm, trials, "--confirm")
    say_limits(number, trials, output.console)
    policy = policy_of(options, profile)

    def build(data: TuningData, weights: Mapping[str, Weights], folds: tuple[Fold, ...]) -> SweepPlan:
        studies = tuple(
            StudyPlan(
                template=TrialPlan(
                    attempt=slugs[name],
                    contest=slugs[name],
                    recipe=recipes[name],
                    weights=weights[name],
                    folds=folds,
                ),
                space=spaces[name],
                trials=trials[name],
                confirm=options.confirm,
                repeats=options.repeats if options.confirm else 1,
            )
            for name in names
        )
        return SweepPlan(studies=studies, policy=policy, sampler=options.sampler, warm_from=warm_from_of(options))

    return Phase(name="phase2", profile=profile, architectures=names, build=build)


COMMAND = Command(
    name="phase2",
    options=Phase2Options,
    main=main,
    examples={
        "--profile demo": "minutes on a laptop",
        "--trials 90 --time 8h": "stops after a night; the same again resumes it",
        "--architectures unet --trials 30 --confirm 3": "the three best are trained again",
    },
)
