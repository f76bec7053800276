"""What parts of a trial cost compared with each other; nothing heavy is loaded for it."""

from __future__ import annotations

from trainables.models.registry import described
from trainables.recipe import Recipe

PREDICT_SHARE = {"cnn": 0.3, "sam": 0.8}
"""Cost of predicting a pixel over training on it; a frozen encoder costs the same in both."""


def scoring_in_epochs(recipe: Recipe, val_tiles: int, val_pixels: int) -> float:
    """Return how many epochs' time it takes to score the whole val tiles, at a trial's end.

    Args:
        recipe: What is trained.
        val_tiles: Number of val tiles.
        val_pixels: Of all of them together; 0 where that is not known.
    """
    share = PREDICT_SHARE[described(recipe.architecture).track]
    window = val_tiles * recipe.validation_crop**2 if recipe.validation_crop else val_pixels
    epoch = recipe.draws_per_epoch * recipe.crop_size**2 + window * share
    return val_pixels * share / epoch
