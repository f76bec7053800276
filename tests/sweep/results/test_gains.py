"""What tuning brought: paired by tile, over the shared recipe's own new trainings, and careful about the choice."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sweep.records.store import ScoreRow
from sweep.records.trial_result import TrialResult
from sweep.report.tuning import tuning_headline, tuning_reasons
from sweep.results.gains import TuningGain, tuning_gains
from sweep.results.search_summary import summaries_of
from tests.rows import result_of

TILES = [f"v{number}" for number in range(12)]
DESCRIPTION = {"data": {"train": ["a"], "val": TILES}, "plan": {"trials": [], "studies": []}}
HARD = np.linspace(-0.2, 0.2, 12)


def gains(merits: dict[str, float], *, confirm: int = 2, trainings: int = 3, noise: float = 0.004) -> list[TuningGain]:
    """Return what a search gained whose recipes, the shared one first, have some merits."""
    rng = np.random.default_rng(0)
    trials: list[TrialResult] = []
    scores: list[ScoreRow] = []
    for number, (name, merit) in enumerate(merits.items()):
        role = "baseline" if number == 0 else "search"
        common: dict[str, Any] = {"candidate": name, "study": "unet", "contest": "unet"}
        found = [result_of(name, merit, role=role, preliminary=bool(confirm), **common)]
        if confirm:
            found += [result_of(f"{name}-{seed}", merit, role="confirm", **common) for seed in range(trainings)]
        trials += found
        scores += [
            ScoreRow(attempt=one.attempt, tile=tile, iou=float(iou), f1=float(iou))
            for one in found
            for tile, iou in zip(TILES, merit + HARD + rng.normal(0, noise, 12), strict=True)
        ]
    study: Any = SimpleNamespace(name="unet", confirm=confirm, space={}, template=SimpleNamespace(contest="unet"))
    return tuning_gains(DESCRIPTION, summaries_of([study], trials), trials, scores)


def said(found: Sequence[TuningGain]) -> str:
    return "\n".join([tuning_headline(found), *tuning_reasons(found)])


def test_a_gain_that_three_new_trainings_carry_is_certain_and_has_an_interval() -> None:
    (one,) = found = gains({"unet-0": 0.5, "unet-1": 0.56, "unet-2": 0.52})
    assert one.gain is not None and one.gain.low is not None and one.gain.high is not None
    assert one.gain.mean == pytest.approx(0.06, abs=0.004) and one.gain.low > 0.04 and one.is_certain
    assert one.best.mean == pytest.approx(0.56, abs=0.004) and one.shared.mean == pytest.approx(0.5, abs=0.004)
    assert tuning_headline(found).startswith("Tuning raised the val IoU of U-Net from scratch by 0.0")
    assert "means of 3 new trainings each" in said(found) and "paired by tile" in said(found)


def test_the_interval_knows_among_how_many_the_choice_was() -> None:
    two, five = (
        gains({"unet-0": 0.5, "unet-1": 0.56, **{f"unet-{number}": 0.5 for number in range(2, more)}})[0].gain
        for more in (2, 5)
    )
    assert two and five and two.low is not None and five.low is not None and five.low < two.low


def test_a_small_gain_is_not_called_one() -> None:
    found = gains({"unet-0": 0.5, "unet-1": 0.503}, noise=0.05)
    assert not found[0].is_certain
    assert tuning_headline(found).startswith("Tuning brought no certain gain for U-Net from scratch: ")


def test_where_nothing_was_trained_again_a_gain_may_be_luck() -> None:
    found = gains({"unet-0": 0.5, "unet-1": 0.56}, confirm=0)
    assert found[0].gain is not None and found[0].gain.low is None
    assert "by +0.0" in said(found) and "which may be luck" in said(found) and "--confirm 3 --repeats 3" in said(found)


def test_the_shared_recipe_may_be_the_best() -> None:
    found = gains({"unet-0": 0.6, "unet-1": 0.5})
    assert found[0].gain is None
    assert said(found).startswith("Tuning found no better recipe for U-Net from scratch than the shared one.")


def test_of_several_models_those_that_gained_are_named() -> None:
    helped, same = gains({"unet-0": 0.5, "unet-1": 0.56})[0], gains({"unet-0": 0.6, "unet-1": 0.5})[0]
    assert "Tuning helped U-Net from scratch (+0.0" in tuning_headline([helped, same])
    assert "for U-Net from scratch no gain is certain." in tuning_headline([helped, same])
    assert tuning_headline([same, same]) == "Tuning brought no certain gain for any of the 2 models."
