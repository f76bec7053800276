"""Curves of an earlier experiment, for rungs that judge from the first trial on."""

from __future__ import annotations

from collections.abc import Mapping

from sweep.planning.plan import SweepPlan
from sweep.planning.policy import Curves
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialRecords, read_reports
from trainables.errors import ExperimentError
from trainables.recipe import FIELDS, Recipe
from trainables.recipe_fields import COMPARABLE, marked


def warm_curves(earlier: Experiment, plan: SweepPlan, fingerprint: str) -> Mapping[str, Curves]:
    """Read the curves of the same architectures.

    Returns:
        Group to attempt to epoch to val IoU.

    Raises:
        ExperimentError: Other data, or no curve that can be compared.
    """
    if earlier.description["data"]["fingerprint"] != fingerprint:
        raise ExperimentError(
            f"--warm-from {earlier.name}: was trained on other tiles, so its val IoU cannot be compared; "
            f"name an experiment on the same dataset"
        )
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
