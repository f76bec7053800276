"""An experiment that is there already: whether it is this sweep, and what it has decided."""

from __future__ import annotations

from sweep.planning.crops import require_same_crops
from sweep.planning.packing import Packing
from sweep.planning.plan import SweepPlan, read_plan, space_differences
from sweep.planning.precision import Precisions
from sweep.records.experiment import Experiment
from sweep.records.store import gather
from sweep.sealed.next_step import next_command, resume_command
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.secrets import hide_secret
from trainables.storage import Storage


def free_name(storage: Storage, base: str) -> str:
    """Return ``base``, ``base-2``, ...: the first name that is free, or whose experiment is unfinished."""
    name, number = base, 1
    while (experiment := Experiment(storage, name)).exists and experiment.description.get("ended"):
        number += 1
        name = f"{base}-{number}"
    return name


def require_same(
    experiment: Experiment, asked: SweepPlan, plan: SweepPlan, data: TuningData, optuna_url: str | None
) -> None:
    """Refuse to resume an experiment that has ended, or that is another sweep than the one asked for.

    ``asked`` is the new sweep's plan before its crops were fitted.

    Raises:
        ExperimentError: As said.
    """
    description = experiment.description
    there = read_plan(experiment)
    if there == asked and not description["ended"]:
        require_same_crops(experiment.name, there, data, padded="crop_notes" in description)
    same = (
        there == plan
        and description["data"]["fingerprint"] == data.fingerprint
        and description["optuna_storage"] == (optuna_url and hide_secret(optuna_url))
    )
    if same and not description["ended"]:
        return
    if plan.studies and (differences := space_differences(there, plan)):
        raise ExperimentError(
            f"--name {experiment.name}: exists with another space ({'; '.join(differences)}); choose another --name"
        )
    state = "has ended" if description["ended"] else "is unfinished, and is another sweep than this"
    raise ExperimentError(f"--name {experiment.name}: exists already and {state}; {next_step(experiment)}")


def next_step(experiment: Experiment) -> str:
    """Say what can be done with an experiment whose name is taken."""
    description = experiment.description
    if description["ended"]:
        following = next_command(experiment, description, gather(experiment).trials)
        return f"choose another --name, or take its next step: {following}"
    return f"resume it with {resume_command(experiment, description)}, or choose another --name"


def packing_of(experiment: Experiment) -> Packing | None:
    """Return how an experiment's GPUs were shared when it began; None where they were not.

    Raises:
        ExperimentError: It is damaged.
    """
    saved = experiment.description.get("packing")
    return None if saved is None else Packing.from_dict(saved)


def precisions_of(experiment: Experiment) -> Precisions:
    """Return what ``precision = auto`` came to when an experiment began; nothing where nothing was measured.

    Raises:
        ExperimentError: It is damaged.
    """
    return Precisions.from_dict(experiment.description.get("precision") or {})
