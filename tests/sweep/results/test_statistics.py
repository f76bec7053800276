"""Intervals, paired differences and the probability of being best, against known truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from benchmarks.coverage import said
from benchmarks.worlds import KINDS, World
from sweep.records.store import ScoreRow
from sweep.results.contenders import SplitScores, val_layout
from sweep.results.layout import Layout, Scores
from sweep.results.statistics import COVERAGE, Inconclusive, compare, coverage, inconclusive, mean_interval
from sweep.results.variances import VariancePart, moderate, satterthwaite


def one_training(*scores: float) -> Scores:
    return np.array([scores])


def test_one_training_s_interval_is_student_s() -> None:
    tiles = np.random.default_rng(2).beta(6, 2, size=6)
    ours = mean_interval(tiles[None])
    theirs = stats.ttest_1samp(tiles, 0.0).confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_tiles_and_trainings_each_have_a_part_without_the_noise_of_single_scores() -> None:
    scores = np.array([[0.50, 0.60, 0.64], [0.52, 0.64, 0.67]])
    rest = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    noise = float((rest**2).sum()) / 2 / 3
    tiles = VariancePart(variance=np.var(scores.mean(axis=0), ddof=1) / 3, freedom=2.0)
    trainings = VariancePart(variance=(np.var(scores.mean(axis=1), ddof=1) - noise) / 2, freedom=1.0)
    freedom = (tiles.variance + trainings.variance) ** 2 / (tiles.variance**2 / 2 + trainings.variance**2)
    narrow = stats.t.ppf(0.975, freedom) ** 2 * (tiles.variance + trainings.variance)
    wide = stats.t.ppf(0.975, 2) ** 2 * tiles.variance + stats.t.ppf(0.975, 1) ** 2 * trainings.variance
    interval = mean_interval(scores, bounds=(-9.0, 9.0))
    assert interval.high == pytest.approx(scores.mean() + (0.75 * narrow + 0.25 * wide) ** 0.5)


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


@pytest.mark.parametrize(("kind", "folds"), [(kind, folds) for kind in KINDS for folds in (0, 5)])
def test_the_interval_of_a_mean_holds_the_truth_as_often_as_it_says(kind: str, folds: int) -> None:
    found = said(World(merits=(0.0, 0.0), tiles=30, seeds=0.015, kind=kind, folds=folds), 2_000)
    assert 0.92 <= found.covered <= 0.98


def test_of_six_tiles_of_which_one_in_five_is_hard_it_holds_the_truth_as_seldom_as_the_notes_say() -> None:
    found = said(World(merits=(0.0, 0.0), tiles=6, kind="one in five hard"), 2_000)
    assert found.covered == pytest.approx(COVERAGE[6][0], abs=0.02)


def test_tiles_of_one_scene_count_once() -> None:
    scenes = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    means = np.array([0.5, 0.7, 0.6])
    alike = mean_interval(means[scenes][None], layout=Layout(scenes=scenes))
    theirs = stats.ttest_1samp(means, 0.0).confidence_interval()
    assert (alike.low, alike.high) == pytest.approx((theirs.low, theirs.high))


def test_the_variance_by_scenes_is_that_of_tiles_where_each_is_a_scene() -> None:
    tiles = np.random.default_rng(3).beta(6, 2, size=(1, 7))
    assert mean_interval(tiles, layout=Layout(scenes=np.arange(7)[::-1])).low == pytest.approx(mean_interval(tiles).low)


def test_a_large_scene_costs_degrees_of_freedom() -> None:
    (even,), (uneven,) = (Layout(scenes=np.array(scenes)).units for scenes in ([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 2]))
    assert even.freedom == pytest.approx(2.0) and 1.0 <= uneven.freedom < 1.9
    assert uneven.effective == pytest.approx(2.0)


def test_one_scene_of_several_gives_no_interval_and_no_order() -> None:
    scores = np.random.default_rng(4).normal(0.7, 0.02, size=(2, 3, 6))
    scores[0] += 0.1
    one = Layout(scenes=np.zeros(6, dtype=np.int64), other_scenes=1)
    assert mean_interval(scores[0], layout=one).low is None
    assert inconclusive(list(scores), one) is Inconclusive.ONE_SCENE
    assert all(found.tied and found.probability_best is None for found in compare(list(scores), layout=one))
    only = Layout(scenes=np.zeros(6, dtype=np.int64))
    assert inconclusive(list(scores), only) is None and mean_interval(scores[0], layout=only).low is not None


def test_folds_measure_the_trainings_of_contenders_that_have_one_each() -> None:
    random = np.random.default_rng(5)
    folds = np.repeat(np.arange(5), 6)
    tiles = random.uniform(0.3, 0.9, 30)
    luck = random.normal(0.0, 0.01, (2, 5))[:, folds]
    scores = [tiles[None] + luck[0], tiles[None] + luck[1] - 0.08]
    layout = Layout(scenes=np.arange(30), folds=folds)
    assert inconclusive(scores) is Inconclusive.ONE_TRAINING and inconclusive(scores, layout) is None
    difference = compare(scores, layout=layout)[1].difference
    by_fold = (scores[1] - scores[0]).reshape(5, 6).mean(axis=1)
    theirs = stats.ttest_1samp(by_fold, 0.0).confidence_interval(0.96)
    assert difference is not None and (difference.low, difference.high) == pytest.approx((theirs.low, theirs.high))


def test_balanced_folds_do_not_make_a_mean_look_surer_than_its_tiles_allow() -> None:
    world = World(merits=(0.0, 0.0), tiles=30, seeds=0.0, kind="skewed", folds=5, balanced=True)
    assert said(world, 1_000).covered >= 0.92


def test_parts_of_equal_size_add_their_degrees_of_freedom() -> None:
    part = VariancePart(variance=np.array(0.5), freedom=3.0)
    assert float(satterthwaite([part, part]).freedom) == pytest.approx(6.0)


def test_variances_that_are_alike_are_pooled_and_those_that_are_not_stay_apart() -> None:
    freedom = np.full(6, 4.0)
    pooled, known = moderate(np.array([1.0, 1.1, 0.9, 1.0, 1.2, 0.8]), freedom)
    assert pooled == pytest.approx(np.ones(6)) and known == pytest.approx(np.full(6, 24.0))
    apart, few = moderate(np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]), freedom)
    assert apart[0] < apart[-1] / 10 and few.max() < 8.0
    unknown, _ = moderate(np.array([1.0, 3.0, 0.0]), np.array([2.0, 2.0, 0.0]))
    assert unknown[2] == pytest.approx(2.0)


def test_an_experiment_s_description_says_which_tiles_belong_together() -> None:
    data = {"train": ["a1", "a2", "b1"], "val": ["c1", "c2"]}
    plan = {"trials": [{}], "studies": []}
    apart = val_layout({"data": data, "plan": plan}, ["c1", "c2"])
    assert (apart.number_of_scenes, apart.other_scenes, apart.folds) == (2, 3, None)
    scenes = {"of": {name: name[0] for name in (*data["train"], *data["val"])}}
    split = val_layout({"data": data, "plan": plan, "scenes": scenes}, ["c1", "c2"])
    assert (split.number_of_scenes, split.other_scenes) == (1, 2)
    folds = [{"val": ["a1", "a2"], "train": []}, {"val": ["b1", "c1", "c2"], "train": []}]
    study = {"trials": [], "studies": [{"template": {"folds": folds}}]}
    folded = val_layout({"data": data, "plan": study, "scenes": scenes}, ["a1", "a2", "b1", "c1", "c2"])
    assert folded.folds is not None and folded.folds.tolist() == [0, 0, 1, 1, 1] and folded.other_scenes == 0


def test_a_tile_without_a_fold_among_others_with_one_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 tiles have no fold"):
        Layout.of(["a", "b"], [0, None])


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


def test_a_tile_without_pixels_that_count_is_left_out_and_named() -> None:
    trainings = [
        [ScoreRow(attempt=name, tile=tile, iou=iou, f1=iou) for tile, iou in (("a", 0.4), ("b", np.nan), ("c", 0.6))]
        for name in ("x", "y")
    ]
    found = SplitScores.of(trainings)
    assert found is not None and (found.tiles, found.uncounted) == (("a", "c"), ("b",))
    assert mean_interval(found.iou, layout=found.layout).mean == pytest.approx(0.5)
    assert SplitScores.of([[ScoreRow(attempt="x", tile="b", iou=np.nan, f1=np.nan)]]) is None
