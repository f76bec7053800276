"""What an earlier experiment on the same tiles gives searches, by val IoU alone: nothing here has seen test.

Its best recipes are tried first, within the number of trials that a search has anyway; its curves let rungs judge from
the first trial on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.planning.plan import StudyPlan, SweepPlan, read_plan
from sweep.planning.policy import Curves
from sweep.planning.starts import Evidence, Start
from sweep.planning.warm_plans import ordered
from sweep.records.experiment import Experiment
from sweep.records.store import gather
from sweep.records.trials import TrialPlan, TrialRecords, read_reports
from sweep.search.recipes_tried import key
from trainables.errors import ExperimentError
from trainables.models.probe_names import is_probe
from trainables.models.registry import described
from trainables.recipe import FIELDS, Recipe
from trainables.recipe_fields import COMPARABLE, marked

MOST_STARTS = 3
"""Recipes of an earlier experiment in a search; and no more than half of its trials after the shared recipe."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A recipe that an earlier experiment trained to its end.

    Attributes:
        plan: Its first training.
        val_iou: Mean over its trainings of the mean IoU of whole val tiles, in [0, 1].
    """

    plan: TrialPlan
    val_iou: float


def begun_with(plan: SweepPlan, earlier: Experiment, fingerprint: str) -> SweepPlan:
    """Return a plan whose searches begin with what an earlier experiment found.

    The architecture of the best val IoU is the first in each round; one that was not trained there counts by the probe
    on its encoder. Each search tries the best recipes of its architecture right after the shared one. A search has as
    many trials as before.

    Args:
        plan: What is searched.
        earlier: Trained with the same tiles, by whatever phase and profile.
        fingerprint: Of the train and val tiles.

    Raises:
        ExperimentError: Other data, or its records are damaged.
    """
    _require_same_tiles(earlier, fingerprint)
    known = _trained(earlier)
    searched = {study.template.recipe.architecture: study.space for study in read_plan(earlier).studies}

    def begun(study: StudyPlan) -> StudyPlan:
        alike = [one for one in known if _alike(one.plan, study.template)]
        own = [one for one in alike if one.plan.recipe.architecture == study.template.recipe.architecture]
        starts = _starts(study, own, earlier.name, searched.get(study.template.recipe.architecture, {}))
        return replace(study, starts=starts, evidence=_evidence(study, own or _probes(study, alike), earlier.name))

    return replace(plan, studies=ordered(map(begun, plan.studies)))


def _trained(earlier: Experiment) -> list[_Known]:
    """Return the recipes that were trained to their end and tell classes apart, the best first."""
    plans = {record.plan.attempt: record.plan for record in TrialRecords(earlier).all()}
    found: dict[Any, list[tuple[TrialPlan, float]]] = {}
    for row in gather(earlier).trials:
        if row.finished and row.val_iou is not None and row.collapsed is None:
            one = plans[row.attempt]
            recipe = tuple(sorted(one.recipe.replace(seed=0).to_dict().items()))
            found.setdefault((recipe, one.tiles, one.folds), []).append((one, row.val_iou))
    means = [_Known(plan=some[0][0], val_iou=fmean(iou for _, iou in some)) for some in found.values()]
    return sorted(means, key=lambda one: -one.val_iou)


def _alike(trained: TrialPlan, wanted: TrialPlan) -> bool:
    """Whether a training saw the tiles that a search will see, with a model of the same size."""
    sizes = trained.recipe.model_size == wanted.recipe.model_size
    return sizes and (trained.tiles, trained.folds) == (wanted.tiles, wanted.folds)


def _probes(study: StudyPlan, known: Sequence[_Known]) -> list[_Known]:
    """Return the probes on the encoder of a search's architecture."""
    encoder = described(study.template.recipe.architecture).needs
    probes = [one for one in known if is_probe(one.plan.recipe.architecture)]
    return [one for one in probes if described(one.plan.recipe.architecture).needs == encoder]


def _evidence(study: StudyPlan, known: Sequence[_Known], name: str) -> Evidence | None:
    if not known:
        return None
    best = known[0]
    probe = best.plan.recipe.architecture != study.template.recipe.architecture
    return Evidence(origin=f"{name}/{best.plan.attempt}", val_iou=best.val_iou, probe=probe)


def _starts(
    study: StudyPlan, known: Sequence[_Known], name: str, searched: Mapping[str, BaseDistribution]
) -> tuple[Start, ...]:
    """Choose the recipes that a search begins with; none twice, and not the shared one, which is first anyway.

    Args:
        study: The search.
        known: Recipes of its architecture, the best first.
        name: The earlier experiment's.
        searched: What that one searched of the architecture.
    """
    shared = study.shared_values()
    most = min(MOST_STARTS, (study.trials - 1) // 2)
    tried = {key(shared)}
    found: list[Start] = []
    for one in known:
        there = one.plan.recipe.to_dict()
        values = {field: _clipped(there[field], values, shared[field]) for field, values in study.space.items()}
        if len(found) == most or key(values) in tried:
            continue
        tried.add(key(values))
        changed = [
            f"{field} {_plain(there[field])} is outside the space, {_plain(value)} instead"
            for field, value in values.items()
            if key({field: value}) != key({field: there[field]})
        ]
        here = study.template.recipe.to_dict()
        changed += [
            f"{field} {_plain(there[field])} is not searched here, it stays {_plain(here[field])}"
            for field in searched
            if field not in study.space and there[field] != here[field]
        ]
        origin = f"{name}/{one.plan.attempt}"
        found.append(Start(values=values, origin=origin, val_iou=one.val_iou, changed=tuple(changed)))
    return tuple(found)


def _clipped(value: Any, space: BaseDistribution, shared: Any) -> Any:
    """Return the value of a space that is nearest to one; of choices without it the shared recipe's."""
    if isinstance(space, CategoricalDistribution):
        return value if value in space.choices else shared
    assert isinstance(space, FloatDistribution | IntDistribution)
    value = min(max(value, space.low), space.high)
    if space.step is not None and not space.log:
        value = min(space.low + round((value - space.low) / space.step) * space.step, space.high)
    return int(value) if isinstance(space, IntDistribution) else float(value)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _require_same_tiles(earlier: Experiment, fingerprint: str) -> None:
    """Refuse an experiment whose val IoU says nothing about these tiles.

    Raises:
        ExperimentError: As said.
    """
    if earlier.description["data"]["fingerprint"] != fingerprint:
        raise ExperimentError(
            f"--warm-from {earlier.name}: was trained on other tiles, so its val IoU cannot be compared; "
            f"name an experiment on the same dataset"
        )


def warm_curves(earlier: Experiment, plan: SweepPlan, fingerprint: str) -> Mapping[str, Curves]:
    """Read the curves of the same architectures.

    Returns:
        Group to attempt to epoch to val IoU.

    Raises:
        ExperimentError: Other data, or no curve that can be compared.
    """
    _require_same_tiles(earlier, fingerprint)
    trials = [record.plan for record in TrialRecords(earlier).all()]
    found: dict[str, dict[str, dict[int, float]]] = {}
    for study in plan.studies:
        wanted = study.template
        for trial in trials:
            if (trial.tiles, trial.folds) == (wanted.tiles, wanted.folds) and _comparable(trial.recipe, wanted.recipe):
                curve = {
                    report["epoch"]: report["val_iou"]
                    for report in read_reports(earlier, trial.attempt)
                    if "epoch" in report
                }
                found.setdefault(study.name, {})[f"{earlier.name}/{trial.attempt}"] = curve
    if missing := [study.name for study in plan.studies if not any(found.get(study.name, {}).values())]:
        raise ExperimentError(
            f"--warm-from {earlier.name}: has no curve of {', '.join(missing)} under the same profile; "
            f"leave it out, or run Phase 1 with them"
        )
    return found


def _comparable(one: Recipe, other: Recipe) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in marked(FIELDS, COMPARABLE))
