"""What a sweep is estimated to cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.estimate import Estimator
from trainables.data.tiles import TuningData


@pytest.mark.parametrize(
    ("architecture", "times"),
    [("unet", 5.0), ("sam_vit_b_conv", 2.6), ("sam_vit_b_unet", 3.1), ("mobile_sam_conv", 4.5)],
)
def test_folds_pay_for_a_fixed_encoder_once(dataset: Path, architecture: str, times: float) -> None:
    """The times of docs/folds.md, counted in operations."""
    recipe = shared_recipe(architecture, get_profile("paper"))
    recipe = recipe.replace(draws_per_epoch=1_000_000)  # validation then is nothing beside training
    estimator = Estimator(data=TuningData.read(dataset), device="cuda")
    assert estimator.trial(recipe, folds=5) / estimator.trial(recipe) == pytest.approx(times, abs=0.06)
