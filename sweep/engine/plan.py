"""What a sweep will do, and roughly how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from sweep.engine.resources import Resources
from trainables.data.tiles import TuningData
from trainables.models.registry import get_architecture
from trainables.models.weights import Weights
from trainables.recipe import Recipe

STARTUP_SECONDS = 15.0
"""Ray's start and the first import of torch in the workers."""

TRAIN_SECONDS_PER_MEGAPIXEL = {
    # "cuda" follows from the published minutes an epoch on a T4 (1 for CNNs, 4 for SAM in fp32; 400 draws of 1 Mpx).
    # "cpu" is core-seconds on a 2-core AVX-512 machine, demo profile.
    "cuda": {"cnn": 0.15, "sam": 0.6},
    "cpu": {"cnn": 11.0, "sam": 22.0},
}
PREDICT_SHARE = {"cnn": 0.3, "sam": 0.8}
"""Cost of predicting a pixel over training on it; a frozen encoder costs the same in both."""


@dataclass(frozen=True, kw_only=True)
class TrialPlan:
    """One trial before it runs.

    Attributes:
        attempt: Its name: the architecture, with the repeat where there are several.
        group: Only trials of one group compete for their lives.
        recipe: What it trains.
        weights: What its encoder starts from.
    """

    attempt: str
    group: str
    recipe: Recipe
    weights: Weights

    def config(self, device: str) -> dict[str, Any]:
        """Return the trial as Tune's config holds it."""
        return {
            "attempt": self.attempt,
            "group": self.group,
            "recipe": self.recipe.to_dict(),
            "weights": asdict(self.weights),
            "device": device,
        }


def estimate_seconds(recipe: Recipe, data: TuningData, device: str) -> float:
    """Estimate a full training, in seconds of one GPU or one CPU core.

    Tiny models are counted as full ones; the estimate is meant to tell minutes from days.
    """
    track = get_architecture(recipe.architecture).track
    train = TRAIN_SECONDS_PER_MEGAPIXEL[device][track]
    view = recipe.crop_size**2 / 1e6
    whole = sum(tile.mask.size for tile in data.val) / 1e6
    window = len(data.val) * recipe.validation_crop**2 / 1e6 if recipe.validation_crop else whole
    predict = train * PREDICT_SHARE[track]
    return recipe.max_epochs * (recipe.draws_per_epoch * view * train + window * predict) + whole * predict


def estimate_sweep_seconds(trials: Sequence[TrialPlan], data: TuningData, resources: Resources) -> float:
    """Estimate the sweep's wall-clock time in seconds, every trial run to its last epoch."""
    costs = [estimate_seconds(trial.recipe, data, resources.device) for trial in trials]
    cores = resources.cpus_per_trial if resources.device == "cpu" else 1
    return STARTUP_SECONDS + max(max(costs), sum(costs) / resources.concurrent) / cores


def plan_table(trials: Sequence[TrialPlan], data: TuningData, resources: Resources) -> Table:
    """Show every trial: recipe, weights and estimated time."""
    table = Table(title=f"{len(trials)} trials, {resources}", title_justify="left")
    for heading in ("trial", "weights", "LR", "aug", "dropout", "batch", "draws", "epochs", "crop"):
        table.add_column(heading, justify="left" if heading in ("trial", "weights", "aug") else "right")
    table.add_column("estimate", justify="right")
    cores = resources.cpus_per_trial if resources.device == "cpu" else 1
    for trial in trials:
        recipe = trial.recipe
        table.add_row(
            trial.attempt,
            trial.weights.label,
            f"{recipe.learning_rate:g}",
            recipe.augmentation,
            f"{recipe.decoder_dropout:g}",
            str(recipe.batch_size),
            str(recipe.draws_per_epoch),
            str(recipe.max_epochs),
            str(recipe.crop_size),
            duration(estimate_seconds(recipe, data, resources.device) / cores),
        )
    return table


def duration(seconds: float) -> str:
    """Write a duration for people: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
