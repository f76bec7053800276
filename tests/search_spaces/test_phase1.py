"""Phase 1's grid: the shared recipe for all, and the one exception."""

from __future__ import annotations

import pytest

from search_spaces.phase1 import grid, shared_recipe, shortened
from search_spaces.profiles import PROFILES, get_profile
from trainables.errors import RecipeError
from trainables.models.registry import GRID_OF_FIVE
from trainables.models.weights import Weights
from trainables.recipe import Recipe


def test_the_paper_profile_is_the_study_s_recipe_for_five_architectures() -> None:
    recipes = grid(get_profile("paper"))
    assert tuple(recipe.architecture for recipe in recipes) == GRID_OF_FIVE
    for recipe in recipes:
        sam = recipe.architecture.startswith("sam")
        assert (recipe.learning_rate, recipe.batch_size) == ((1e-4, 2) if sam else (1e-3, 4))
        same = recipe.replace(architecture="unet", learning_rate=1e-3, batch_size=4)
        assert same == Recipe()


def test_demo_adds_rows_that_are_pretrained_without_a_hub() -> None:
    assert get_profile("demo").architectures == (
        *GRID_OF_FIVE,
        *(f"smp_unet_efficientnet_lite{size}" for size in range(3)),
    )
    assert {recipe.crop_size for recipe in grid(get_profile("demo"))} == {256}
    assert {recipe.model_size for recipe in grid(get_profile("demo"))} == {"full"}


def _weights(real: bool) -> dict[str, Weights]:
    random = Weights(kind="random", needs="sam-vit-b")
    lite = Weights(kind="imagenet", needs="imagenet-efficientnet-lite0", path="/a/file") if real else random
    return {"unet": Weights(kind="none"), "sam_vit_b_conv": random, "smp_unet_efficientnet_lite0": lite}


@pytest.mark.parametrize(
    ("profile", "real", "epochs"),
    [("demo", True, [5, 2, 5]), ("demo", False, [5, 5, 5]), ("paper", True, [60, 60, 60])],
)
def test_random_rows_are_short_where_others_have_real_weights(profile: str, real: bool, epochs: list[int]) -> None:
    recipes = grid(get_profile(profile), tuple(_weights(real)))
    assert [one.max_epochs for one in shortened(recipes, _weights(real), get_profile(profile))] == epochs


def test_epochs_that_a_recipe_asks_for_are_kept() -> None:
    recipes = [one.replace(max_epochs=7) for one in grid(get_profile("demo"), tuple(_weights(True)))]
    assert shortened(recipes, _weights(True), get_profile("demo")) == recipes


def test_smoke_is_tiny() -> None:
    assert {(recipe.model_size, recipe.crop_size) for recipe in grid(get_profile("smoke"))} == {("tiny", 64)}


@pytest.mark.parametrize("profile", PROFILES)
def test_an_attempt_sees_as_many_draws_as_any_other(profile: str) -> None:
    recipes = grid(get_profile(profile))
    assert len({(recipe.draws_per_epoch, recipe.max_epochs) for recipe in recipes}) == 1


def test_repeats_differ_in_the_seed_alone() -> None:
    first, second = grid(get_profile("smoke"), ("unet",), seed=7, repeats=2)
    assert (first.seed, second.seed) == (7, 8)
    assert first.replace(seed=8) == second


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(RecipeError, match="'unet'"):
        shared_recipe("unett", get_profile("smoke"))
    with pytest.raises(RecipeError, match="'demo'"):
        get_profile("dmo")


def test_an_architecture_named_twice_is_refused() -> None:
    with pytest.raises(RecipeError, match="--architectures unet: is named more than once"):
        grid(get_profile("smoke"), ("unet", "unet"))
