"""``--fill``: which trainings are added where GPUs would be idle, and how much of the GPUs' time that leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.estimate import Estimator
from sweep.planning.filling import fill, idle_share, with_filled
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import ResourceRequest, Resources
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.models.weights import Weights


def _trial(architecture: str, number: int = 0, contender: str = "") -> TrialPlan:
    recipe = shared_recipe(architecture, get_profile("paper"), seed=42 + max(0, number - 1))
    slug = architecture.replace(":", "-")
    name = f"{slug}-{number}" if number else slug
    return TrialPlan(attempt=name, contest=name, contender=slug, recipe=recipe, weights=Weights(kind="none"))


THREE = SweepPlan(trials=(_trial("unet"), _trial("sam_vit_b_conv"), _trial("probe:sam_vit_b_conv")))
"""SAM takes the longest; a probe is fitted in closed form."""


@pytest.fixture
def data(dataset: Path) -> TuningData:
    return TuningData.read(dataset)


def _on(gpus: int, plan: SweepPlan = THREE, cpus: int = 32, **request: object) -> Resources:
    asked = ResourceRequest(device="cuda", **request)  # type: ignore[arg-type]
    return asked.divide(trials=plan.total, total_cpus=cpus, total_gpus=gpus)


@pytest.mark.parametrize(
    ("gpus", "added"),
    [
        (3, ()),
        (4, ("sam_vit_b_conv-2",)),
        (6, ("sam_vit_b_conv-2", "unet-2", "sam_vit_b_conv-3")),
    ],
)
def test_the_longest_is_trained_again_and_all_once_before_any_twice(
    gpus: int, added: tuple[str, ...], data: TuningData
) -> None:
    plan, resources, names = fill(THREE, data, _on(gpus), None)
    assert names == added and tuple(trial.attempt for trial in plan.trials[3:]) == added
    assert (resources.concurrent, resources.idle_gpus) == (gpus, 0)
    for trial in plan.trials[3:]:
        assert trial.contest == trial.attempt and trial.contender == trial.attempt.rpartition("-")[0]
    seeds = [trial.recipe.seed for trial in plan.trials if trial.contender == "sam_vit_b_conv"]
    assert seeds == [42 + number for number in range(len(seeds))]


def test_repeats_are_continued_and_names_stay_unique(data: TuningData) -> None:
    plan = SweepPlan(trials=tuple(_trial("unet", number) for number in (1, 2)))
    found, _, names = fill(plan, data, _on(4, plan), None)
    assert names == ("unet-3", "unet-4")
    assert [trial.recipe.seed for trial in found.trials] == [42, 43, 44, 45]


def test_shares_of_gpus_limits_and_cpus_are_kept(data: TuningData) -> None:
    _, resources, names = fill(THREE, data, _on(3, gpus_per_trial=0.5), None)
    assert len(names) == 2 and resources.concurrent == 5, "a whole GPU of three is idle: two places"
    assert fill(THREE, data, _on(8), 4)[1].concurrent == 4
    assert fill(THREE, data, _on(8, cpus=8), None)[1].cpus_per_trial == 1
    assert fill(THREE, data, _on(8, max_concurrent=2), 2)[2] == ()


def test_nothing_is_added_on_a_cpu_or_to_probes_alone(data: TuningData) -> None:
    cpu = ResourceRequest(device="cpu").divide(trials=3, total_cpus=8, total_gpus=0)
    assert fill(THREE, data, cpu, None) == (THREE, cpu, ())
    probes = SweepPlan(trials=THREE.trials[2:])
    assert fill(probes, data, _on(4, probes), None)[2] == ()


def test_a_sweep_that_began_with_more_is_the_same_on_fewer_gpus(data: TuningData) -> None:
    begun, _, names = fill(THREE, data, _on(6), None)
    assert with_filled(THREE, begun, names) == begun


def test_the_idle_share_counts_what_the_longest_leaves_and_what_nobody_takes(data: TuningData) -> None:
    estimator = Estimator(data=data, device="cuda")
    one = SweepPlan(trials=(_trial("unet"),))
    assert idle_share(one, _on(1, one), estimator) == 0
    assert idle_share(one, _on(4, one), estimator) == pytest.approx(0.75)
    twins = SweepPlan(trials=tuple(_trial("unet", number) for number in (1, 2, 3)))
    assert idle_share(twins, _on(2, twins), estimator) == pytest.approx(1 / 4), "two places, two rounds, three trials"
    filled, resources, _ = fill(one, data, _on(4, one), None)
    assert idle_share(filled, resources, estimator) == pytest.approx(0)
    cpu = ResourceRequest(device="cpu").divide(trials=3, total_cpus=8, total_gpus=0)
    assert idle_share(THREE, cpu, estimator) == 0
