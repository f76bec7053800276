"""What a sweep is estimated to cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.grids import GRIDS, MODERN
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.estimate import Estimator
from trainables.data.tiles import TuningData


@pytest.mark.parametrize(
    ("architecture", "times"),
    [
        ("unet", 5.0),
        ("sam_vit_b_conv", 2.6),
        ("sam_vit_b_unet", 3.1),
        ("mobile_sam_conv", 4.5),
        ("dinov3_vit_b_dpt", 4.25),
    ],
)
def test_folds_pay_for_a_fixed_encoder_once(dataset: Path, architecture: str, times: float) -> None:
    """The times of docs/folds.md, counted in operations."""
    recipe = shared_recipe(architecture, get_profile("paper"))
    recipe = recipe.replace(draws_per_epoch=1_000_000)  # validation then is nothing beside training
    estimator = Estimator(data=TuningData.read(dataset), device="cuda")
    assert estimator.trial(recipe, folds=5) / estimator.trial(recipe) == pytest.approx(times, abs=0.06)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("architecture", GRIDS[MODERN].architectures)
def test_a_tiny_stand_in_takes_a_tenth_of_the_real_model_s_time(dataset: Path, architecture: str, device: str) -> None:
    recipe = shared_recipe(architecture, get_profile("demo"))
    estimator = Estimator(data=TuningData.read(dataset), device=device)
    whole, tiny = estimator.trial(recipe), estimator.trial(recipe.replace(model_size="tiny"))
    assert whole > 0 and tiny == pytest.approx(0.1 * whole)


def test_a_larger_encoder_takes_longer_and_an_adapted_one_longer_than_a_frozen_one(dataset: Path) -> None:
    estimator = Estimator(data=TuningData.read(dataset), device="cpu")
    names = ("dinov3_vit_s_dpt", "dinov3_vit_s_dpt_lora", "dinov3_vit_b_dpt", "dinov3_vit_b_dpt_lora")
    times = [estimator.trial(shared_recipe(name, get_profile("paper"))) for name in names]
    assert times == sorted(times) and len(set(times)) == len(times)
