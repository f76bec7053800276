"""Spaces: no dead knobs, no values that a recipe cannot hold, and a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from search_spaces.custom import check_spaces, include_shared, load_space
from search_spaces.phase1 import shared_recipe
from search_spaces.phase2 import space
from search_spaces.phase3 import conditions
from search_spaces.profiles import PROFILES, get_profile
from search_spaces.recipes import read_recipes, write_recipes
from sweep.search.searches import make_spaces
from tests.models import NAMES, TINY
from trainables.data.tiles import Tile, TuningData
from trainables.errors import ExperimentError, RecipeError, SpaceError
from trainables.models.registry import get_architecture
from trainables.recipe import Recipe
from trainables.training import Trainer


def _ends(values: BaseDistribution) -> tuple[Any, ...]:
    if isinstance(values, CategoricalDistribution):
        return values.choices
    assert isinstance(values, FloatDistribution)
    return (values.low, values.high)


def _data() -> TuningData:
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (96, 96, 3), dtype=np.uint8)
    mask = (image[..., 0] > 128).astype(np.uint8)
    tile = Tile(name="t", image=image, mask=mask)
    return TuningData(train=(tile,), val=(tile,), name="d", synthetic=True, fingerprint="f")


def test_knobs_that_are_off_are_searched_only_when_asked_for_and_the_shared_recipe_s_value_is_among_them() -> None:
    for staged in ("unet", "resnet34_unet", "smp_unet_resnet34", "smp:Unet/resnet18", "sam2_hiera_t_unet"):
        assert space(staged, extra=True).keys() - space(staged).keys() == {"deep_supervision"}
    for other in ("smp_deeplabv3plus_resnet34", "sam_vit_b_conv", "smp:FPN/resnet18"):
        assert space(other, extra=True) == space(other)
    recipes = {"unet": shared_recipe("unet", get_profile("smoke"))}
    (found,) = make_spaces(recipes, None, extra=True).values()
    assert recipes["unet"].deep_supervision == 0.0 and 0.0 in _ends(found["deep_supervision"])
    with pytest.raises(ExperimentError, match=r"--extra-knobs: adds to .*; leave it out, and add deep_supervision in"):
        make_spaces(recipes, Path("mine.py"), extra=True)


@pytest.mark.parametrize("architecture", TINY)
def test_every_knob_changes_the_training(architecture: str) -> None:
    data = _data()
    base = shared_recipe(architecture, get_profile("smoke"))
    if get_architecture(architecture).lora:  # a stand-in's layers add a hundred-thousandth of what they compute
        base = base.replace(learning_rate=0.03)
    # The last two are not searched by themselves, but often in a space of one's own.
    own = {"weight_decay": FloatDistribution(1e-6, 1e-1), "ema_decay": FloatDistribution(0.0, 0.99)}
    knobs = {**space(architecture, extra=True), **own}
    entry = get_architecture(architecture)
    assert len(knobs) == (9 if entry.lora else 7 if entry.staged else 6)

    def curve(recipe: Recipe) -> tuple[float, ...]:
        trainer = Trainer(recipe, data, torch.device("cpu"), workers=1)
        results = [trainer.train_epoch() for _ in range(2)]
        return tuple(value for result in results for value in (result.train_loss, result.val_loss))

    for name, values in knobs.items():
        curves = [curve(base.replace(**{name: value})) for value in _ends(values)]
        assert len(set(curves)) == len(curves), f"{name} does nothing for {architecture}"


@pytest.mark.parametrize("architecture", NAMES)
@pytest.mark.parametrize("profile", PROFILES)
def test_spaces_hold_the_shared_recipe_and_nothing_that_a_recipe_cannot(architecture: str, profile: str) -> None:
    recipe = shared_recipe(architecture, get_profile(profile))
    knobs = space(architecture)
    check_spaces({architecture: knobs}, {architecture: recipe}, "here")
    for name, values in knobs.items():
        value = recipe.to_dict()[name]
        assert value in values.choices if isinstance(values, CategoricalDistribution) else True
        if isinstance(values, FloatDistribution):
            assert values.low <= float(value) <= values.high


def test_learning_rates_are_bounded_by_track() -> None:
    cnn, sam = space("unet")["learning_rate"], space("sam_vit_b_unet")["learning_rate"]
    assert (_ends(cnn), _ends(sam)) == ((1e-4, 1e-2), (1e-5, 1e-3))
    assert isinstance(cnn, FloatDistribution) and cnn.log


def _write(folder: Path, body: str) -> Path:
    path = folder / "my_space.py"
    path.write_text(
        "from optuna.distributions import CategoricalDistribution, FloatDistribution\n\n"
        f"def space(architecture):\n    return {body}\n"
    )
    return path


def test_a_user_s_own_space_is_used(tmp_path: Path) -> None:
    path = _write(tmp_path, "{'clip_norm': FloatDistribution(0.5, 2.0)} if architecture == 'unet' else {'a': 1}")
    assert load_space(path)("unet") == {"clip_norm": FloatDistribution(0.5, 2.0)}


def test_all_faults_of_a_space_are_told_at_once(tmp_path: Path) -> None:
    body = (
        "{'learning_rte': FloatDistribution(1e-4, 1e-2), 'decoder_dropout': FloatDistribution(0.5, 1.5), "
        "'seed': CategoricalDistribution((1, 2)), 'frozen_epochs': CategoricalDistribution((1, 2)), "
        "'augmentation': CategoricalDistribution(('LIGHT', 'HEAVIEST')), 'bce_weight': 0.5}"
    )
    found = load_space(_write(tmp_path, body))("unet")
    with pytest.raises(SpaceError) as caught:
        check_spaces({"unet": found}, {"unet": shared_recipe("unet", get_profile("smoke"))}, "--space my_space.py")
    said = caught.value.faults
    assert len(said) == 6 and all(line.startswith("--space my_space.py: ") for line in said)
    for part in (
        "did you mean 'learning_rate'",
        "decoder_dropout is 1.5; it must be in [0, 0.95]",
        "seed cannot be searched",
        "frozen_epochs does nothing",
        "'HEAVIEST'",
        "bce_weight is 0.5; give a distribution",
    ):
        assert any(part in line for line in said), part


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def space(:", "does not run"),
        ("import nothing_of_that_name", "does not run"),
        ("x = 1", "defines no function"),
        ("def space(architecture):\n    return 1 / 0", "fails"),
        ("def space(architecture):\n    return {}", "no dict of name to distribution"),
    ],
)
def test_a_space_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "s.py"
    path.write_text(text)
    with pytest.raises(SpaceError, match=said):
        load_space(path)("unet")


@pytest.mark.parametrize("name", ["missing.py", ""])
def test_a_space_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpaceError, match="is not a Python file"):
        load_space(tmp_path / name)


def test_choices_take_in_the_shared_recipe() -> None:
    shared = Recipe()
    found = include_shared({"augmentation": CategoricalDistribution(("HEAVY",))}, shared)
    assert found == {"augmentation": CategoricalDistribution(("HEAVY", "MEDIUM"))}


def test_phase_3_is_a_grid() -> None:
    found = conditions(("unet", "smp:FPN/resnet18"), (5, 12), 2)
    assert len(found) == 8 and len({one.attempt for one in found}) == 8
    assert [one.attempt for one in found[:2]] == ["unet-5tiles-draw1", "smp-FPN-resnet18-5tiles-draw1"]
    with pytest.raises(ExperimentError, match="--draws 0"):
        conditions(("unet",), (5,), 0)


def test_recipe_files_round_trip(tmp_path: Path) -> None:
    recipes = {"unet": {"learning_rate": 0.002, "augmentation": "HEAVY"}, "sam_vit_b_conv": {"ema_decay": 0.9}}
    path = tmp_path / "r.toml"
    path.write_text(write_recipes(recipes, {"unet": "from here", "sam_vit_b_conv": "from there"}))
    assert read_recipes(path) == recipes
    assert "# from here" in path.read_text()


def test_all_faults_of_a_recipe_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("x = 1\n[unet]\nlearning_rte = 1\ndecoder_dropout = 2.0\narchitecture = 'unet'\n[unett]\n")
    with pytest.raises(RecipeError) as caught:
        read_recipes(path)
    assert len(caught.value.faults) == 5
    assert all(line.startswith(f"--recipes {path}: ") for line in caught.value.faults)


@pytest.mark.parametrize("text", [b"[unet", b"\xff\xfe", b""])
def test_a_damaged_recipe_file_is_one_line(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "r.toml").write_bytes(text)
    with pytest.raises(RecipeError, match=r"--recipes .*r\.toml"):
        read_recipes(tmp_path / "r.toml")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipes(tmp_path / "missing.toml")
