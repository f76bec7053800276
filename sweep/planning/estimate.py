"""How long a sweep will take, roughly, and the tables that say so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from types import MappingProxyType

from sweep.cli.durations import duration
from sweep.cli.tables import Column, Sheet
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.policy import Policy
from sweep.planning.resources import Resources
from sweep.planning.shares import PREDICT_SHARE, whole_pixels
from sweep.records.trial_result import TrialResult
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.models.probe_names import host_of
from trainables.models.registry import get_architecture
from trainables.recipe import Recipe, decided_by
from trainables.wording import counted

STARTUP_SECONDS = 15.0
"""Ray's start and the first import of torch in the workers."""

TRAIN_SECONDS_PER_MEGAPIXEL = {
    # "cuda" follows from the published minutes per epoch on a T4 (1 for CNNs, 4 for SAM in fp32; 400 draws of 1 Mpx).
    # "cpu" is core-seconds on a 2-core AVX-512 machine, demo profile.
    "cuda": {"cnn": 0.15, "sam": 0.6, "vit": 0.6},
    "cpu": {"cnn": 11.0, "sam": 22.0, "vit": 28.0},
}
CPU_COST = {
    "unet": 1.05,
    "smp_unet_resnet34": 0.65,
    "smp_deeplabv3plus_resnet34": 0.5,
    "smp_unet_efficientnet_lite0": 0.35,
    "smp_unet_efficientnet_lite1": 0.45,
    "smp_unet_efficientnet_lite2": 0.52,
    "convnext_tiny_upernet": 2.4,
    "dinov3_vit_s_dpt_lora": 1.07,
    "dinov3_vit_b_dpt": 1.2,
    "dinov3_vit_b_dpt_lora": 1.5,
    "sam2_hiera_t_unet": 0.39,
    "sam_vit_b_conv": 0.4,
    "sam_vit_b_unet": 0.57,
}
"""Of what its track takes on a CPU: trainings of the demo on two idle cores, by operations where the demo has others or
stand-ins; 1 where nothing is known."""
TINY_SHARE = 0.1
"""What a tiny stand-in takes of the real model's time, at most: it has 0.5 to 6 % of the operations, but small ones."""
UNLABELLED_COST = 4 / 3
"""Of a step on labelled views, what as many unlabelled ones add: another forward pass labels them first."""
BF16_SHARE = 0.75
"""Of a step on a CPU in bf16 over one in fp32, where bf16 was measured to be worth it (0.31 to 0.74)."""
FIT_SECONDS = {"cuda": 2.0, "cpu": 3.0}
"""Of a probe, once the features are there."""
FEATURES_SHARE = 0.5
"""Of a prediction, what its encoder alone takes."""
ENCODER_SHARE = {
    "sam_vit_b_conv": 0.63,
    "sam_vit_b_unet": 0.52,
    "mobile_sam_conv": 0.13,
    "dinov3_vit_s_dpt": 0.07,
    "dinov3_vit_b_dpt": 0.2,
    "sam2_hiera_t_unet": 0.23,
}
"""Share of a training step that a fixed encoder takes, which folds share; by operations (``benchmarks.folds``)."""


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """Estimates times on one kind of device.

    Attributes:
        data: The tiles.
        device: ``cpu`` or ``cuda``.
        factors: Architecture to measured time over estimated time; 1 where nothing was measured.
        speeds: Returns the core-seconds that a recipe's steps were measured to take per megapixel on this machine's
            CPU; None where they were not.
    """

    data: TuningData
    device: str
    factors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    speeds: Callable[[Recipe], float | None] | None = None

    def trial(self, recipe: Recipe, folds: int = 0) -> float:
        """Estimate a full training, in seconds of one GPU or one CPU core.

        Args:
            recipe: What is trained.
            folds: Of its cross-validation; 0 for none. Each trains as long as a training alone, but for what a fixed
                encoder makes of the views that folds share; each tile is scored once per epoch.
        """
        entry = get_architecture(recipe.architecture)
        train = self._rate(recipe)
        view = recipe.crop_size**2 / 1e6
        whole = self._whole(recipe)
        window = len(self.data.val) * recipe.validation_crop**2 / 1e6 if recipe.validation_crop else whole
        predict = train * PREDICT_SHARE[entry.track]
        if entry.probe:
            views = max(1, folds) * max(recipe.draws_per_epoch, len(self.data.train)) * view
            features = (views + window + whole) * predict * FEATURES_SHARE
            return (features + self._fits(folds)) * self.factors.get(recipe.architecture, 1.0)
        step = _steps(recipe, folds) + (UNLABELLED_COST * max(1, folds) if recipe.consistency_weight else 0)
        seconds = (
            recipe.max_epochs * (step * recipe.draws_per_epoch * view * train + window * predict) + whole * predict
        )
        return seconds * self.factors.get(recipe.architecture, 1.0)

    def measured(self, plan: SweepPlan) -> bool:
        """Whether the steps of all trials of a plan were measured on this machine."""
        return all(self._step_rate(trial.recipe) is not None for trial in plan.known())

    def planned(self, trial: TrialPlan) -> float:
        """Estimate a planned trial's full training, as ``trial`` does."""
        return self.trial(trial.recipe, len(trial.folds))

    def _fits(self, folds: int) -> float:
        return max(1, folds) * FIT_SECONDS[self.device]

    def together(self, trials: Sequence[TrialPlan]) -> list[float]:
        """Estimate trials of a sweep as ``planned`` does, but that probes on one encoder share its features."""
        reuses = _reuses_features(trial.recipe for trial in trials)
        return [
            self._fits(len(trial.folds)) * self.factors.get(trial.recipe.architecture, 1.0)
            if reused
            else self.planned(trial)
            for trial, reused in zip(trials, reuses, strict=True)
        ]

    def costs(self, plan: SweepPlan, resources: Resources) -> dict[str, float]:
        """Return the seconds that a full training of each architecture takes, estimated; for telling what is left."""
        cores = resources.cpus_per_trial if resources.device == "cpu" else 1
        found: dict[str, list[float]] = {}
        known = plan.known()
        for trial, seconds in zip(known, self.together(known), strict=True):
            found.setdefault(trial.recipe.architecture, []).append(seconds)
        return {name: fmean(seconds) / cores for name, seconds in found.items()}

    def scoring(self, recipes: Sequence[Recipe]) -> float:
        """Estimate how long it takes to predict as many whole tiles as val has, in seconds of one GPU or CPU core.

        Args:
            recipes: Of the models, one for each; probes on one encoder share its features.
        """
        total = 0.0
        for recipe, reused in zip(recipes, _reuses_features(recipes), strict=True):
            entry = get_architecture(recipe.architecture)
            rate = self._rate(recipe) * PREDICT_SHARE[entry.track] * self.factors.get(recipe.architecture, 1.0)
            share = 0.0 if reused else FEATURES_SHARE if entry.probe else 1.0
            total += self._whole(recipe) * rate * share
        return total

    def _whole(self, recipe: Recipe) -> float:
        """Return the megapixels that are predicted of whole val tiles."""
        val = self.data.val
        return whole_pixels(recipe, len(val), sum(tile.mask.size for tile in val)) / 1e6

    def _rate(self, recipe: Recipe) -> float:
        """Return the seconds of training on a megapixel."""
        if (measured := self._step_rate(recipe)) is not None:
            return measured
        rate = TRAIN_SECONDS_PER_MEGAPIXEL[self.device][get_architecture(recipe.architecture).track]
        if self.device == "cpu":
            rate *= CPU_COST.get(host_of(recipe.architecture), 1.0) * (BF16_SHARE if recipe.precision == "bf16" else 1)
        return rate * TINY_SHARE if recipe.model_size == "tiny" else rate

    def _step_rate(self, recipe: Recipe) -> float | None:
        """Return the same as measured on this machine's CPU; None where it was not."""
        full = self.device == "cpu" and recipe.model_size == "full"
        return self.speeds(recipe) if full and self.speeds else None

    def calibrated(self, trials: Iterable[TrialResult], resources: Resources) -> Estimator:
        """Return an estimator that knows how long trials took.

        Args:
            trials: Those that did not finish, and those whose time is not known, are left out.
            resources: What each of them had.
        """
        cores = resources.cpus_per_trial if resources.device == "cpu" else 1
        plain = replace(self, factors=MappingProxyType({}))
        shares: dict[str, list[float]] = {}
        for row in trials:
            if row.finished and row.seconds and row.epochs:
                estimated = plain.trial(row.recipe.replace(max_epochs=row.epochs), row.folds)
                shares.setdefault(row.architecture, []).append(row.seconds * cores / estimated)
        return replace(self, factors={**self.factors, **{name: fmean(found) for name, found in shares.items()}})

    def study(self, study: StudyPlan, policy: Policy) -> tuple[float, float]:
        """Estimate a search, in device-seconds: every trial run to its end, and as the policy usually goes."""
        full = self.planned(study.template)
        share = expected_epochs(study, policy) / (study.trials * study.template.recipe.max_epochs)
        finals = sum(self.planned(final) for final in study.afterwards)
        return full * study.trials + finals, full * study.trials * share + finals

    def sweep(self, plan: SweepPlan, resources: Resources, *, worst_case: bool = False) -> float:
        """Estimate a sweep's wall-clock time in seconds; trials that share a GPU get no more out of it together."""
        planned = self.together(plan.trials)
        studies = [self.study(study, plan.policy)[0 if worst_case else 1] for study in plan.studies]
        alone = [self.planned(study.template) for study in plan.studies]
        cores = resources.cpus_per_trial if resources.device == "cpu" else 1
        longest = max([*planned, *alone])
        devices = resources.concurrent * (min(1.0, resources.gpus_per_trial) if resources.device == "cuda" else 1.0)
        seconds = max(longest, (sum(planned) + sum(studies)) / devices)
        if refits := [self.planned(trial) for trial in plan.refits]:  # they begin when all others have ended
            seconds += max(max(refits), sum(refits) / devices)
        return STARTUP_SECONDS + seconds / cores


def _reuses_features(recipes: Iterable[Recipe]) -> list[bool]:
    """Say of each recipe whether it is a probe on an encoder whose features a probe before it has computed."""
    hosts: set[str] = set()
    found = []
    for recipe in recipes:
        probe, host = get_architecture(recipe.architecture).probe, host_of(recipe.architecture)
        found.append(probe and host in hosts)
        if probe:
            hosts.add(host)
    return found


def _steps(recipe: Recipe, folds: int) -> float:
    """Return what the training steps of all folds cost over those of one training."""
    if not folds:
        return 1.0
    encoder = ENCODER_SHARE.get(host_of(recipe.architecture), 0.0)
    return encoder * folds / (folds - 1) + (1 - encoder) * folds


def expected_epochs(study: StudyPlan, policy: Policy) -> int:
    """Estimate the epochs of a search's own trials."""
    return policy.expected_epochs(study.trials, study.template.recipe.max_epochs)


def plan_tables(plan: SweepPlan, resources: Resources, estimator: Estimator) -> list[Sheet]:
    """Show every planned trial and every search, with estimated times."""
    cores = resources.cpus_per_trial if resources.device == "cpu" else 1
    tables = []
    if plan.trials:
        tables.append(_trials_table(plan.trials, resources, estimator, cores))
    if plan.studies:
        tables.append(_studies_table(plan, resources, estimator, cores))
    return tables


def _trials_table(trials: tuple[TrialPlan, ...], resources: Resources, estimator: Estimator, cores: int) -> Sheet:
    def recipe(heading: str, field: str, format: str = "") -> Column:
        number = field != "augmentation"
        return Column(
            heading=heading,
            value=lambda trial: decided_by(trial.recipe, field),
            format=format,
            right=number,
            priority=4,
            common=True,
            gaps=True,
        )

    columns = [
        Column(heading="trial", value=lambda trial: trial.attempt),
        Column(heading="weights", value=lambda trial: trial.weights.label, priority=3, least=16, common=True),
        recipe("LR", "learning_rate", ".2g"),
        recipe("aug", "augmentation"),
        recipe("dropout", "decoder_dropout", ".2g"),
        recipe("batch", "batch_size"),
        recipe("draws", "draws_per_epoch"),
        recipe("epochs", "max_epochs"),
        recipe("crop", "crop_size"),
        Column(
            heading="tiles",
            value=lambda trial: trial.train_tiles(len(estimator.data.train)),
            right=True,
            priority=2,
            common=True,
        ),
        Column(heading="folds", value=lambda trial: len(trial.folds) or None, right=True, priority=3, common=True),
        Column(heading="estimate", value=lambda trial: duration(estimator.planned(trial) / cores), right=True),
    ]
    return Sheet(f"{counted(len(trials), 'trial')}, {resources}", columns, trials)


def _studies_table(plan: SweepPlan, resources: Resources, estimator: Estimator, cores: int) -> Sheet:
    def hours(index: int) -> Callable[[StudyPlan], float]:
        return lambda study: estimator.study(study, plan.policy)[index] / cores / 3600

    columns = [
        Column(heading="search", value=lambda study: study.name),
        Column(heading="weights", value=lambda study: study.template.weights.label, priority=4, least=12, common=True),
        Column(heading="searched", value=lambda study: ", ".join(study.space), priority=5, least=24, common=True),
        Column(
            heading="trials",
            value=lambda study: str(study.trials) + (f" + {len(study.afterwards)}" if study.afterwards else ""),
            right=True,
        ),
        Column(
            heading="epochs at most",
            value=lambda study: study.trials * study.template.recipe.max_epochs,
            right=True,
            priority=2,
        ),
        Column(
            heading="epochs expected", value=lambda study: expected_epochs(study, plan.policy), right=True, priority=3
        ),
        Column(heading="hours at most", value=hours(0), format=".2f", right=True),
        Column(heading="hours expected", value=hours(1), format=".2f", right=True, priority=2),
    ]
    return Sheet(
        f"{counted(len(plan.studies), 'search', 'searches')}, {resources}; {plan.policy.describe()}",
        columns,
        plan.studies,
    )
