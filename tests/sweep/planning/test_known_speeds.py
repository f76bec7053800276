"""Estimates follow what steps were measured to take on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.estimate import FIT_SECONDS, Estimator
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import ResourceRequest
from sweep.planning.speeds import FILE, KnownSpeeds, StepSpeed
from sweep.ray_tune.allocation import as_it_will_be, estimator_for
from sweep.records.trials import TrialPlan
from sweep.study.options import StudyOptions
from sweep.study.outline import StudyOutline
from trainables.data.tiles import TuningData
from trainables.models.sources import cache
from trainables.models.weights import Weights
from trainables.precision import cpu_fingerprint
from trainables.recipe import Recipe

LITE, RESNET = "smp_unet_efficientnet_lite0", "smp_unet_resnet34"
LOCAL = ResourceRequest(device="cpu", address="local")
TWO = LOCAL.divide(trials=2, total_cpus=2, total_gpus=0)


def _recipe(architecture: str = LITE) -> Recipe:
    return shared_recipe(architecture, get_profile("demo"))


def _trial(architecture: str = LITE) -> TrialPlan:
    return TrialPlan(attempt=architecture, contest="all", recipe=_recipe(architecture), weights=Weights(kind="none"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def measured(own_cache: None) -> None:
    for name, bf16 in ((LITE, 0.5), (RESNET, 2.0)):
        KnownSpeeds(cpu_fingerprint()).keep(_recipe(name), 1, StepSpeed(fp32=2.0, bf16=bf16))


@pytest.mark.usefixtures("measured")
def test_a_training_takes_as_long_as_its_measured_steps(dataset: Path) -> None:
    estimator = estimator_for(LOCAL, TuningData.read(dataset), TWO)
    longer = _recipe().replace(draws_per_epoch=_recipe().draws_per_epoch + 4 * _recipe().batch_size)
    for precision, step in (("fp32", 2.0), ("bf16", 0.5), ("auto", 2.0)):
        added = estimator.trial(longer.replace(precision=precision)) - estimator.trial(
            _recipe().replace(precision=precision)
        )
        assert added == pytest.approx(4 * step * _recipe().max_epochs)


@pytest.mark.usefixtures("measured")
def test_a_plan_says_the_precisions_that_it_will_have_and_a_cluster_s_nodes_are_not_this_machine() -> None:
    plan = SweepPlan(trials=(_trial(), _trial(RESNET)))
    assert [one.recipe.precision for one in as_it_will_be(LOCAL, plan, TWO).trials] == ["bf16", "fp32"]
    joined = ResourceRequest(device="cpu", address="10.0.0.1:6379")
    assert as_it_will_be(joined, plan, TWO) == plan


@pytest.mark.usefixtures("measured")
def test_a_plan_is_measured_when_the_steps_of_all_its_trials_are(dataset: Path) -> None:
    data = TuningData.read(dataset)
    estimator = estimator_for(LOCAL, data, TWO)
    known = (_trial(), _trial(RESNET), _trial(f"probe:{LITE}"))
    assert estimator.measured(SweepPlan(trials=known))
    assert not estimator.measured(SweepPlan(trials=(*known, _trial("unet"))))
    assert not Estimator(data=data, device="cpu").measured(SweepPlan(trials=known))


def test_a_machine_without_measurements_is_estimated_without_loading_torch(dataset: Path) -> None:
    assert not (cache() / FILE).exists() and KnownSpeeds.of_machine(TWO) is None
    plan = SweepPlan(trials=(_trial(),))
    assert as_it_will_be(LOCAL, plan, TWO) == plan
    assert estimator_for(LOCAL, TuningData.read(dataset), TWO).speeds is None


def test_probes_on_one_encoder_compute_its_features_once(dataset: Path) -> None:
    estimator = Estimator(data=TuningData.read(dataset), device="cpu")
    trials = [_trial(f"probe:{LITE}"), _trial(f"probe:{LITE}"), _trial(f"probe:{RESNET}"), _trial()]
    found = estimator.together(trials)
    assert found[1] == FIT_SECONDS["cpu"]
    assert [found[0], *found[2:]] == [estimator.planned(one) for one in (trials[0], *trials[2:])]
    recipes = [one.recipe for one in trials]
    assert estimator.scoring(recipes) == pytest.approx(estimator.scoring(recipes[1:]))
    assert estimator.costs(SweepPlan(trials=tuple(trials)), TWO)[f"probe:{LITE}"] == pytest.approx(sum(found[:2]) / 2)


def test_what_follows_in_a_study_is_estimated_anew_once_steps_are_measured(dataset: Path) -> None:
    options = StudyOptions(profile="demo", patches=dataset, architectures=(LITE, RESNET), device="cpu", address="local")
    outline = StudyOutline.of(options, Console(quiet=True))
    phases = ("phase1", "phase2", "phase3")
    before = sum(step.seconds for step in outline.steps(outline.usual, phases))
    threads = outline.divided(outline.first.plan.total).cpus_per_trial
    for trial in outline.first.plan.trials:
        KnownSpeeds(cpu_fingerprint()).keep(trial.recipe, threads, StepSpeed(fp32=0.01, bf16=0.001))
    after = sum(step.seconds for step in outline.steps(outline.usual, phases))
    assert after < 0.8 * before
