"""The crop that is used is the one that a plan shows: fitted to the train tiles once, the same for every trial."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.records.trials import TrialPlan
from trainables.data.centre import has_labelled_centre
from trainables.data.crops import largest_crop, listed, smaller_than
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError


def fit_crops(plan: SweepPlan, data: TuningData) -> SweepPlan:
    """Reduce crops that no train tile holds to the largest one that a tile does.

    All train tiles of the dataset decide, whatever a trial's budget of them, so that no two trials differ by it. A crop
    that is searched stays as it is.
    """
    largest = largest_crop(data.train)

    def fit(trial: TrialPlan) -> TrialPlan:
        return replace(trial, recipe=trial.recipe.replace(crop_size=min(trial.recipe.crop_size, largest)))

    def fit_study(study: StudyPlan) -> StudyPlan:
        if "crop_size" in study.space:
            return study
        return replace(study, template=fit(study.template), finals=tuple(fit(one) for one in study.finals))

    return replace(
        plan, trials=tuple(fit(one) for one in plan.trials), studies=tuple(fit_study(one) for one in plan.studies)
    )


def crop_notes(asked: SweepPlan, plan: SweepPlan, data: TuningData) -> list[str]:
    """Say which crops were reduced, which tiles are padded, and which val tiles epochs score beside their centre.

    Returns:
        A line each.
    """
    notes = []
    crops = _crops(plan)
    if reduced := sorted(set(_crops(asked)) - set(crops)):
        sizes = " and ".join(map(str, reduced))
        notes.append(f"crop of {sizes} px reduced to {largest_crop(data.train)} px: no train tile is larger")
    if narrow := smaller_than(data.train, max(crops, default=0)):
        notes.append(
            f"train tiles smaller than the crop of {max(crops)} px are padded with pixels that do not count: "
            f"{listed(narrow)}"
        )
    for window in sorted({trial.recipe.validation_crop for trial in plan.known()}):
        if moved := [tile for tile in data.val if not has_labelled_centre(tile, window)]:
            notes.append(
                f"val tiles without a labelled pixel in their central {window} px are scored each epoch around their "
                f"nearest labelled pixel: {listed(moved)}"
            )
    return notes


def _crops(plan: SweepPlan) -> list[int]:
    """Return the crops of a plan's recipes, those that are searched included."""
    searched = (study.space["crop_size"] for study in plan.studies if "crop_size" in study.space)
    ends = chain.from_iterable(getattr(one, "choices", None) or (one.high,) for one in searched)  # type: ignore[attr-defined]
    return sorted({*(trial.recipe.crop_size for trial in plan.known()), *map(int, ends)})


def require_same_crops(name: str, plan: SweepPlan, data: TuningData, padded: bool) -> None:
    """Refuse to continue a sweep whose first trials were trained on smaller crops than their recipes say.

    Raises:
        ExperimentError: As said.
    """
    if not padded and (narrow := smaller_than(data.train, max(_crops(plan), default=0))):
        raise ExperimentError(
            f"{name}: an earlier version began it, which cut all crops to the smallest train tile "
            f"({listed(narrow)}) where this one pads; start it again under another --name"
        )
