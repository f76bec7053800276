"""What every policy that ``--halving`` knows promises, and that stopping is Ray's own ASHA, decision by decision."""

from __future__ import annotations

import copy
import json
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from sweep.planning.halving import AshaStop
from sweep.planning.policies import POLICIES, make_policy, read_policy
from sweep.planning.policy import Decision, Policy, best_until

EPOCHS = 9


def _policy(name: str, **changes: Any) -> Policy:
    common = {"max_epochs": EPOCHS, "grace_epochs": 1, "reduction_factor": 3, "warm_from": ""}
    return make_policy(name, {**common, **changes})


def _curves(seed: int, trials: int = 12) -> dict[str, dict[int, float]]:
    dice = random.Random(seed)
    return {
        f"t{number}": {epoch: dice.random() for epoch in range(1, dice.randrange(2, EPOCHS))}
        for number in range(trials)
    }


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_read_as_it_was_written(name: str) -> None:
    policy = _policy(name)
    assert read_policy(json.loads(json.dumps(policy.to_dict()))) == policy and policy.name == name


@pytest.mark.parametrize("name", POLICIES)
def test_a_decision_follows_from_the_curves_alone_and_changes_nothing(name: str) -> None:
    for seed in range(5):
        curves = _curves(seed)
        before = copy.deepcopy(curves)
        for trial, curve in before.items():
            for epoch in curve:
                decision = _policy(name).decide(trial, epoch, curves)
                assert isinstance(decision, Decision) and decision is _policy(name).decide(trial, epoch, before)
        assert curves == before


@pytest.mark.parametrize("name", POLICIES)
def test_a_trial_alone_in_its_study_is_never_stopped_however_bad_it_gets(name: str) -> None:
    for epoch in range(1, EPOCHS):
        curve = {one: 1.0 / one for one in range(1, epoch + 1)}
        assert _policy(name).decide("lone", epoch, {"lone": curve}) is not Decision.STOP


@pytest.mark.parametrize("name", POLICIES)
def test_nobody_ends_before_the_grace_period(name: str) -> None:
    policy = _policy(name, grace_epochs=4)
    first = policy.first_end(EPOCHS)
    assert 4 <= first <= EPOCHS
    curves = {f"t{number}": dict.fromkeys(range(1, 4), 1 - number / 10) for number in range(9)}
    for trial in curves:
        for epoch in range(1, 4):
            assert policy.decide(trial, epoch, curves) is Decision.CONTINUE


@pytest.mark.parametrize("name", POLICIES)
def test_a_trial_pauses_where_it_was_said_to(name: str) -> None:
    policy, curves = _policy(name), {"t": dict.fromkeys(range(1, EPOCHS), 0.5)}
    paused = [epoch for epoch in range(1, EPOCHS) if policy.decide("t", epoch, curves) is Decision.PAUSE]
    said = [epoch for epoch in range(1, EPOCHS) if policy.next_pause(epoch - 1) == epoch]
    assert paused == said and bool(paused) == policy.pauses


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("trials", [1, 2, 28])
def test_the_expected_epochs_are_at_most_those_of_full_trainings(name: str, trials: int) -> None:
    policy = _policy(name)
    expected = policy.expected_epochs(trials, EPOCHS)
    assert EPOCHS + (trials - 1) * policy.first_end(EPOCHS) <= expected <= trials * EPOCHS
    assert policy.ends_early or expected == trials * EPOCHS
    assert policy.describe()


def test_earlier_versions_wrote_no_name() -> None:
    known = {"max_epochs": 9, "grace_epochs": 1, "reduction_factor": 3}
    assert read_policy({**known, "pausing": True, "warm_from": ""}) == _policy("pause")
    assert read_policy({**known, "pausing": False, "warm_from": "p1"}) == _policy("stop", warm_from="p1")
    assert read_policy(None) == _policy("off")


def test_the_worse_of_two_rivals_is_stopped_at_the_first_rung() -> None:
    stop = _policy("stop")
    assert stop.decide("good", 1, {"good": {1: 0.8}}) is Decision.CONTINUE
    assert stop.decide("bad", 1, {"good": {1: 0.8}, "bad": {1: 0.2}}) is Decision.STOP
    assert stop.decide("between", 1, {"good": {1: 0.8}, "bad": {1: 0.2}, "between": {1: 0.5}}) is Decision.STOP


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    trials=st.integers(1, 30),
    most=st.integers(1, 30),
    grace=st.integers(1, 30),
    factor=st.integers(2, 5),
    warm=st.integers(0, 5),
)
def test_stopping_is_ray_s_own_asha_decision_by_decision(
    seed: int, trials: int, most: int, grace: int, factor: int, warm: int
) -> None:
    """Random curves of trials side by side, with ties, and with curves that are known from before."""
    grace, dice = min(grace, most), random.Random(seed)
    asha = AsyncHyperBandScheduler(
        time_attr="epoch",
        metric="best",
        mode="max",
        max_t=most,
        grace_period=grace,
        reduction_factor=factor,
        stop_last_trials=False,
    )

    def heard(trial: str, epoch: int, curve: dict[int, float]) -> str:
        named = SimpleNamespace(trial_id=trial)
        asha.on_trial_add(None, named)
        return str(asha.on_trial_result(None, named, {"epoch": epoch, "best": best_until(curve, epoch)}))

    policy = AshaStop(max_epochs=most, grace_epochs=grace, reduction_factor=factor)
    values = {f"t{number}": [round(dice.random(), 2) for _ in range(most)] for number in range(trials)}
    curves: dict[str, dict[int, float]] = {}
    for number in range(warm):
        curves[f"earlier/{number}"] = {epoch: dice.random() for epoch in range(1, dice.randint(1, most) + 1)}
        for epoch in curves[f"earlier/{number}"]:
            heard(f"earlier/{number}", epoch, curves[f"earlier/{number}"])
    alive = list(values)
    while alive:
        trial = dice.choice(alive)
        curve = curves.setdefault(trial, {})
        epoch = len(curve) + 1
        curve[epoch] = values[trial][epoch - 1]
        said = heard(trial, epoch, curve)
        if epoch == most or dice.random() < 0.02:  # its last epoch, by patience or not, is compared with
            alive.remove(trial)
            continue
        decision = policy.decide(trial, epoch, curves)
        assert (decision is Decision.STOP) == (said == TrialScheduler.STOP) and decision is not Decision.PAUSE
        if decision is Decision.STOP:
            alive.remove(trial)
