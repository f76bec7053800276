"""What parts of a trial cost compared with each other; nothing heavy is loaded for it."""

from __future__ import annotations

from trainables.models.registry import described
from trainables.recipe import Recipe

PREDICT_SHARE = {"cnn": 0.3, "sam": 0.8, "vit": 0.4}
"""Cost of predicting a pixel over training on it; a frozen encoder costs the same in both."""


OVERLAP = 1.5
"""Pixels of the windows that cover a whole tile over the tile's own: 25 windows of 256 pixels cover one of 1024, with
1.56 times its pixels."""


def whole_pixels(recipe: Recipe, tiles: int, pixels: int) -> float:
    """Return how many pixels a model predicts of whole tiles, those where its windows overlap counted again.

    Args:
        recipe: Its crop is the window.
        tiles: Number of tiles.
        pixels: Of all of them together.
    """
    return pixels * (OVERLAP if pixels > tiles * recipe.crop_size**2 else 1.0)


def scoring_in_epochs(recipe: Recipe, val_tiles: int, val_pixels: int) -> float:
    """Return how many epochs' time it takes to score the whole val tiles, at a trial's end.

    Args:
        recipe: What is trained.
        val_tiles: Number of val tiles.
        val_pixels: Of all of them together; 0 where that is not known.
    """
    share = PREDICT_SHARE[described(recipe.architecture).track]
    whole = whole_pixels(recipe, val_tiles, val_pixels)
    window = val_tiles * recipe.validation_crop**2 if recipe.validation_crop else whole
    epoch = recipe.draws_per_epoch * recipe.crop_size**2 + window * share
    return whole * share / epoch
