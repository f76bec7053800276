"""What a study will do and how long it will take, as far as that is known: the phases as their commands plan them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from search_spaces.probes import without_probes
from sweep.cli.durations import duration
from sweep.cli.output import Events, Output
from sweep.cli.tables import Column, Sheet
from sweep.cli.terminal import Terminal
from sweep.phase1.command import Phase1Options
from sweep.phase1.command import design as design_phase1
from sweep.phase2.command import Phase2Options
from sweep.phase2.command import design as design_phase2
from sweep.phase3.command import Phase3Options
from sweep.phase3.command import design as design_phase3
from sweep.planning.estimate import Estimator
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.resources import Resources
from sweep.planning.run import Run
from sweep.ray_tune.allocation import as_it_will_be, cluster_for, estimator_for, here
from sweep.ray_tune.cluster import joins
from sweep.records.experiment import Experiment
from sweep.records.store import gather
from sweep.records.studies import StudyFolder, phases_until
from sweep.session.resolve import profile_of, request_of
from sweep.session.session import plan_sweep
from sweep.study.division import Costs, Sizes
from sweep.study.finalists import assumed
from sweep.study.options import StudyOptions, for_phase, of_these
from trainables.recipe import Recipe
from trainables.wording import counted

STEP_SECONDS = 10.0
"""Of the doctor, of the report, and of what a scoring job reads and writes beside its predictions."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the plan.

    Attributes:
        name: ``phase1``, ``score``.
        what: What it does.
        trials: How many trainings, or readings of test; None for neither.
        seconds: How long it takes, estimated.
    """

    name: str
    what: str
    trials: int | None
    seconds: float


@dataclass(frozen=True)
class StudyOutline:
    """A study's phases as they are planned.

    Attributes:
        options: The study's.
        usual: The profile's sizes.
        first: Phase 1.
        second: Phase 2 at the usual sizes.
        third: Phase 3 likewise.
        divided: Number of trials to what each gets of the machine or the cluster.
        factors: Architecture to measured time over estimated time.
    """

    options: StudyOptions
    usual: Sizes
    first: Run
    second: Run
    third: Run
    divided: Callable[[int], Resources]
    factors: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, options: StudyOptions, console: Console, *, searched: Sequence[str] = (), curved: Sequence[str] = ()
    ) -> StudyOutline:
        """Plan all phases; nothing is started or fetched.

        Args:
            options: The study's.
            console: Where a cluster that is joined says so.
            searched: Who goes to Phase 2, where that is known.
            curved: Who goes to Phase 3, likewise.

        Raises:
            TilesweepError: What a phase refuses.
        """
        profile = profile_of(options)
        silent = Terminal(quiet=True)
        unsaid = Output(silent, silent, Events(None))
        given: dict[str, Any] = {**for_phase(options), "plan": True}
        one = Phase1Options(**given, repeats=options.repeats, no_probes=options.no_probes)
        first = plan_sweep(design_phase1(one, unsaid), one)
        compared = without_probes(trial.recipe.architecture for trial in first.plan.trials)
        searched = searched or assumed(profile, list(dict.fromkeys(compared)))
        two = Phase2Options(**{**given, **of_these(options, searched)}, warm_from=options.warm_from)
        curves = {**of_these(options, curved or searched[:1]), "no_probes": options.no_probes}
        three = Phase3Options(**{**given, **curves})
        return cls(
            options=options,
            usual=Sizes(trials=profile.trials_each, draws=profile.draws),
            first=first,
            second=plan_sweep(design_phase2(two, unsaid), two),
            third=plan_sweep(design_phase3(three, unsaid), three),
            divided=_divided(options, first.plan, console),
        )

    def calibrated(self, experiment: Experiment) -> StudyOutline:
        """Return the outline with the times that an experiment's trials took."""
        known = self._estimator.calibrated(gather(experiment).trials, self.divided(self.first.plan.total))
        return replace(self, factors=dict(known.factors))

    @property
    def _estimator(self) -> Estimator:
        resources = self.divided(self.first.plan.total)
        return replace(estimator_for(request_of(self.options), self.first.data, resources), factors=self.factors)

    def search(self, trials: int) -> SweepPlan:
        """Return Phase 2 with so many trials of each architecture, or as many as its space holds."""
        plan = self.second.plan

        def sized(study: StudyPlan) -> StudyPlan:
            bounded = study.trials < self.usual.trials  # by its space
            return replace(study, trials=min(trials, study.trials) if bounded else trials)

        return self._here(replace(plan, studies=tuple(map(sized, plan.studies))))

    def curve(self, draws: int) -> SweepPlan:
        """Return Phase 3 with so many draws, which are no more than usual."""
        plan = self.third.plan
        return self._here(replace(plan, trials=tuple(one for one in plan.trials if one.draw <= draws)))

    def seconds(self, plan: SweepPlan) -> float:
        """Estimate a phase, its start included."""
        return self._estimator.sweep(plan, self.divided(plan.total))

    def _here(self, plan: SweepPlan) -> SweepPlan:
        return as_it_will_be(request_of(self.options), plan, self.divided(plan.total))

    def scoring(self, recipes: Sequence[Recipe]) -> float:
        """Estimate a scoring job: as many test tiles as val tiles, which are not looked at."""
        all_cores = self.divided(1)
        cores = all_cores.cpus_per_trial if all_cores.device == "cpu" else 1
        return STEP_SECONDS + self._estimator.scoring(recipes) / cores

    def steps(self, sizes: Sizes, phases: Sequence[str]) -> list[Step]:
        """List what is to be done, with estimated times.

        Args:
            sizes: Of Phases 2 and 3.
            phases: Those that are not done.
        """
        found = []
        for phase in phases:
            plan = self.plan(phase, sizes)
            won = [study.template.recipe for study in plan.studies] or [trial.recipe for trial in plan.trials]
            found.append(
                Step(name=phase, what=self._what(phase, plan, sizes), trials=plan.total, seconds=self.seconds(plan))
            )
            read = "read test once per winner" if phase == "phase2" else "read test once per training"
            found.append(Step(name="score", what=read, trials=len(won), seconds=self.scoring(won)))
        return [*found, Step(name="report", what="one page with the answers", trials=None, seconds=STEP_SECONDS)]

    def plan(self, phase: str, sizes: Sizes) -> SweepPlan:
        """Return a phase's plan."""
        plans = {"phase1": lambda: self._here(self.first.plan), "phase2": lambda: self.search(sizes.trials)}
        return plans.get(phase, lambda: self.curve(sizes.draws))()

    def _what(self, phase: str, plan: SweepPlan, sizes: Sizes) -> str:
        architectures = counted(len(plan.architectures), "architecture")
        budgets = counted(len({trial.train_tiles(len(self.third.data.train)) for trial in plan.trials}), "number")
        return {
            "phase1": f"which of {architectures}, under one shared recipe",
            "phase2": f"its own recipe: the best, at most {architectures}, {counted(sizes.trials, 'trial')} each",
            "phase3": f"more labels: the winner on {budgets} of tiles, {counted(sizes.draws, 'draw')} each",
        }[phase]

    def costs(self, phases: Sequence[str]) -> Costs:
        """Return what the phases cost that are not done, by the sizes that are still to be chosen."""
        steps = self.steps(self.usual, phases)
        sized = {"phase2", "phase3"}
        return Costs(
            fixed=sum(step.seconds for step in steps if step.name not in sized),
            search=lambda trials: self.seconds(self.search(trials)) if "phase2" in phases else 0.0,
            curve=lambda draws: self.seconds(self.curve(draws)) if "phase3" in phases else 0.0,
        )


def _divided(options: StudyOptions, plan: SweepPlan, console: Console) -> Callable[[int], Resources]:
    """Return what each of so many trials would get; a running cluster is asked once."""
    request = request_of(options)
    if not joins(request.address):
        return lambda trials: here(request, trials)
    with cluster_for(request, plan, console) as found:
        cpus, gpus = found.total_cpus, found.total_gpus
    return lambda trials: request.divide(trials=trials, total_cpus=cpus, total_gpus=gpus)


COLUMNS = (
    Column(heading="step", value=lambda step: step.name),
    Column(heading="what", value=lambda step: step.what, least=30, priority=2),
    Column(heading="trials", value=lambda step: step.trials, right=True, priority=3),
    Column(heading="estimate", value=lambda step: duration(step.seconds), right=True),
)


def sheet(steps: Sequence[Step]) -> Sheet:
    """Draw the plan."""
    return Sheet("", COLUMNS, steps)


def left(study: StudyFolder, until: str) -> list[str]:
    """Return the phases that have not ended, up to one of them."""
    return [one for one in phases_until(until) if not study.experiment(one).has_ended]
