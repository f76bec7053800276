"""The power law through IoU by tiles, and when its forecast is withheld."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.results.scaling import fit, power_law
from sweep.results.statistics import Scores


def truth(tiles: float) -> float:
    return 0.8 - 0.9 * tiles**-0.7


def draws(number: int = 3, val_tiles: int = 12, spread: float = 0.005, seed: int = 0) -> dict[int, Scores]:
    """Simulate draws of three budgets, whose val tiles are of the same difficulty at each."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 0.1, size=val_tiles)
    hard -= hard.mean()
    found = {}
    for tiles in (5, 12, 24):
        noise = spread * rng.normal(size=(number, 1)) + rng.normal(0, 0.005, (number, val_tiles))
        found[tiles] = np.clip(truth(tiles) + hard + noise, 0.0, 1.0)
    return found


def test_a_power_law_is_found_again() -> None:
    tiles = np.array([5.0, 10.0, 20.0, 40.0])
    curve, r2 = power_law(tiles, truth(tiles)[None], np.array([80.0]))  # type: ignore[arg-type]
    assert curve[0, 0] == pytest.approx(truth(80), abs=2e-3)
    assert r2[0] == pytest.approx(1.0, abs=1e-4)


def test_a_curve_never_passes_one_nor_falls() -> None:
    means = np.array([[0.5, 0.8, 0.99], [0.6, 0.5, 0.4]])
    curves, _ = power_law((5, 12, 24), means, np.geomspace(5, 1e6, 50))
    assert curves.max() <= 1.0
    assert (np.diff(curves, axis=1) >= -1e-12).all()


def test_the_forecast_holds_the_truth_and_is_called_an_extrapolation() -> None:
    scaling = fit("U-Net", draws())
    assert not scaling.withheld
    assert scaling.gain is not None and scaling.gain.low is not None and scaling.gain.high is not None
    assert scaling.gain.low <= truth(48) - truth(24) <= scaling.gain.high
    assert "48 tiles instead of 24 would add +0.0" in scaling.sentence
    assert "by extrapolation" in scaling.sentence and "worth it" in scaling.sentence


def test_of_20_simulated_studies_most_forecasts_hold_the_truth() -> None:
    found = [fit("U-Net", draws(spread=0.01, seed=seed)).gain for seed in range(20)]
    shown = [gain for gain in found if gain is not None]
    held = [one for one in shown if one.low <= truth(48) - truth(24) <= one.high]  # type: ignore[operator]
    assert len(shown) >= 15
    assert len(held) >= 0.8 * len(shown)


def test_what_labelling_more_is_worth_follows_from_the_interval() -> None:
    flat = {tiles: scores * 0 + 0.8 - 0.3 * tiles**-2.0 for tiles, scores in draws().items()}
    assert "hardly worth it" in fit("U-Net", flat).sentence
    steep = {tiles: scores * 0 + 0.9 - 0.9 * tiles**-0.4 for tiles, scores in draws().items()}
    assert ": labelling more is worth it" in fit("U-Net", steep).sentence


@pytest.mark.parametrize(
    ("budgets", "reason"),
    [
        ({tiles: scores for tiles, scores in draws().items() if tiles > 5}, "needs 3 budgets, there are 2"),
        (draws(number=1), "--draws 3"),
        (draws(val_tiles=1), "one val tile"),
        ({5: draws()[24], 12: draws()[12], 24: draws()[5]}, "is not certain"),
        ({5: draws()[5], 12: draws()[24] + 0.1, 24: draws()[12]}, "no power law fits"),
    ],
)
def test_a_forecast_that_would_mislead_is_withheld(budgets: dict[int, Scores], reason: str) -> None:
    scaling = fit("U-Net", budgets)
    assert scaling.gain is None
    assert reason in scaling.withheld
    assert "cannot be said" in scaling.sentence
