"""A share of the sample draws has foreground in its middle; without one, draws are what they were."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.data.batches import Batches
from trainables.data.crops import around_foreground
from trainables.data.tiles import Tile
from trainables.errors import RecipeError
from trainables.recipe import Recipe

RECIPE = Recipe(crop_size=64, draws_per_epoch=40, augmentation="LIGHT", seed=7)


def _tile(name: str, *squares: tuple[int, int, int], side: int = 512) -> Tile:
    """A tile with squares of 8 pixels: (class, row, column) of their upper left corner."""
    mask = np.zeros((side, side), np.uint8)
    for value, top, left in squares:
        mask[top : top + 8, left : left + 8] = value
    return Tile(name=name, image=np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8), mask=mask)


def test_the_crop_has_a_pixel_of_the_foreground_in_its_middle_as_far_as_the_tile_reaches() -> None:
    mask = _tile("t", (1, 200, 300), (1, 0, 508)).mask
    found = {around_foreground(mask, 64, np.random.default_rng(seed)) for seed in range(400)}
    corner = {(0, 448)}
    inner = {(top, left) for top in range(168, 176) for left in range(268, 276)}
    assert None not in found and found <= inner | corner and corner <= found and len(found & inner) > 40


def test_classes_are_equally_likely_whatever_they_cover() -> None:
    mask = np.zeros((512, 512), np.uint8)
    mask[:256] = 1
    mask[400:402, 400:402] = 2
    mask[300:350] = 255
    tops = [around_foreground(mask, 64, np.random.default_rng(seed)) for seed in range(400)]
    rare = sum(top is not None and top[0] > 300 for top in tops)
    assert 160 < rare < 240


def test_a_tile_without_foreground_has_none() -> None:
    mask = np.zeros((96, 96), np.uint8)
    mask[:10] = 255
    assert around_foreground(mask, 64, np.random.default_rng(0)) is None


def test_all_draws_of_tiles_with_foreground_show_it_and_none_changes_without_the_knob() -> None:
    tiles = [_tile("some", (1, 250, 250)), _tile("none")]
    plain, every = (Batches(tiles, RECIPE.replace(foreground_draws=share)) for share in (0.0, 1.0))
    shown = {True: 0, False: 0}
    for index in range(40):
        (_, mask), (_, other) = plain.draw(1, index), every.draw(1, index)
        tile = every.tile_of(1, index)
        assert tile == plain.tile_of(1, index)  # folds that share views decide by it
        shown[tile == "some"] += 1
        assert bool(other.any()) == (tile == "some")
        if tile == "none":
            assert np.array_equal(mask, other)
    assert min(shown.values()) > 5


def test_a_third_of_the_draws_is_a_third() -> None:
    tiles = [_tile("some", (1, 250, 250))]
    plain, third = (Batches(tiles, RECIPE.replace(foreground_draws=share)) for share in (0.0, 1 / 3))
    changed = [not np.array_equal(plain.draw(1, one)[1], third.draw(1, one)[1]) for one in range(300)]
    assert 75 < sum(changed) < 125
    again = Batches(tiles, RECIPE.replace(foreground_draws=1 / 3))
    assert all(np.array_equal(third.draw(2, one)[0], again.draw(2, one)[0]) for one in range(20))


def test_tiles_that_are_no_larger_than_the_crop_are_drawn_whole() -> None:
    small = [_tile("small", (1, 0, 0), side=64), _tile("smaller", (1, 0, 0), side=32)]
    plain, every = (Batches(small, RECIPE.replace(foreground_draws=share)) for share in (0.0, 1.0))
    for index in range(8):
        assert all(np.array_equal(*pair) for pair in zip(plain.draw(1, index), every.draw(1, index), strict=True))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(RecipeError, match=r"foreground_draws is .*it must be in \[0, 1\]"):
        RECIPE.replace(foreground_draws=share)
