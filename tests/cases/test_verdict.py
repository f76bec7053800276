"""Who is called better than whom: never by the luck of one training, and nothing takes back what the headline says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import said
from benchmarks.worlds import World
from sweep.records.trials import Role
from sweep.results.contenders import Contender, SplitScores
from sweep.results.layout import Layout, Scores
from sweep.results.search_summary import summaries_of
from sweep.results.standings import Standing, stand
from sweep.results.statistics import Inconclusive, compare, mean_interval
from sweep.results.verdict import caveats, headline, verdict
from tests.rows import result_of, row_of


def contender(
    title: str, scores: Sequence[Sequence[float]] | Scores, layout: Layout | None = None, **changes: Any
) -> Contender:
    iou = np.asarray(scores, dtype=np.float64)
    attempts = tuple(f"{title}-{number}" for number in range(len(iou)))
    usual = {"contender": title.lower(), "title": title, "tiles": 24, "attempts": attempts}
    row = row_of(attempts[0], mean_interval(iou), **{**usual, **changes})
    tiles = tuple(f"v{number}" for number in range(iou.shape[1]))
    val = SplitScores(tiles=tiles, iou=iou, f1=None, layout=layout or Layout.apart(len(tiles)))
    return Contender(row=row, trainings=(), val=val, test=None)


def standing(*contenders: Contender) -> Standing:
    (found,) = stand(contenders)
    return found


def words(*contenders: Contender, phase: str = "phase1") -> str:
    """Return all that is said of contenders: headline, answer and notes."""
    found = standing(*contenders)
    names = {row.contender: row.title for row in found.rows}
    return "\n".join([headline(found, names), *verdict(found, phase), *caveats([found], contenders)])


EASY = np.linspace(0.5, 0.9, 12)
LUCK = np.array([[-0.01], [0.0], [0.01]])
NOISE = 0.004 * np.sin(np.arange(36)).reshape(3, 12)


FANNED = (0.0, -0.01, -0.02, -0.03, -0.05)


@pytest.mark.parametrize("tiles", [6, 24])
def test_of_two_equal_models_with_one_training_each_none_is_ever_called_the_winner(tiles: int) -> None:
    found = said(World(merits=(0.0, 0.0), tiles=tiles), 200)
    assert (found.sole, found.seen) == (0.0, 0.0)


@pytest.mark.parametrize(
    "world",
    [
        World(merits=(0.0, 0.0), tiles=24, folds=5, seeds=0.03),
        World(merits=(0.0, 0.0), tiles=12, trainings=3, kind="scenes of 3 to 9", seeds=0.0),
        World(merits=(0.0,) * 5, tiles=24, trainings=3, seeds=0.02),
        World(merits=(0.0,) * 5, tiles=24, trainings=3, seeds=(0.005, 0.015, 0.015, 0.015, 0.06)),
        World(merits=(0.0,) * 10, tiles=30, folds=5, kind="one in five hard"),
    ],
    ids=str,
)
def test_of_equal_models_one_is_called_worse_in_at_most_5_percent(world: World) -> None:
    found = said(world, 2_000)
    assert found.worse <= 0.05 + 2 * (0.05 * 0.95 / 2_000) ** 0.5
    assert found.held >= 0.93


@pytest.mark.parametrize("tiles", [6, 24])
def test_all_intervals_hold_at_once(tiles: int) -> None:
    assert said(World(merits=FANNED, tiles=tiles, trainings=3), 1_000).held >= 0.93


@pytest.mark.parametrize("folds", [0, 5])
def test_eight_points_at_24_tiles_and_three_or_five_trainings_are_seen(folds: int) -> None:
    found = said(World(merits=(0.0, -0.08), tiles=24, trainings=1 if folds else 3, folds=folds), 1_000)
    assert found.sole >= 0.8 and found.worse == 0.0


def test_where_only_trainings_vary_two_contenders_share_their_variance() -> None:
    good, poor = np.array([0.80, 0.82, 0.90]), np.array([0.60, 0.61, 0.62, 0.67])
    scores = [np.repeat(one[:, None], 4, axis=1) for one in (poor, good)]
    difference = compare(scores)[0].difference
    pooled = (2 * good.var(ddof=1) + 3 * poor.var(ddof=1)) / 5
    half = stats.t.ppf(0.98, 5) * (pooled / 3 + pooled / 4) ** 0.5
    assert difference is not None and difference.high == pytest.approx(poor.mean() - good.mean() + half)


def test_with_one_training_each_nothing_on_the_page_contradicts_the_tie() -> None:
    found = standing(contender("A", [EASY + 0.1]), contender("B", [EASY]))
    assert found.inconclusive is Inconclusive.ONE_TRAINING
    for row in found.rows:
        assert row.tied and row.probability_best is None
    difference = found.rows[1].difference
    assert difference and difference.mean == pytest.approx(-0.1) and difference.low is None
    said = words(contender("A", [EASY + 0.1]), contender("B", [EASY]))
    assert "No winner yet: A has the highest val IoU, but each model was trained once." in said
    assert "each was trained once" in said and "--repeats 3 measures it" in said
    assert "P(best) is not shown: it takes several trainings" in said
    assert "is ahead of" not in said and "is the best" not in said


@pytest.mark.parametrize(("phase", "fix"), [("phase2", "--confirm 3 --repeats 3"), ("phase3", "--draws 3")])
def test_the_fix_is_the_phase_s_own(phase: str, fix: str) -> None:
    assert f"; {fix} measures it" in words(contender("A", [EASY + 0.1]), contender("B", [EASY]), phase=phase)


def test_repeats_of_one_contender_measure_the_seeds_of_all() -> None:
    steady = EASY + LUCK / 10 + NOISE
    assert standing(contender("A", [EASY + 0.3]), contender("B", steady)).inconclusive is None
    apart, tied = (compare([EASY[None] + gap, EASY + LUCK + NOISE])[1] for gap in (0.3, 0.01))
    assert not apart.tied and tied.tied


def test_trainings_that_all_have_the_same_score_measure_no_seeds() -> None:
    same = np.repeat(EASY[None], 3, axis=0)
    assert standing(contender("A", [EASY + 0.3]), contender("B", same)).inconclusive is Inconclusive.ONE_TRAINING


def test_a_lead_that_three_trainings_carry_is_told_with_its_interval() -> None:
    said = words(contender("A", EASY + 0.1 + LUCK + NOISE), contender("B", EASY + LUCK - NOISE))
    assert "A is the best of the 2 compared." in said and "It is ahead of the next one, B, by 0.1" in said
    assert "tie" not in said.lower() and "= marks" not in said and "not shown" not in said
    assert "cover other tiles and trainings" in said


def test_a_tie_is_told_with_its_mark() -> None:
    said = words(contender("A", EASY + 0.01 + LUCK + NOISE), contender("B", EASY + LUCK - NOISE))
    assert "A tie: neither A nor B can be called best." in said and "= marks those that" in said
    assert "B cannot be distinguished from it" in said and "ahead" not in said


def test_a_tile_without_pixels_that_count_is_named() -> None:
    one = contender("A", EASY + LUCK + NOISE)
    assert one.val is not None
    found = replace(one, val=replace(one.val, uncounted=("v9",)))
    assert "No pixel counts in v9: left out of every mean on val." in caveats([standing(found)], [found])


def test_one_tile_gives_neither_order_nor_probability() -> None:
    contenders = contender("A", [[0.9], [0.8]]), contender("B", [[0.1], [0.1]])
    assert [row.probability_best for row in standing(*contenders).rows] == [None, None]
    said = words(*contenders)
    assert "No winner: with a single val tile" in said and "P(best) is not shown: it takes several val tiles." in said


def test_a_lead_that_would_be_written_0_is_none() -> None:
    scores = np.repeat(EASY[None], 3, axis=0)
    assert all(one.tied for one in compare([scores, scores - 1e-12]))
    assert all(one.tied for one in compare([scores, scores - 4e-4]))
    assert not any(one.tied for one in compare([scores, scores - 6e-4]))


@pytest.mark.parametrize("folds", [0, 5])
def test_who_is_called_best_with_90_percent_is_best_in_90_of_100_cases(folds: int) -> None:
    world = World(merits=(0.0,) * 4, tiles=24, trainings=1 if folds else 3, folds=folds)
    found = said(world, 2_000, spread=0.03, draws=200)
    assert found.sure > 0.1 and found.right >= 0.9
    assert said(world, 2_000, draws=200).sure <= 0.05


@pytest.mark.parametrize(
    ("best", "confirm", "shared", "text"),
    [
        (0.62, 0, [], "+0.020 (luckiest of 4)"),
        (0.60, 0, [], "+0.000"),
        (0.62, 3, [0.58, 0.60], "+0.030"),
        (0.58, 3, [0.59, 0.61], "-0.020"),
        (0.62, 3, [], "+0.020 (shared: 1 training)"),
    ],
)
def test_a_gain_is_of_trainings_anew_over_trainings_anew(
    best: float, confirm: int, shared: list[float], text: str
) -> None:
    roles: list[Role] = ["baseline", "search", "search"]
    trials = [
        *(
            result_of(f"unet-{number}", iou, role=role, study="unet")
            for number, (iou, role) in enumerate(zip((0.60, 0.55, 0.62), roles, strict=True))
        ),
        result_of("unet-3", status="stopped", role="search", study="unet"),
        *(result_of(f"unet-0-{iou}", iou, candidate="unet-0", role="confirm", study="unet") for iou in shared),
    ]
    study: Any = SimpleNamespace(name="unet", confirm=confirm, template=SimpleNamespace(contest="none"))
    (found,) = summaries_of([study], trials)
    assert replace(found, won=[result_of("unet", best)]).gain_text == text


def test_ten_contenders_of_five_trainings_on_thirty_tiles_take_less_than_two_seconds() -> None:
    scores = [np.random.default_rng(number).beta(5, 2, (5, 30)) for number in range(10)]
    started = time.process_time()
    compare(scores)
    assert time.process_time() - started < 2.0


def test_two_thousand_contenders_are_compared_in_seconds() -> None:
    scores = [np.random.default_rng(number).beta(5, 2, (2, 6)) for number in range(2_000)]
    started = time.process_time()
    found = compare(scores)
    assert time.process_time() - started < 20.0
    assert sum(one.probability_best or 0.0 for one in found) == pytest.approx(1.0)


def test_notes_say_of_what_intervals_speak() -> None:
    folds = Layout.of([f"s{tile // 2}" for tile in range(12)], [tile // 4 for tile in range(12)])
    said = words(contender("A", [EASY], folds), contender("B", [EASY[::-1]], folds))
    assert "cover other scenes and trainings." in said and "With 12 labelled tiles" in said
    assert "cover other tiles, not other seeds." in words(contender("A", [EASY]))
    assert "cover other tiles and trainings." in words(contender("A", EASY + LUCK))
