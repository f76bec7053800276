"""Architectures that a user wrote: which of them may run, and that they do not change while a sweep is unfinished."""

from __future__ import annotations

from collections.abc import Iterable

from sweep.planning.plan import SweepPlan
from sweep.records.experiment import Experiment
from trainables.errors import ExperimentError
from trainables.models.registry import source_sha256, trusted_hashes


def own_code(plan: SweepPlan) -> dict[str, str]:
    """Return the hash of the file of each architecture of one's own that a plan trains; empty for built-in ones."""
    hashes = {name: source_sha256(name) for name in plan.architectures}
    return {name: digest for name, digest in hashes.items() if digest}


def require_named_code(architectures: Iterable[str]) -> None:
    """Refuse architectures of users' own that the command does not name, such as those that only a recipe file names.

    Raises:
        RecipeError: There is one, and the user has not said that it may run.
    """
    trusted_hashes(architectures)


def require_same_code(experiment: Experiment, plan: SweepPlan) -> None:
    """Refuse to resume with other code than the sweep began with, or with code that was not allowed.

    Raises:
        ExperimentError: A file has changed since, or the record does not say what it was.
        RecipeError: A file is gone, or is named by the experiment alone.
    """
    recorded = experiment.description.get("code", {})
    for name in plan.architectures:
        if not (digest := source_sha256(name)):
            continue
        if not isinstance(recorded, dict) or name not in recorded:
            raise ExperimentError(
                f"{experiment.address}: does not record which version of {name} it trains; begin again under another "
                f"--name"
            )
        if digest != recorded[name]:
            raise ExperimentError(
                f"{name}: has changed since {experiment.name} began, whose trials would be of two kinds; bring the "
                f"file back, or begin again under another --name"
            )
    trusted_hashes(plan.architectures)
