"""What is refused before a sweep starts, so that no trial fails by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sweep.cli.options import CommonOptions, SweepOptions
from sweep.planning.limits import Limits
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import read_share
from sweep.session.resolve import trackers_of
from trainables.class_balance import require_class_weights
from trainables.data.remote import is_remote
from trainables.data.tiles import TuningData
from trainables.errors import DataError, ExperimentError, RecipeError
from trainables.invocation import command
from trainables.models.registry import get_architecture, trust_typed
from trainables.models.trust import trust_everything
from trainables.recipe import Recipe


def check_flags(options: SweepOptions) -> None:
    """Refuse values that make no sense, before anything is read.

    Raises:
        ExperimentError: As said.
    """
    Limits.parse(options.time, options.budget)
    read_share(options.gpus_per_trial)
    trackers_of(options)
    if options.measure and not options.plan:
        raise ExperimentError("--measure: calibrates a plan; give it together with --plan")


def trust(options: CommonOptions, typed: Sequence[str]) -> None:
    """Let the code run that the user named, or all that an experiment or recipes name if the user says so."""
    trust_typed(typed)
    if options.trust_code:
        trust_everything()


def require_folder(patches: Path) -> None:
    """Refuse a dataset's folder that is not there, such as the default outside a checkout.

    Raises:
        DataError: As said; names what draws tiles there.
    """
    if not is_remote(patches) and not patches.is_dir():
        draw = command("patches", "synthesize", "--dst", str(patches))
        raise DataError(f"--patches {patches}: no such folder; fix the path, or draw synthetic tiles there: {draw}")


def require_trainable(plan: SweepPlan, data: TuningData) -> None:
    """Refuse what would fail in every trial: a wrong number of class weights, an own architecture that breaks.

    Raises:
        RecipeError: All faults at once.
    """
    own: dict[str, Recipe] = {}
    for trial in plan.known():
        require_class_weights(trial.recipe, data.task)
        if get_architecture(trial.recipe.architecture).own:
            own.setdefault(trial.recipe.architecture, trial.recipe)
    if own:
        from trainables.models.contract import verdict

        bands = len(data.imagery.bands)
        if faults := [
            fault for name, recipe in own.items() for fault in verdict(name, data.task.channels, recipe, bands)
        ]:
            raise RecipeError(faults)
