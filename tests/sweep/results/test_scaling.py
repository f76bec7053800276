"""Curves through IoU by tiles, and when their forecast is withheld."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.results.curve_families import BudgetMeans, forecast, shapes
from sweep.results.layout import Layout
from sweep.results.scaling import fit
from sweep.results.statistics import Scores

BUDGETS = (5, 8, 12, 18, 24)


def truth(tiles: float) -> float:
    return 0.8 - 0.9 * tiles**-0.7


def draws(
    number: int = 3, val_tiles: int = 12, spread: float = 0.005, seed: int = 0, budgets: tuple[int, ...] = BUDGETS
) -> dict[int, Scores]:
    """Simulate draws of budgets, whose val tiles are of the same difficulty at each."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 0.1, size=val_tiles)
    hard -= hard.mean()
    found = {}
    for tiles in budgets:
        noise = spread * rng.normal(size=(number, 1)) + rng.normal(0, 0.005, (number, val_tiles))
        found[tiles] = np.clip(truth(tiles) + hard + noise, 0.0, 1.0)
    return found


def test_every_family_goes_from_nothing_at_the_smallest_budget_to_all_at_the_largest_and_never_falls() -> None:
    points = np.geomspace(5, 48, 60)
    for family in shapes(np.array(BUDGETS, dtype=float), np.append(points, (5, 24))):
        assert family[:, -2] == pytest.approx(0.0, abs=1e-9) and family[:, -1] == pytest.approx(1.0)
        assert (np.diff(family[:, :-2], axis=1) >= -1e-9).all()


def test_the_forecast_holds_the_truth_and_says_what_it_assumes() -> None:
    scaling = fit("U-Net", draws())
    assert not scaling.withheld
    assert scaling.gain is not None and scaling.gain.low is not None and scaling.gain.high is not None
    assert scaling.gain.low <= truth(48) - truth(24) <= scaling.gain.high
    assert "48 tiles instead of 24 would add +0.0" in scaling.sentence
    assert "val IoU (power law, exponential, " in scaling.sentence
    assert "worth it" in scaling.sentence
    assert scaling.worth is not None
    at = scaling.curve[24.0]
    assert at.low is not None and at.high is not None and at.low <= truth(24) <= at.high


def test_a_forecast_never_passes_one() -> None:
    scaling = fit("U-Net", {tiles: np.clip(scores + 0.3, 0, 1) for tiles, scores in draws().items()})
    assert all(one.high is not None and one.high <= 1.0 for one in scaling.curve.values())


def test_what_labelling_more_is_worth_follows_from_the_interval() -> None:
    flat = {tiles: scores * 0 + 0.8 - 0.3 * tiles**-2.0 for tiles, scores in draws().items()}
    assert "hardly worth it, if this curve continues like the usual ones" in fit("U-Net", flat).sentence
    steep = {tiles: scores * 0 + 0.9 - 0.9 * tiles**-0.4 for tiles, scores in draws().items()}
    assert ": labelling more is worth it, if this curve continues like the usual ones. " in fit("U-Net", steep).sentence


def test_the_variance_of_few_draws_is_shared_by_the_budgets() -> None:
    """With equal val tiles, variances of 8 and 2 at 5 and 20 tiles follow b / n; a mean of two draws has half of it."""
    scores = [np.array([[0.5 + d], [0.5 - d]]).repeat(3, axis=1) for d in (0.02, 0.01)]
    means = BudgetMeans.of((5, 20), scores, Layout.apart(scores[0].shape[1]))
    assert np.diag(means.covariance) == pytest.approx([0.0004, 0.0001])
    assert means.step(0, 1).mean == pytest.approx(0.0)
    assert means.step(0, 1).high == pytest.approx(12.706 * 0.0005**0.5, rel=1e-3), "one degree of freedom"


def test_the_last_step_of_one_draw_has_no_interval() -> None:
    step = fit("U-Net", draws(number=1)).last_step
    assert step is not None and step.low is None, "one draw says nothing of others"


@pytest.mark.parametrize(
    ("budgets", "reason"),
    [
        (draws(budgets=(12, 24)), "needs 4 budgets, there are 2; give --tiles 12,14,17,20,24"),
        (draws(budgets=(5, 12, 24)), "needs 4 budgets, there are 3; give --tiles 5,8,12,17,24"),
        (draws(number=1), "--draws 3"),
        (draws(val_tiles=1), "one val tile"),
        (
            dict(zip(BUDGETS, reversed(draws().values()), strict=True)),
            "did not rise for certain from 5 to 24 tiles, -0.",
        ),
        (dict(zip(BUDGETS, (draws()[tiles] for tiles in (5, 24, 8, 5, 24)), strict=True)), "none of the usual curves"),
    ],
)
def test_a_forecast_that_would_mislead_is_withheld(budgets: dict[int, Scores], reason: str) -> None:
    scaling = fit("U-Net", budgets)
    assert scaling.gain is None and scaling.curve == {}
    assert reason in scaling.withheld
    assert "may or may not help. No forecast is made: " in scaling.sentence


def test_the_proposed_budgets_make_a_forecast() -> None:
    proposed = fit("U-Net", draws(budgets=(5, 12, 24))).withheld.split("--tiles ")[1]
    assert fit("U-Net", draws(budgets=tuple(map(int, proposed.split(","))))).gain is not None


def test_the_same_budgets_give_the_same_forecast() -> None:
    known = BudgetMeans.of(BUDGETS, list(draws().values()), Layout.apart(12))
    assert forecast(known) == forecast(known)


def test_val_tiles_of_one_scene_count_once_in_a_forecast() -> None:
    scenes = np.repeat(np.arange(4), 3)
    budgets = {tiles: scores[:, :4][:, scenes] for tiles, scores in draws(spread=0.001).items()}
    apart, together = fit("U-Net", budgets), fit("U-Net", budgets, Layout(scenes=scenes))
    (low, high), (less, more) = ((step.low, step.high) for one in (apart, together) if (step := one.last_step))
    assert low is not None and high is not None and less is not None and more is not None
    assert more - less > 1.05 * (high - low)
    one = Layout(scenes=np.zeros(12, dtype=np.int64), other_scenes=3)
    assert "or one scene, says nothing about others" in fit("U-Net", budgets, one).sentence
