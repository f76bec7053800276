"""Plans whose searches begin with what an earlier experiment on the same tiles found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sweep.planning.plan import StudyPlan, SweepPlan


def ordered(studies: Iterable[StudyPlan]) -> tuple[StudyPlan, ...]:
    """Return searches in the order of what is known of their architectures, the best first, the unknown last."""
    return tuple(sorted(studies, key=lambda one: -one.evidence.val_iou if one.evidence else 1.0))


def with_starts(plan: SweepPlan, begun: SweepPlan) -> SweepPlan:
    """Return a plan with the order and the recipes that it once began with, whatever has been trained since.

    Args:
        plan: As its options make it now.
        begun: As it began; one that began with another experiment is another sweep.
    """
    if plan.warm_from != begun.warm_from:
        return plan
    known = {study.name: study for study in begun.studies}
    place = {name: number for number, name in enumerate(known)}
    studies = sorted(plan.studies, key=lambda one: place.get(one.name, len(place)))
    return replace(
        plan,
        studies=tuple(
            replace(one, starts=known[one.name].starts, evidence=known[one.name].evidence) if one.name in known else one
            for one in studies
        ),
    )


def starts_in_words(plan: SweepPlan) -> list[str]:
    """Say with what searches begin, a line each; nothing where they begin with nothing."""
    if not plan.warm_from:
        return []
    lines = []
    if len(plan.studies) > 1:
        known = ", ".join(f"{one.name} ({one.evidence or 'nothing known'})" for one in plan.studies)
        lines.append(f"the first in each round by val IoU in {plan.warm_from}: {known}")
    without = [study.name for study in plan.studies if not study.starts]
    for study in plan.studies:
        if study.starts:
            found = ", ".join(f"{one.origin} ({one.val_iou:.3f})" for one in study.starts)
            lines.append(f"{study.name} tries first, after the shared recipe: {found}")
            lines += [f"{one.origin}: {what}" for one in study.starts for what in one.changed]
    if without:
        lines.append(f"{', '.join(without)}: {plan.warm_from} has no other finished recipe to begin with")
    return lines
