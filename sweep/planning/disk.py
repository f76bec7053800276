"""How much room a sweep needs, and whether it is there."""

from __future__ import annotations

from sweep.planning.plan import SweepPlan
from sweep.records.experiment import Experiment
from trainables.data.tiles import TuningData
from trainables.errors import StorageError
from trainables.models.registry import get_architecture
from trainables.recipe import Recipe
from trainables.trial_states import KEPT

PREDICTION_BYTES_PER_PIXEL = 0.5
"""Mask and overlay (0.35 measured on the synthetic tiles), labels and shrunk image for the report (0.08)."""


def trial_bytes(recipe: Recipe, data: TuningData, folds: int = 0) -> tuple[int, int]:
    """Estimate the room that a trial takes.

    Args:
        recipe: What it trains.
        data: Its val tiles are predicted; test is taken to be as large.
        folds: Of its cross-validation, each with weights of its own; 0 for none.

    Returns:
        Bytes of an ended trial (best weights, predictions), and of one state to resume from.
    """
    weights = max(1, folds) * get_architecture(recipe.architecture).checkpoint_bytes(recipe.model_size)
    moments = 2 * weights  # AdamW's two averages of each weight
    average = weights if recipe.ema_decay else 0
    pixels = sum(tile.mask.size for tile in data.val)
    ended = weights + int(2 * pixels * PREDICTION_BYTES_PER_PIXEL)
    return ended, weights + moments + average + weights  # the last one is the best weights so far


def sweep_bytes(plan: SweepPlan, data: TuningData, concurrent: int) -> int:
    """Estimate the room that a sweep takes at its largest."""
    trials = [(trial.recipe, len(trial.folds)) for trial in plan.trials]
    for study in plan.studies:
        trials += [(study.template.recipe, len(study.template.folds))] * study.trials
        trials += [(final.recipe, len(final.folds)) for final in study.afterwards]
    trials += [(trial.recipe, 0) for trial in plan.refits]
    known = {(recipe, folds): trial_bytes(recipe, data, folds) for recipe, folds in set(trials)}
    sizes = [known[trial] for trial in trials]
    ended = sum(one for one, _ in sizes)
    states = sorted((state for _, state in sizes), reverse=True)
    running = (KEPT + 1) * sum(states[:concurrent])  # a new one is written before an old one goes
    paused = KEPT * sum(states[concurrent:]) if plan.policy.pauses else 0
    return ended + running + paused


def require_room(experiment: Experiment, needed: int) -> None:
    """Refuse a sweep that its storage cannot hold; a remote storage does not say how much it can.

    Raises:
        StorageError: There is too little room.
    """
    free = experiment.storage.free_bytes()
    if free is None:
        return
    missing = needed - experiment.storage.size(experiment.name)
    if missing > free:
        raise StorageError(
            f"--storage {experiment.storage.address}: the sweep needs about {size(missing)} more and {size(free)} are "
            f"free; make room or choose another --storage"
        )


def size(number: float) -> str:
    """Write a number of bytes for people: ``830 MB``, ``1.4 GB``."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{max(number, 0) / 1e6:.0f} MB"
