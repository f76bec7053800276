"""Intervals of a stratified sample hold the truth as often as they say, also for rare classes and few points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from benchmarks.map_audit import coverage_of
from sweep.audit.maps.intervals import Counted, Estimate, share_limits

MAPS = 600


def estimate_ratio(weights: Any, points: Any, hits: Any, cases: Any, **more: Any) -> Estimate:
    return Counted(weights=weights, points=points, hits=hits, cases=cases, **more).estimate()


def test_a_share_of_one_stratum_has_limits_between_jeffreys_and_clopper_and_pearsons() -> None:
    low, high = share_limits(np.array([3 / 40]), np.array([40.0]))
    exact = beta.ppf(0.025, 3, 38), beta.ppf(0.975, 4, 37)
    jeffreys = beta.ppf(0.025, 3.5, 37.5), beta.ppf(0.975, 3.5, 37.5)
    assert exact[0] < low[0] < jeffreys[0] and jeffreys[1] < high[0] < exact[1]


def test_a_stratum_without_an_error_is_not_called_perfect() -> None:
    low, high = share_limits(np.array([0.0, 1.0]), np.array([50.0, 50.0]))
    assert low[0] == 0 and 0.05 < high[0] < 0.075
    assert high[1] == 1 and 0.925 < low[1] < 0.95


def test_one_stratum_has_its_own_limits() -> None:
    own = share_limits(np.array([0.3]), np.array([60.0]))
    found = estimate_ratio(np.array([1.0]), np.array([60]), np.array([18]), np.array([60]))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (pytest.approx(own[0][0]), pytest.approx(own[1][0]))


def test_a_users_accuracy_does_not_depend_on_the_other_strata() -> None:
    weights, points = np.array([0.9, 0.1]), np.array([100, 40])
    alone = estimate_ratio(np.array([1.0]), np.array([40]), np.array([30]), np.array([40]))
    own = np.array([False, True])
    among = estimate_ratio(weights, points, np.array([0, 30]), np.array([0, 40]), can_hit=own, can_miss=own)
    assert among.value == pytest.approx(0.75) and alone.value == 0.75
    assert (among.low, among.high) == (pytest.approx(alone.low), pytest.approx(alone.high))


def test_olofssons_example_has_its_published_estimates() -> None:
    """Olofsson et al. 2014, tables 8 and 9: areas and accuracies of four strata of a change map."""
    weights = np.array([0.020, 0.015, 0.320, 0.645])
    matrix = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
    points = matrix.sum(axis=1)
    areas = [estimate_ratio(weights, points, matrix[:, place], points) for place in range(4)]
    assert [round(one.value or 0, 3) for one in areas] == [0.024, 0.013, 0.318, 0.646]
    overall = estimate_ratio(weights, points, np.diag(matrix), points)
    assert overall.value == pytest.approx(0.947, abs=0.001)
    hits = np.array([0, 0, 0, 1]) * np.diag(matrix)
    forest = estimate_ratio(weights, points, hits, matrix[:, 3])
    assert forest.value == pytest.approx(0.962, abs=0.001)
    deforested = estimate_ratio(weights, points, np.array([66, 0, 0, 0]), matrix[:, 0])
    assert deforested.value == pytest.approx(0.748, abs=0.01)
    half = (areas[0].high - areas[0].low) / 2
    assert 0.0067 < half < 0.0087  # 21,158 of 10 million pixels +- 6,158 and 1.96 standard errors; ours are a bit wider


def test_a_stratum_that_is_seen_whole_is_known() -> None:
    found = estimate_ratio(
        np.array([0.5, 0.5]), np.array([20, 20]), np.array([5, 10]), np.array([20, 20]), pixels=np.array([20, 20])
    )
    assert found.value == 0.375 and found.high - found.low < 1e-3


def test_without_a_case_nothing_is_known() -> None:
    found = estimate_ratio(np.array([1.0]), np.array([20]), np.array([0]), np.array([0]))
    assert found.value is None and (found.low, found.high) == (0.0, 1.0)


def test_limits_enclose_the_estimate_whatever_is_counted() -> None:
    random = np.random.default_rng(3)
    for _ in range(300):
        strata = int(random.integers(1, 6))
        points = random.integers(1, 60, strata)
        cases = random.integers(0, points + 1)
        hits = random.integers(0, cases + 1)
        shares = random.dirichlet(np.ones(strata))
        value, low, high = Counted(weights=shares, points=points, hits=hits, cases=cases).limits()
        if cases.sum():
            assert 0 <= low <= value + 1e-9 and value - 1e-9 <= high <= 1


def test_the_truth_is_inside_in_94_of_100_simulated_maps_and_the_usual_interval_misses_it() -> None:
    found = coverage_of(MAPS, seed=20)
    for what in ("area", "user's accuracy", "producer's accuracy", "overall accuracy"):
        held, drawn = found[what, "ours"], found[what, "usual"]
        assert held.share >= 0.94, (what, held)
        assert drawn.share < held.share, (what, drawn)
    assert found["user's accuracy", "usual"].share < 0.9
