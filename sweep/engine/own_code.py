"""Architectures that a user wrote must not change while a sweep is unfinished: its trials would be of two kinds."""

from __future__ import annotations

from sweep.engine.experiment import Experiment
from sweep.engine.search.plan import SweepPlan
from trainables.errors import ExperimentError
from trainables.models.registry import source_sha256


def own_code(plan: SweepPlan) -> dict[str, str]:
    """Return the hash of the file of each architecture of one's own that a plan trains; empty for built-in ones."""
    hashes = {name: source_sha256(name) for name in {trial.recipe.architecture for trial in plan.known()}}
    return {name: digest for name, digest in hashes.items() if digest}


def require_same_code(experiment: Experiment) -> None:
    """Refuse to go on with other code than the sweep began with.

    Raises:
        ExperimentError: A file has changed since.
        RecipeError: A file is gone.
    """
    for name, digest in experiment.description.get("code", {}).items():
        if source_sha256(name) != digest:
            raise ExperimentError(
                f"{name}: has changed since {experiment.name} began, whose trials would be of two kinds; bring the "
                f"file back, or begin anew under another --name"
            )
