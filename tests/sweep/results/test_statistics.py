"""Intervals, paired differences and the probability of being best, against known truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from benchmarks.coverage import DISTRIBUTIONS, covered
from sweep.results.statistics import COVERAGE, Resampling, Scores, compare, coverage, mean_interval


def one_training(*scores: float) -> Scores:
    return np.array([scores])


def test_one_training_s_interval_is_student_s() -> None:
    tiles = np.random.default_rng(2).beta(6, 2, size=6)
    ours = mean_interval(tiles[None])
    theirs = stats.ttest_1samp(tiles, 0.0).confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_several_trainings_take_satterthwaite_s_degrees_of_freedom() -> None:
    scores = np.array(
        [[0.50, 0.60, 0.62], [0.52, 0.64, 0.64]]
    )  # means by tile 0.51, 0.62, 0.63; by training 0.57333, 0.6
    tiles, trainings = np.var([0.51, 0.62, 0.63], ddof=1) / 3, np.var([1.72 / 3, 0.6], ddof=1) / 2
    freedom = (tiles + trainings) ** 2 / (tiles**2 / 2 + trainings**2 / 1)
    half = stats.t.ppf(0.975, freedom) * (tiles + trainings) ** 0.5
    interval = mean_interval(scores)
    assert (interval.low, interval.high) == pytest.approx((scores.mean() - half, scores.mean() + half))


def test_an_interval_ends_at_the_bounds() -> None:
    interval = mean_interval(one_training(0.0, 0.9))
    assert (interval.low, interval.high) == (0.0, 1.0)
    interval = mean_interval(one_training(-0.5, 0.4), bounds=(-1.0, 1.0))
    assert (interval.low, interval.high) == (-1.0, 1.0)


def test_one_tile_gives_no_interval() -> None:
    interval = mean_interval(one_training(0.7))
    assert (interval.mean, interval.low, interval.high) == (0.7, None, None)


@pytest.mark.parametrize("scores", [np.zeros((0, 3)), np.zeros(3), np.array([[0.5, np.nan]])])
def test_what_are_no_scores_is_refused(scores: Scores) -> None:
    with pytest.raises(ValueError, match="expected finite numbers"):
        mean_interval(scores)


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0, 1)))
def test_an_interval_holds_the_mean_and_lies_within_0_and_1(scores: Scores) -> None:
    interval = mean_interval(scores)
    if interval.low is not None and interval.high is not None:
        assert 0.0 <= interval.low <= interval.mean + 1e-9 and interval.mean - 1e-9 <= interval.high <= 1.0


def test_resampled_means_have_the_standard_error_of_the_mean() -> None:
    scores = np.random.default_rng(1).beta(6, 2, size=(1, 24))
    spread = Resampling(24).means(scores).std()
    assert spread == pytest.approx(scores.std(ddof=1) / np.sqrt(24), rel=0.03)


def test_resampling_many_tiles_is_scipy_s_bootstrap() -> None:
    scores = np.random.default_rng(2).beta(6, 2, size=400)
    theirs = stats.bootstrap((scores,), np.mean, method="percentile", rng=np.random.default_rng(3)).confidence_interval
    resampling = Resampling(400)
    assert resampling.percentiles(resampling.means(scores[None])) == pytest.approx((theirs.low, theirs.high), abs=2e-3)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_at_24_tiles_the_interval_holds_the_truth_as_often_as_it_says(distribution: str) -> None:
    assert 0.92 <= covered(distribution, trainings=1, tiles=24, simulations=2_000) <= 0.97


@pytest.mark.parametrize(("distribution", "end"), [("two kinds of tiles", 0), ("skewed", 1)])
def test_at_6_tiles_it_holds_the_truth_as_often_as_the_report_says(distribution: str, end: int) -> None:
    assert covered(distribution, trainings=1, tiles=6, simulations=2_000) == pytest.approx(COVERAGE[6][end], abs=0.02)


def test_trainings_with_other_seeds_widen_the_interval() -> None:
    tiles = np.random.default_rng(4).normal(0.7, 0.01, size=24)
    alike, apart = (mean_interval(tiles + spread * np.array([[-1.0], [0.0], [1.0]])) for spread in (0.0, 0.05))
    assert apart.high - apart.low > 3 * (alike.high - alike.low)  # type: ignore[operator]


def test_coverage_is_that_of_at_most_as_many_tiles() -> None:
    assert (coverage(1), coverage(8), coverage(100)) == (COVERAGE[3], COVERAGE[6], COVERAGE[24])


def test_pairing_by_tile_tells_contenders_apart_whose_intervals_overlap() -> None:
    rng = np.random.default_rng(5)
    tiles, luck = rng.uniform(0.3, 0.9, size=12), rng.normal(0, 0.002, size=(2, 3, 1))
    good, poor = tiles + luck[0], tiles + luck[1] - 0.03 + rng.normal(0, 0.005, size=12)
    assert mean_interval(poor).high > mean_interval(good).low  # type: ignore[operator]
    winner, loser = compare([good, poor])
    assert winner.difference is None and not winner.tied and not loser.tied
    assert loser.difference is not None and loser.difference.high is not None and loser.difference.high < 0
    assert loser.difference.mean == pytest.approx(-0.03, abs=0.005)
    assert winner.probability_best == pytest.approx(1.0, abs=0.01)


def test_contenders_that_differ_by_chance_are_tied() -> None:
    rng = np.random.default_rng(6)
    tiles = rng.uniform(0.3, 0.9, size=12)
    compared = compare([tiles + rng.normal(0, 0.05, size=12) + rng.normal(0, 0.02, size=(3, 1)) for _ in range(3)])
    assert all(one.tied for one in compared)
    assert sum(one.probability_best or 0.0 for one in compared) == pytest.approx(1.0)


def test_equals_share_the_probability() -> None:
    same = np.array([[0.5, 0.6, 0.7], [0.5, 0.65, 0.7]])
    assert [one.probability_best for one in compare([same, same])] == pytest.approx([0.5, 0.5], abs=0.02)


def test_an_interval_of_differences_grows_with_the_number_of_rivals() -> None:
    rng = np.random.default_rng(7)
    tiles = rng.uniform(0.3, 0.9, size=12)
    luck = rng.normal(0, 0.01, size=(5, 3, 1))
    scores = [tiles - 0.05 * number + rng.normal(0, 0.03, size=12) + luck[number] for number in range(5)]
    alone, among = compare(scores[:2])[1].difference, compare(scores)[1].difference
    assert alone and among
    assert among.high - among.low > alone.high - alone.low  # type: ignore[operator]


def test_one_tile_tells_nobody_from_the_winner() -> None:
    winner, loser = compare([one_training(0.9), one_training(0.1)])
    assert winner.tied and loser.tied


def test_without_a_rival_there_is_no_probability() -> None:
    (alone,) = compare([one_training(0.5, 0.6)])
    assert alone.probability_best is None and not alone.tied
    assert compare([]) == []
