"""How a study's time is divided among its phases."""

from __future__ import annotations

import pytest

from sweep.study.division import LEAST_DRAWS, LEAST_TRIALS, MOST_TRIALS, RESERVE, Costs, Sizes, divide

PAPER = Sizes(trials=30, draws=3)
COSTS = Costs(fixed=1000.0, search=lambda trials: 100.0 * trials, curve=lambda draws: 500.0 * draws)


def test_without_a_budget_the_profile_has_its_own_sizes() -> None:
    assert divide(None, COSTS, PAPER) == PAPER


def test_phase_2_gets_what_the_others_leave() -> None:
    """1,000 s are given, 1,500 s are Phase 3's, and a tenth stays free."""
    assert divide(7000.0, COSTS, PAPER) == Sizes(trials=38, draws=3)
    assert divide(5000.0, COSTS, PAPER) == Sizes(trials=20, draws=3)


def test_before_the_search_is_none_phase_3_gets_fewer_draws() -> None:
    least_of_three = (1000 + 100 * LEAST_TRIALS + 1500) / (1 - RESERVE)
    assert divide(least_of_three + 1, COSTS, PAPER) == Sizes(trials=LEAST_TRIALS, draws=3)
    found = divide(least_of_three - 1, COSTS, PAPER)
    assert found and found.draws == LEAST_DRAWS and found.trials > LEAST_TRIALS


def test_what_does_not_fit_is_refused_and_the_least_that_is_asked_for_fits() -> None:
    least = COSTS.needed(PAPER.least)
    assert divide(least - 1, COSTS, PAPER) is None
    assert divide(least, COSTS, PAPER) == PAPER.least


def test_a_week_does_not_make_an_endless_search() -> None:
    assert divide(7 * 86400.0, COSTS, PAPER) == Sizes(trials=MOST_TRIALS, draws=3)


@pytest.mark.parametrize("usual", [Sizes(trials=2, draws=1), Sizes(trials=4, draws=2)])
def test_the_least_sizes_are_never_larger_than_the_profiles(usual: Sizes) -> None:
    assert usual.least == usual


@pytest.mark.parametrize("seconds", [3500.0, 4000.0, 5500.0, 9000.0])
def test_what_is_chosen_fits_and_one_trial_more_would_not(seconds: float) -> None:
    sizes = divide(seconds, COSTS, PAPER)
    assert sizes and COSTS.needed(sizes) <= seconds
    assert sizes.trials == MOST_TRIALS or COSTS.needed(Sizes(trials=sizes.trials + 1, draws=sizes.draws)) > seconds
