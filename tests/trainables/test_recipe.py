"""The recipe: the study's values, strict validation, lossless round trips."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.augment.presets import PRESETS
from trainables.errors import RecipeError
from trainables.recipe import FIELDS, Recipe
from trainables.recipe_fields import COMPARABLE, MEMORY, PLAIN, Anything, fields_of, known, marked


def test_defaults_are_the_shared_recipe_of_the_study() -> None:
    recipe = Recipe()
    assert (recipe.learning_rate, recipe.weight_decay, recipe.bce_weight) == (1e-3, 1e-4, 0.5)
    assert (recipe.decoder_dropout, recipe.augmentation, recipe.draws_per_epoch) == (0.3, "MEDIUM", 400)
    assert (recipe.batch_size, recipe.max_epochs, recipe.patience) == (4, 60, 10)
    assert (recipe.plateau_factor, recipe.plateau_patience, recipe.frozen_epochs) == (0.5, 3, 20)
    assert (recipe.ema_decay, recipe.clip_norm, recipe.seed) == (0.0, 0.0, 42)


@settings(deadline=None)
@given(
    rate=st.floats(1e-8, 1.0),
    dropout=st.floats(0, 0.95),
    preset=st.sampled_from(tuple(PRESETS)),
    crop=st.integers(1, 64).map(lambda n: 32 * n),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_round_trips(rate: float, dropout: float, preset: str, crop: int, seed: int) -> None:
    recipe = Recipe(learning_rate=rate, decoder_dropout=dropout, augmentation=preset, crop_size=crop, seed=seed)
    assert Recipe.from_dict(json.loads(recipe.to_json())) == recipe


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", "fast"),
        ("weight_decay", -1.0),
        ("bce_weight", 1.1),
        ("decoder_dropout", 0.96),
        ("augmentation", "MEDUIM"),
        ("crop_size", 100),
        ("draws_per_epoch", 1),
        ("batch_size", 1),
        ("batch_size", 2.5),
        ("max_epochs", 0),
        ("max_epochs", True),
        ("patience", 0),
        ("plateau_factor", 1.0),
        ("frozen_epochs", -1),
        ("unfrozen_rate_factor", 1.5),
        ("ema_decay", 1.0),
        ("clip_norm", -0.1),
        ("precision", "fp8"),
        ("validation_crop", 33),
        ("model_size", "huge"),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_one_line_with_field_and_value(field: str, value: object) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict({field: value})
    message = str(caught.value)
    assert field in message and repr(value) in message and "\n" not in message


def test_an_unknown_field_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match="'learning_rate'"):
        Recipe.from_dict({"lerning_rate": 1e-3})


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 1  # type: ignore[misc]


def test_every_field_says_what_is_known_of_it() -> None:
    assert list(FIELDS) == [field.name for field in dataclasses.fields(Recipe)]
    assert marked(FIELDS, MEMORY) == (
        "architecture",
        "loss",
        "crop_size",
        "draws_per_epoch",
        "batch_size",
        "lora_rank",
        "lora_targets",
        "ema_decay",
        "consistency_weight",
        "deep_supervision",
        "precision",
        "model_size",
    )
    assert marked(FIELDS, COMPARABLE) == (
        "architecture",
        "crop_size",
        "draws_per_epoch",
        "validation_crop",
        "model_size",
    )
    assert [name for name, one in FIELDS.items() if one.fixed] == [
        "architecture",
        "draws_per_epoch",
        "max_epochs",
        "validation_crop",
        "model_size",
        "seed",
    ]


def test_a_field_of_which_nothing_is_known_is_found() -> None:
    @dataclasses.dataclass(frozen=True)
    class Careless:
        depth: int = known(3, Anything(), PLAIN)
        width: int = 64

    with pytest.raises(KeyError):
        fields_of(Careless)
