"""When trials share processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.resources import Resources
from sweep.ray_tune.actors import share_processes
from sweep.records.trials import TrialPlan
from tests.reports import plan_of
from trainables.data.tiles import TuningData


@pytest.fixture
def data(dataset: Path) -> TuningData:
    return TuningData.read(dataset)


def _trial(profile: str, name: str = "unet", **changes: int) -> TrialPlan:
    recipe = shared_recipe("unet", get_profile(profile)).replace(**changes)
    return plan_of(name, recipe=recipe)


def _resources(concurrent: int = 1) -> Resources:
    return Resources(
        device="cuda", cpus_per_trial=2, gpus_per_trial=1, concurrent=concurrent, total_cpus=8, total_gpus=4
    )


def _plan(*trials: TrialPlan) -> SweepPlan:
    return SweepPlan(trials=trials)


def test_long_trials_get_a_process_each(data: TuningData) -> None:
    # 60 epochs of 400 draws of a megapixel at 0.15 s: an hour, of which a fresh process takes 10 s.
    assert not share_processes(_plan(_trial("paper", "a"), _trial("paper", "b")), data, _resources())


def test_one_short_trial_among_them_has_all_share(data: TuningData) -> None:
    short = _trial("paper", "b", max_epochs=1)  # a minute
    assert share_processes(_plan(_trial("paper", "a"), short), data, _resources())


def test_trials_that_all_fit_side_by_side_have_nothing_to_share(data: TuningData) -> None:
    trials = [_trial("smoke", str(number)) for number in range(3)]
    assert not share_processes(_plan(*trials), data, _resources(concurrent=3))
    assert share_processes(_plan(*trials), data, _resources(concurrent=2))


def test_a_search_counts_by_the_epochs_before_its_first_rung(data: TuningData) -> None:
    from sweep.planning.halving import AshaStop

    study = StudyPlan(template=_trial("paper"), space={}, trials=4)
    policy = AshaStop(max_epochs=60, grace_epochs=1, reduction_factor=3)
    assert not share_processes(SweepPlan(studies=(study,)), data, _resources())
    assert share_processes(SweepPlan(studies=(study,), policy=policy), data, _resources())
