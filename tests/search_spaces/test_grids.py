"""Which architectures are compared, and what a profile makes of them."""

from __future__ import annotations

import pytest

from search_spaces.grids import GRIDS, MODERN, STUDY
from search_spaces.phase1 import grid, shared_recipe
from search_spaces.profiles import PROFILES, get_profile
from trainables.errors import RecipeError
from trainables.models.registry import ARCHITECTURES


@pytest.mark.parametrize("profile", PROFILES)
def test_the_study_s_grid_is_a_profile_s_own(profile: str) -> None:
    assert get_profile(profile, STUDY) is get_profile(profile) is PROFILES[profile]


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_names_what_there_is_and_searches_what_it_compares(name: str) -> None:
    assert set(GRIDS[name].architectures) <= set(ARCHITECTURES)
    assert set(GRIDS[name].search) <= set(GRIDS[name].architectures)
    assert "smp_unet_resnet34" in GRIDS[name].architectures


def test_the_modern_grid_has_a_row_frozen_and_a_row_adapted_for_each_dinov3() -> None:
    names = GRIDS[MODERN].architectures
    assert all({f"dinov3_vit_{size}_dpt", f"dinov3_vit_{size}_dpt_lora"} <= set(names) for size in "sb")
    assert {"convnext_tiny_upernet", "segformer_b2", "sam2_hiera_t_unet"} <= set(names)


@pytest.mark.parametrize(
    ("profile", "pretrained", "size"),
    [
        ("paper", False, "full"),
        ("demo", False, "tiny"),
        ("demo", True, "full"),
        ("smoke", False, "tiny"),
    ],
)
def test_a_profile_without_real_weights_has_stand_ins_of_modern_models(
    profile: str, pretrained: bool, size: str
) -> None:
    chosen = get_profile(profile, MODERN, pretrained=pretrained)
    recipes = grid(chosen)
    assert [recipe.architecture for recipe in recipes] == list(GRIDS[MODERN].architectures)
    assert {recipe.model_size for recipe in recipes} == {size}
    assert chosen.stand_ins is (size == "tiny")


def test_modern_architectures_have_rates_batches_and_frozen_stages_of_their_own() -> None:
    paper = get_profile("paper", MODERN)
    found = {name: shared_recipe(name, paper) for name in paper.architectures}
    said = {name: (one.learning_rate, one.batch_size, one.frozen_epochs) for name, one in found.items()}
    assert said == {
        "smp_unet_resnet34": (1e-3, 4, 20),
        "convnext_tiny_upernet": (5e-4, 4, 5),
        "segformer_b2": (1e-4, 4, 20),
        "dinov3_vit_s_dpt": (1e-3, 4, 20),
        "dinov3_vit_s_dpt_lora": (3e-4, 2, 0),
        "dinov3_vit_b_dpt": (1e-3, 4, 20),
        "dinov3_vit_b_dpt_lora": (3e-4, 2, 0),
        "sam2_hiera_t_unet": (1e-3, 4, 20),
    }


def test_a_short_run_has_no_long_frozen_stage() -> None:
    assert shared_recipe("convnext_tiny_upernet", get_profile("demo", MODERN)).frozen_epochs == 2


def test_an_unknown_grid_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"--grid 'modren' does not exist; did you mean 'modern'"):
        get_profile("demo", "modren")
