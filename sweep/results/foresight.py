"""What a sweep will be able to see, before it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sweep.planning.plan import SweepPlan
from sweep.records.experiment import Experiment, is_name
from sweep.records.store import gather
from sweep.results.contenders import Readings, read_contenders, val_layout
from sweep.results.power import USUAL, Design, Power, Spread
from sweep.results.standings import stand
from trainables.errors import TilesweepError
from trainables.storage import Storage

LOOKED_AT = 3
"""Finished experiments on the same tiles, at most."""


def foresee(plan: SweepPlan, description: Mapping[str, Any], storage: Storage) -> Power | None:
    """Return what a planned sweep can see among its contenders on the most train tiles.

    Args:
        plan: What is trained.
        description: What the experiment will say of itself: its ``data``, ``plan`` and ``scenes``.
        storage: Holds experiments; what differences vary by is measured in one on the same tiles, else assumed.

    Returns:
        None where fewer than two contenders are compared.
    """
    trainings = _trainings(plan, len(description["data"]["train"]))
    if len(trainings) < 2:
        return None
    layout = val_layout(description, description["data"]["val"])
    units = layout.units[0].effective
    design = Design(contenders=len(trainings), units=units, folds=plan.folds, repeats=min(trainings.values()))
    spread = _known(storage, description["data"]["fingerprint"]) or USUAL
    return Power(design=design, spread=spread, labelled=units + layout.other_scenes)


def _trainings(plan: SweepPlan, available: int) -> Mapping[str, int]:
    """Return how many trainings each contender on the most train tiles gets."""
    most = max((trial.train_tiles(available) for trial in plan.known()), default=0)
    found: Counter[str] = Counter()
    for trial in plan.trials:
        found[trial.contender or trial.contest] += trial.train_tiles(available) == most
    for study in plan.studies:
        template = study.template
        finals = sum(one.train_tiles(available) == most for one in study.finals)
        found[template.contender or template.contest] += (study.repeats if study.confirm else 1) + finals
    return {name: number for name, number in found.items() if number}


def _known(storage: Storage, fingerprint: str) -> Spread | None:
    """Measure what differences vary by in the latest experiment on the same tiles with several trainings each."""
    names = [name for name in storage.names() if is_name(name)]
    looked_at = 0
    for experiment in (Experiment(storage, name) for name in names):
        if looked_at == LOOKED_AT:
            break
        try:
            if not experiment.exists or experiment.description["data"]["fingerprint"] != fingerprint:
                continue
            looked_at += 1
            found, readings = gather(experiment), Readings(experiment, ())
            standings = stand(read_contenders(experiment.description, found.trials, found.val_scores, readings))
        except (TilesweepError, KeyError):  # one that is damaged or still runs says nothing, and stops no plan
            continue
        for power in (one.power for one in standings if one.power):
            if power.design.repeats > 1 or power.design.folds:
                return replace(power.spread, origin=f"measured in {experiment.name}")
    return None
