"""A whole sweep before it runs: planned trials, and studies that plan their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
    json_to_distribution,
)

from search_spaces.limits import require_few
from sweep.planning.policies import read_policy
from sweep.planning.policy import NoHalving, Policy
from sweep.planning.starts import Evidence, Start
from sweep.records.experiment import DESCRIPTION_FILE, Experiment
from sweep.records.trials import TrialPlan, refit_attempt
from trainables.errors import ExperimentError
from trainables.models.registry import on_one_encoder


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """A search over one architecture's recipes.

    Attributes:
        template: Names the study and its trials (``attempt``), and holds the shared recipe: the first trial.
        space: Recipe field to what is searched.
        trials: How many recipes are tried, at least 1.
        finals: Trials trained with the best recipe found, once the search has ended: other draws of the tiles.
        confirm: How many of the best recipes are trained again without halving, once the search has ended; the choice
            is then made on those trainings.
        repeats: Trainings of each of these recipes, with seeds that the search has not used.
        starts: Recipes that it tries right after the shared one, fewer than ``trials``.
        evidence: What is known of the architecture before the search; None where nothing is.
    """

    template: TrialPlan
    space: Mapping[str, BaseDistribution]
    trials: int
    finals: tuple[TrialPlan, ...] = ()
    confirm: int = 0
    repeats: int = 1
    starts: tuple[Start, ...] = ()
    evidence: Evidence | None = None

    @property
    def afterwards(self) -> list[TrialPlan]:
        """Trials once the search has ended, with the shared recipe in place of those that will have been found."""
        template = self.template
        return [*self.finals, *(one for _ in range(self.confirm) for one in self.confirmations(template))]

    def confirmations(self, found: TrialPlan) -> list[TrialPlan]:
        """Return the trials that train a recipe again, each with a seed of its own.

        Args:
            found: The search's trial with that recipe.
        """
        return [
            replace(
                found,
                attempt=f"{found.attempt}-seed{seed}",
                role="confirm",
                study=self.name,
                candidate=found.attempt,
                recipe=found.recipe.replace(seed=seed),
            )
            for seed in range(found.recipe.seed + 1, found.recipe.seed + 1 + self.repeats)
        ]

    @property
    def name(self) -> str:
        """The study's name."""
        return self.template.attempt

    def trial(self, number: int, values: Mapping[str, Any]) -> TrialPlan:
        """Return the trial of a number and the searched fields' values."""
        template = self.template
        return replace(
            template,
            attempt=f"{template.attempt}-{number:03d}",
            recipe=template.recipe.replace(**dict(values)),
            role="search" if number else "baseline",
            study=self.name,
        )

    def shared_values(self) -> dict[str, Any]:
        """Return the shared recipe's values of the searched fields."""
        recipe = self.template.recipe.to_dict()
        return {name: recipe[name] for name in self.space}

    def given(self, number: int) -> tuple[dict[str, Any], str] | None:
        """Return the values of a trial that nobody proposes, and where they come from; None for all others."""
        if not number:
            return self.shared_values(), ""
        if number <= len(self.starts):
            return dict(self.starts[number - 1].values), self.starts[number - 1].origin
        return None


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """All that a sweep will train.

    Attributes:
        trials: Planned ones, in the order in which they start.
        studies: Searches; where some have had equally many trials, the first of them has its next one first.
        policy: Which of the searches' trials get their next epochs.
        sampler: What proposes the searches' recipes, by its name in ``sweep.search.samplers``.
        refit: Whether each contender of folds is at last trained on all tiles.
        warm_from: The experiment that the searches' order and first recipes come from; empty for none.
    """

    trials: tuple[TrialPlan, ...] = ()
    studies: tuple[StudyPlan, ...] = ()
    policy: Policy = field(default_factory=NoHalving)
    sampler: str = "tpe"
    refit: bool = False
    warm_from: str = ""

    @property
    def refits(self) -> list[TrialPlan]:
        """Trainings on all tiles, one for each contender that sees the most, as they are known before the folds are.

        They will have the recipe, and maybe the name, of the contender's best trial.
        """
        known = self.known() if self.refit else []
        tiles = {trial.attempt: trial.train_tiles(sum(len(fold.val) for fold in trial.folds)) for trial in known}
        best = {
            trial.contender or trial.contest: trial
            for trial in reversed(known)
            if tiles[trial.attempt] == max(tiles.values())
        }
        return [
            replace(trial, attempt=refit_attempt(trial.attempt), role="refit", folds=(), tiles=())
            for trial in reversed(best.values())
        ]

    @property
    def total(self) -> int:
        """Number of trials, the searches' included."""
        afterwards = sum(len(study.finals) + study.confirm * study.repeats for study in self.studies)
        return len(self.trials) + sum(study.trials for study in self.studies) + afterwards + len(self.refits)

    def known(self) -> list[TrialPlan]:
        """Return the planned trials, and each search's template."""
        return [*self.trials, *(study.template for study in self.studies)]

    def on_encoder_of(self, trial: TrialPlan) -> list[str]:
        """Return the architectures whose trials read the same fixed encoder as a trial; none where it is alone."""
        return on_one_encoder(trial.recipe.architecture, (one.recipe.architecture for one in self.known()))

    @property
    def folds(self) -> int:
        """How many folds each training has; 0 for no cross-validation."""
        return max((len(trial.folds) for trial in self.known()), default=0)

    @property
    def architectures(self) -> list[str]:
        """What is trained, each architecture once, in alphabetical order."""
        return sorted({trial.recipe.architecture for trial in self.known()})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "trials": [trial.to_dict() for trial in self.trials],
            "studies": [
                {
                    "template": study.template.to_dict(),
                    "space": {name: json.loads(distribution_to_json(values)) for name, values in study.space.items()},
                    "trials": study.trials,
                    "finals": [trial.to_dict() for trial in study.finals],
                    "confirm": study.confirm,
                    "repeats": study.repeats,
                    "starts": [{**asdict(one), "changed": list(one.changed)} for one in study.starts],
                    "evidence": study.evidence and asdict(study.evidence),
                }
                for study in self.studies
            ],
            "halving": self.policy.to_dict() if self.policy.ends_early else None,
            "sampler": self.sampler,
            "refits": len(self.refits),
            "warm_from": self.warm_from,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SweepPlan:
        """Read what ``to_dict`` returned."""
        return cls(
            trials=tuple(TrialPlan.from_dict(trial) for trial in values["trials"]),
            studies=tuple(map(_read_study, values["studies"])),
            policy=read_policy(values["halving"]),
            sampler=values.get("sampler", "tpe"),
            refit=bool(values.get("refits")),
            warm_from=values.get("warm_from", ""),
        )


def _read_study(values: dict[str, Any]) -> StudyPlan:
    space = {name: json_to_distribution(json.dumps(one)) for name, one in values["space"].items()}
    evidence = values.get("evidence")
    return StudyPlan(
        template=TrialPlan.from_dict(values["template"]),
        space=space,
        trials=values["trials"],
        finals=tuple(TrialPlan.from_dict(trial) for trial in values["finals"]),
        confirm=values.get("confirm", 0),
        repeats=values.get("repeats", 1),
        starts=tuple(Start.from_dict(one, space) for one in values.get("starts", ())),
        evidence=evidence and Evidence(**evidence),
    )


def read_plan(experiment: Experiment) -> SweepPlan:
    """Read the plan in an experiment's description.

    Raises:
        ExperimentError: It is damaged.
    """
    values = experiment.description["plan"]
    try:
        plan = SweepPlan.from_dict(values)
        require_few(plan.total, "plan")
    except Exception as error:  # Optuna's reader of distributions raises what it meets
        raise ExperimentError(
            f"{experiment.path(DESCRIPTION_FILE)}: its plan is damaged ({type(error).__name__}: {error}); restore it"
        ) from error
    return plan


def describe_values(values: BaseDistribution) -> str:
    """Write a distribution for people: ``0.0001 to 0.01 (log)``, ``LIGHT, MEDIUM``."""
    if isinstance(values, CategoricalDistribution):
        return ", ".join(map(str, values.choices))
    fields = json.loads(distribution_to_json(values))["attributes"]
    return f"{fields['low']:g} to {fields['high']:g}" + (" (log)" if fields["log"] else "")


def space_differences(old: SweepPlan, new: SweepPlan) -> list[str]:
    """Say in what the spaces of two sweeps differ, a line each."""

    def flat(plan: SweepPlan) -> dict[tuple[str, str], str]:
        return {
            (study.name, name): describe_values(values)
            for study in plan.studies
            for name, values in study.space.items()
        }

    there, here = flat(old), flat(new)
    return [
        f"{name} of {study}: {there.get((study, name), 'not searched')} there, "
        f"{here.get((study, name), 'not searched')} here"
        for study, name in dict.fromkeys([*there, *here])
        if there.get((study, name)) != here.get((study, name))
    ]
