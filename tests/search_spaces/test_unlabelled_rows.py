"""Architectures with unlabelled images stand beside those without, and are not trained without such images."""

from __future__ import annotations

import pytest

from search_spaces.phase1 import shared_recipe
from search_spaces.phase2 import space
from search_spaces.profiles import get_profile
from search_spaces.unlabelled import changes_of, with_unlabelled
from trainables.errors import RecipeError
from trainables.models.registry import build_model, described, get_architecture
from trainables.models.weights import Weights

SMOKE = get_profile("smoke")


def test_each_trained_architecture_has_a_second_row_behind_all_first_ones() -> None:
    asked = ("unet", "probe:smp_unet_resnet34", "sam_vit_b_conv")
    assert with_unlabelled(asked, given=True) == (*asked, "unet+unlabelled", "sam_vit_b_conv+unlabelled")
    assert with_unlabelled(asked, given=False) == asked


def test_whoever_names_them_gets_what_was_named() -> None:
    assert with_unlabelled(("unet", "sam_vit_b_conv+unlabelled"), given=True) == ("unet", "sam_vit_b_conv+unlabelled")
    with pytest.raises(RecipeError, match=r"unet\+unlabelled: learns from unlabelled images; .*--unlabelled DIR"):
        with_unlabelled(("unet+unlabelled",), given=False)
    with pytest.raises(RecipeError, match="only probes are named"):
        with_unlabelled(("probe:smp_unet_resnet34",), given=True)


@pytest.mark.parametrize("name", ["probe:smp_unet_resnet34+unlabelled", "unet+unlabelled+unlabelled"])
def test_what_learns_nothing_from_them_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=r"\+unlabelled learns from unlabelled images, and .*leave it out"):
        get_architecture(name)


@pytest.mark.parametrize("name", ["unet", "smp:Unet/resnet18", "smp_unet_efficientnet_lite0"])
def test_it_is_the_same_model_with_another_recipe(name: str) -> None:
    plain, other = shared_recipe(name, SMOKE), shared_recipe(f"{name}+unlabelled", SMOKE)
    changed = {"architecture": f"{name}+unlabelled", "consistency_weight": 1.0, "ema_decay": 0.99}
    assert other == plain.replace(**changed)
    nothing = Weights(kind="random")
    one, same = (build_model(recipe, nothing).state_dict() for recipe in (plain, other))
    assert one.keys() == same.keys() and all(one[key].equal(same[key]) for key in one)
    entry = get_architecture(f"{name}+unlabelled")
    assert described(entry.name) == entry and entry.title.endswith(" + unlabelled")
    assert entry.slug.endswith("_unlabelled") and entry.needs == get_architecture(name).needs


def test_a_search_tries_how_much_they_count_where_there_are_any() -> None:
    searched = {"consistency_weight", "consistency_threshold"}
    assert space("unet+unlabelled").keys() - space("unet").keys() == searched


def test_a_recipe_file_s_changes_hold_with_unlabelled_images_too() -> None:
    changes = {"unet": {"learning_rate": 0.01, "bce_weight": 0.2}, "unet+unlabelled": {"bce_weight": 0.7}}
    assert changes_of("unet+unlabelled", changes) == {"learning_rate": 0.01, "bce_weight": 0.7}
    assert changes_of("unet", changes) == changes["unet"] and changes_of("sam_vit_b_conv", changes) == {}
