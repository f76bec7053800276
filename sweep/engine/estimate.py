"""How long a sweep will take, roughly, and the tables that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rich.table import Table

from sweep.engine.durations import duration
from sweep.engine.resources import Resources
from sweep.engine.search.halving import Halving
from sweep.engine.search.plan import StudyPlan, SweepPlan
from sweep.engine.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.models.registry import get_architecture
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
class Estimator:
    """Estimates times on one kind of device.

    Attributes:
        data: The tiles.
        device: ``cpu`` or ``cuda``.
        factors: Architecture to measured time over estimated time; 1 where nothing was measured.
    """

    data: TuningData
    device: str
    factors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def trial(self, recipe: Recipe) -> float:
        """Estimate a full training, in seconds of one GPU or one CPU core.

        Tiny models are counted as full ones; the estimate is meant to tell minutes from days.
        """
        track = get_architecture(recipe.architecture).track
        train = TRAIN_SECONDS_PER_MEGAPIXEL[self.device][track]
        view = recipe.crop_size**2 / 1e6
        whole = sum(tile.mask.size for tile in self.data.val) / 1e6
        window = len(self.data.val) * recipe.validation_crop**2 / 1e6 if recipe.validation_crop else whole
        predict = train * PREDICT_SHARE[track]
        seconds = recipe.max_epochs * (recipe.draws_per_epoch * view * train + window * predict) + whole * predict
        return seconds * self.factors.get(recipe.architecture, 1.0)

    def study(self, study: StudyPlan, halving: Halving | None) -> tuple[float, float]:
        """Estimate a search, in device-seconds: every trial run to its end, and with halving as it usually goes."""
        full = self.trial(study.template.recipe)
        share = expected_epochs(study, halving) / (study.trials * study.template.recipe.max_epochs)
        finals = sum(self.trial(final.recipe) for final in study.afterwards)
        return full * study.trials + finals, full * study.trials * share + finals

    def sweep(self, plan: SweepPlan, resources: Resources, *, worst_case: bool = False) -> float:
        """Estimate a sweep's wall-clock time in seconds; trials that share a GPU get no more out of it together."""
        planned = [self.trial(trial.recipe) for trial in plan.trials]
        studies = [self.study(study, plan.halving)[0 if worst_case else 1] for study in plan.studies]
        alone = [self.trial(study.template.recipe) for study in plan.studies]
        cores = resources.cpus_per_trial if resources.device == "cpu" else 1
        longest = max([*planned, *alone])
        devices = resources.concurrent * (min(1.0, resources.gpus_per_trial) if resources.device == "cuda" else 1.0)
        return STARTUP_SECONDS + max(longest, (sum(planned) + sum(studies)) / devices) / cores


def expected_epochs(study: StudyPlan, halving: Halving | None) -> int:
    """Estimate the epochs of a search's own trials."""
    if halving is None:
        return study.trials * study.template.recipe.max_epochs
    return halving.expected_epochs(study.trials)


def plan_tables(plan: SweepPlan, resources: Resources, estimator: Estimator) -> list[Table]:
    """Show every planned trial and every search, with estimated times."""
    cores = resources.cpus_per_trial if resources.device == "cpu" else 1
    tables = []
    if plan.trials:
        tables.append(_trials_table(plan.trials, resources, estimator, cores))
    if plan.studies:
        tables.append(_studies_table(plan, resources, estimator, cores))
    return tables


def _trials_table(trials: tuple[TrialPlan, ...], resources: Resources, estimator: Estimator, cores: int) -> Table:
    table = Table(title=f"{len(trials)} trials, {resources}", title_justify="left")
    for heading in ("trial", "weights", "LR", "aug", "dropout", "batch", "draws", "epochs", "crop", "tiles"):
        table.add_column(heading, justify="left" if heading in ("trial", "weights", "aug") else "right")
    table.add_column("estimate", justify="right")
    for trial in trials:
        recipe = trial.recipe
        table.add_row(
            trial.attempt,
            trial.weights.label,
            f"{recipe.learning_rate:.2g}",
            recipe.augmentation,
            f"{recipe.decoder_dropout:.2g}",
            str(recipe.batch_size),
            str(recipe.draws_per_epoch),
            str(recipe.max_epochs),
            str(recipe.crop_size),
            str(len(trial.tiles) or len(estimator.data.train)),
            duration(estimator.trial(recipe) / cores),
        )
    return table


def _studies_table(plan: SweepPlan, resources: Resources, estimator: Estimator, cores: int) -> Table:
    halving = plan.halving
    if halving is None:
        how = "nobody is given up"
    else:
        rungs = ", ".join(map(str, halving.rungs)) or "none"
        how = (
            f"{'pausing at' if halving.pausing else 'ASHA with'} rungs at epochs {rungs}; "
            f"1 in {halving.reduction_factor} goes on"
        )
    table = Table(title=f"{len(plan.studies)} searches, {resources}; {how}", title_justify="left")
    for heading in ("search", "weights", "searched"):
        table.add_column(heading)
    for heading in ("trials", "epochs at most", "expected", "hours at most", "expected"):
        table.add_column(heading, justify="right")
    for study in plan.studies:
        worst, expected = estimator.study(study, halving)
        table.add_row(
            study.name,
            study.template.weights.label,
            ", ".join(study.space),
            str(study.trials) + (f" + {len(study.afterwards)}" if study.afterwards else ""),
            str(study.trials * study.template.recipe.max_epochs),
            str(expected_epochs(study, halving)),
            f"{worst / cores / 3600:.2f}",
            f"{expected / cores / 3600:.2f}",
        )
    return table
