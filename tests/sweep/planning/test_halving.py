"""Rungs, promotions, and what a search is expected to cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.planning.halving import AshaPause
from sweep.planning.policy import TO_THE_END, RungState, best_until
from trainables.errors import ExperimentError


def _halving(**changes: int) -> AshaPause:
    return AshaPause(**{"max_epochs": 9, "grace_epochs": 1, "reduction_factor": 3, **changes})  # type: ignore[arg-type]


def _paused(number: int, *curve: float, until: int | None = None) -> RungState:
    return RungState(number=number, curve=dict(enumerate(curve, start=1)), until=until or len(curve), ended=False)


@pytest.mark.parametrize(
    ("settings", "rungs"),
    [
        ({}, (1, 3)),
        ({"max_epochs": 60, "grace_epochs": 6}, (6, 18, 54)),
        ({"max_epochs": 10}, (1, 3, 9)),
        ({"grace_epochs": 9}, ()),
        ({"max_epochs": 5, "reduction_factor": 2}, (1, 2, 4)),
    ],
)
def test_rungs_lie_below_the_maximum(settings: dict[str, int], rungs: tuple[int, ...]) -> None:
    assert _halving(**settings).rungs == rungs


def test_a_trial_pauses_at_each_rung_and_then_runs_to_the_end() -> None:
    halving = _halving()
    assert [halving.next_pause(epoch) for epoch in (0, 1, 2, 3, 8)] == [1, 3, 3, TO_THE_END, TO_THE_END]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"grace_epochs": 10}, "--grace-period 10: is beyond the maximum of 9"),
        ({"grace_epochs": 0}, "--grace-period 0"),
        ({"reduction_factor": 1}, "--reduction-factor 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, int], said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        _halving(**settings)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ExperimentError) as caught:
        _halving(grace_epochs=10, reduction_factor=0)
    assert len(caught.value.faults) == 2


def test_the_expected_epochs_are_those_of_a_bracket() -> None:
    # 27 rivals: 27 x 1 epoch, 9 go on for 2 more, 3 for 6 more; and the shared recipe runs all 9.
    assert _halving().expected_epochs(28, 9) == 27 * 1 + 9 * 2 + 3 * 6 + 9


def test_the_best_third_of_a_rung_goes_on() -> None:
    trials = [_paused(1, 0.2), _paused(2, 0.5), _paused(3, 0.4)]
    assert _halving().promote(trials, all_started=False) == 2
    assert _halving().promote(trials[:2], all_started=False) is None, "one of two is more than a third"
    promoted = [trials[0], RungState(number=2, curve={1: 0.5}, until=3, ended=False), trials[2]]
    assert _halving().promote(promoted, all_started=False) is None, "its place is taken"


def test_the_highest_rung_is_served_first() -> None:
    higher = [_paused(number, 0.1, 0.1, 0.1 * number) for number in (1, 2, 3)]
    lower = [_paused(number, 0.9) for number in (4, 5, 6)]
    assert _halving().promote([*higher, *lower], all_started=False) == 3


def test_the_shared_recipe_takes_nobody_s_place() -> None:
    shared = RungState(number=0, curve={1: 0.9}, until=9, ended=False)
    rivals = [_paused(1, 0.1), _paused(2, 0.2), _paused(3, 0.3)]
    assert _halving().promote([shared, *rivals], all_started=False) == 3


def test_when_nobody_else_comes_the_best_goes_on_however_few_there_are() -> None:
    trials = [_paused(1, 0.2), _paused(2, 0.5)]
    assert _halving().promote(trials, all_started=True) == 2
    running = RungState(number=3, curve={}, until=1, ended=False)
    assert _halving().promote([*trials, running], all_started=True) is None, "one is still to be heard"


def test_trials_are_compared_by_the_weights_that_would_be_used() -> None:
    curve = {1: 0.3, 3: 0.1, 2: 0.5}
    assert {epoch: best_until(curve, epoch) for epoch in curve} == {1: 0.3, 2: 0.5, 3: 0.5}
    fallen, steady = _paused(1, 0.2, 0.9, 0.1), _paused(2, 0.2, 0.3, 0.4)
    trials = [fallen, steady, _paused(3, 0.1, 0.1, 0.1)]
    assert _halving().promote(trials, all_started=False) == 1


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_whole_search_ends_and_its_best_first_rung_is_never_given_up_at_once(values: list[float]) -> None:
    """Played through with curves that stand still: the trial with the best first epoch runs to its end."""
    halving = _halving()
    trials = [_paused(number, value) for number, value in enumerate(values, start=1)]
    for _ in range(10 * len(trials)):
        number = halving.promote(trials, all_started=True)
        if number is None:
            break
        old = trials[number - 1]
        until = min(halving.next_pause(old.until), 9)
        curve = dict.fromkeys(range(1, until + 1), values[number - 1])
        trials[number - 1] = RungState(number=number, curve=curve, until=until, ended=until == 9)
    else:
        raise AssertionError("never ends")
    assert trials[values.index(max(values))].ended
