"""``precision = auto`` on a CPU: bf16 for the architectures that it was measured to make faster there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console

from sweep.cli.output import say
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.resources import Resources
from sweep.planning.speeds import KnownSpeeds, StepSpeed
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.probe_names import host_of, is_probe
from trainables.models.registry import described
from trainables.recipe import Recipe

LEAST_STEPS = 12
"""Optimizer steps of an architecture in a sweep for which measuring is worth it: it takes four to eight."""

SpeedProbe = Callable[[Sequence[TrialPlan], TuningData, int], Mapping[str, StepSpeed | str]]
"""Measures a step of each trial with so many threads; architecture to its speed, or to why there is none."""


@dataclass(frozen=True, kw_only=True)
class Precisions:
    """What ``auto`` came to when a sweep began, to be kept by every later run of it.

    Attributes:
        speeds: Architecture to what was measured.
    """

    speeds: Mapping[str, StepSpeed]

    def applied(self, plan: SweepPlan) -> SweepPlan:
        """Return a plan in which no recipe of these architectures leaves its precision open."""

        def trial(one: TrialPlan) -> TrialPlan:
            speed = self.speeds.get(_measured_as(one.recipe.architecture))
            if speed is None or one.recipe.precision != "auto":
                return one
            return replace(one, recipe=one.recipe.replace(precision=speed.faster))

        def study(one: StudyPlan) -> StudyPlan:
            return replace(one, template=trial(one.template), finals=tuple(map(trial, one.finals)))

        return replace(plan, trials=tuple(map(trial, plan.trials)), studies=tuple(map(study, plan.studies)))

    @property
    def lines(self) -> list[str]:
        """What was decided, for people."""
        if not self.speeds:
            return []
        said = ", ".join(f"{name} {one.faster} ({one.ratio:.2f})" for name, one in self.speeds.items())
        return [f"{said}; in brackets how many times faster a step is in bf16 than in fp32, here"]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; what was chosen is there for people."""
        return {name: {"chosen": one.faster, **asdict(one)} for name, one in self.speeds.items()}

    @classmethod
    def from_dict(cls, values: Any) -> Precisions:
        """Read what ``to_dict`` returned.

        Raises:
            ExperimentError: It is something else.
        """
        try:
            speeds = {
                str(name): StepSpeed(fp32=float(one["fp32"]), bf16=float(one["bf16"])) for name, one in values.items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ExperimentError(
                f"sweep.json: its precision is damaged ({type(error).__name__}: {error}); restore it"
            ) from error
        return cls(speeds=speeds)


def choose_precisions(
    plan: SweepPlan,
    data: TuningData,
    resources: Resources,
    console: Console,
    *,
    probe: SpeedProbe,
    known: KnownSpeeds,
) -> Precisions:
    """Decide for each architecture on this machine's CPU; what is not known yet is measured once.

    Args:
        plan: What is trained. Left alone: recipes that say their precision, searches of it, stand-ins, probes on
            encoders that are trained, and what takes too few steps to be worth it.
        data: The tiles.
        resources: What the trials get.
        console: Where to say that something is measured, and what came out.
        probe: Measures.
        known: What was measured on this machine before.

    Returns:
        The precisions; none for what was not measured, nor on a CPU without instructions for bf16.
    """
    trials = worth_measuring(plan)
    speeds = measured_speeds(trials, data, resources, console, probe=probe, known=known)
    found = Precisions(speeds={name: speeds[name] for name in trials if name in speeds and speeds[name].bf16})
    for line in found.lines:
        say(console, "precision", line)
    return found


def measured_speeds(
    trials: Mapping[str, TrialPlan],
    data: TuningData,
    resources: Resources,
    console: Console,
    *,
    probe: SpeedProbe,
    known: KnownSpeeds,
) -> dict[str, StepSpeed]:
    """Return what steps take on this machine's CPU; what is not known yet is measured and kept.

    Args:
        trials: Architecture to a trial of it.
        data: The tiles.
        resources: What the trials get.
        console: Where to say that something is measured, and what could not be.
        probe: Measures.
        known: What was measured on this machine before.

    Returns:
        Architecture to its speed; without those that could not be measured.
    """
    threads = resources.cpus_per_trial
    speeds = _measured_before(trials, known, threads)
    if missing := [one for name, one in trials.items() if name not in speeds]:
        names = ", ".join(one.recipe.architecture for one in missing)
        say(console, "measuring", f"training steps, once on this machine: {names}")
        for name, speed in probe(missing, data, threads).items():
            if isinstance(speed, str):
                say(console, "precision", f"{name}: fp32, as its steps could not be measured ({speed})")
                continue
            speeds[name] = speed
            known.keep(trials[name].recipe, threads, speed)
    return speeds


def foreseen(plan: SweepPlan, resources: Resources, known: KnownSpeeds | None) -> SweepPlan:
    """Return a plan in the precisions that it will have on this machine, as far as they were measured already."""
    if known is None:
        return plan
    return Precisions(speeds=_measured_before(worth_measuring(plan), known, resources.cpus_per_trial)).applied(plan)


def _measured_before(trials: Mapping[str, TrialPlan], known: KnownSpeeds, threads: int) -> dict[str, StepSpeed]:
    return {name: one for name, trial in trials.items() if (one := known.find(trial.recipe, threads))}


def worth_measuring(plan: SweepPlan) -> dict[str, TrialPlan]:
    """Return a trial of each architecture whose precision is open and worth a measurement, by its name.

    A probe on an encoder that no training changes is measured as the architecture that it is of: both read the same
    features, so that they need the same precision.
    """
    steps: dict[str, int] = {}
    first: dict[str, TrialPlan] = {}
    searched = {study.template.recipe.architecture for study in plan.studies if "precision" in study.space}
    counted = [(trial, 1) for trial in plan.trials] + [(study.template, study.trials) for study in plan.studies]
    for trial, trainings in counted:
        recipe = trial.recipe
        name = _measured_as(recipe.architecture)
        if recipe.precision == "auto" and recipe.model_size == "full" and name and name not in searched:
            taken = LEAST_STEPS if is_probe(recipe.architecture) else trainings * _steps(recipe)
            steps[name] = steps.get(name, 0) + taken * max(1, len(trial.folds))
            first.setdefault(name, replace(trial, recipe=recipe.replace(architecture=name)))
    return {name: trial for name, trial in first.items() if steps[name] >= LEAST_STEPS}


def _measured_as(name: str) -> str:
    """Return whose steps decide for an architecture; empty for a probe on an encoder that its host trains."""
    if not is_probe(name):
        return name
    host = host_of(name)
    return host if described(host).fixed_encoder else ""


def _steps(recipe: Recipe) -> int:
    return recipe.max_epochs * -(-recipe.draws_per_epoch // recipe.batch_size)
