"""How often classes occur in tiles, and the weights that make up for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trainables.data.dataset_faults import MaskValues
from trainables.data.tiles import Tile
from trainables.errors import RecipeError
from trainables.recipe import Recipe
from trainables.task import Task


def count_classes(tile: MaskValues, classes: int) -> NDArray[np.int64]:
    """Return the (C,) labelled pixels per class of a tile, C ``classes``."""
    return tile.values[:classes]


def inverse_frequency(pixels: Iterable[int]) -> tuple[float, ...]:
    """Return ``N / (C * n)`` a class: N labelled pixels, n of them of the class, C classes.

    Args:
        pixels: (C,) labelled pixels per class.

    Returns:
        Their mean over pixels is 1 where all classes occur; 0 for a class that does not. Source: scikit-learn's
        ``class_weight="balanced"`` (King and Zeng, 2001).
    """
    counts = [int(count) for count in pixels]
    return tuple(sum(counts) / (len(counts) * count) if count else 0.0 for count in counts)


def require_class_weights(recipe: Recipe, task: Task) -> None:
    """Refuse a recipe that gives another number of class weights than there are classes.

    Raises:
        RecipeError: As said.
    """
    given = recipe.given_class_weights
    if given and len(given) != len(task.classes):
        raise RecipeError(
            f"recipe field class_weights is {recipe.class_weights!r}: {len(given)} weights for {len(task.classes)} "
            f"classes ({', '.join(task.classes)}); give one per class"
        )


def class_weights_of(recipe: Recipe, task: Task, train: Sequence[Tile]) -> tuple[float, ...] | None:
    """Return the weights per class that a recipe names; None where all count the same.

    Args:
        recipe: Uses ``class_weights``.
        task: What the masks mean.
        train: The train tiles that the training sees; inverse frequencies are theirs.

    Raises:
        RecipeError: As many weights as there are classes were not given.
    """
    require_class_weights(recipe, task)
    if recipe.class_weights == "inverse_frequency":
        return inverse_frequency(np.sum([count_classes(tile, len(task.classes)) for tile in train], axis=0))
    return recipe.given_class_weights or None
