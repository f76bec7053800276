"""Batches: sizes, and views that depend on (seed, epoch, draw) and nothing else."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.batches import Batches, batch_sizes
from trainables.data.tiles import Tile
from trainables.recipe import Recipe


def _tiles(*sizes: int) -> list[Tile]:
    random = np.random.default_rng(1)
    return [
        Tile(
            name=f"t{index}",
            image=random.integers(0, 256, (size, size, 3), dtype=np.uint8),
            mask=random.integers(0, 2, (size, size), dtype=np.uint8),
        )
        for index, size in enumerate(sizes)
    ]


@given(draws=st.integers(2, 500), batch=st.integers(2, 64))
def test_no_batch_holds_a_single_draw_and_none_is_lost(draws: int, batch: int) -> None:
    sizes = batch_sizes(draws, batch)
    assert sum(sizes) == draws
    assert min(sizes) >= 2
    assert max(sizes) <= batch + 1
    assert max(sizes) - min(sizes) <= 1


def test_the_study_takes_a_hundred_steps_of_four() -> None:
    assert batch_sizes(400, 4) == [4] * 100


def test_views_do_not_depend_on_the_number_of_threads_or_the_batch_size() -> None:
    tiles = _tiles(96, 128)
    recipe = Recipe(crop_size=64, draws_per_epoch=8, batch_size=4)
    one = Batches(tiles, recipe, workers=1)
    many = Batches(tiles, recipe.replace(batch_size=2), workers=4)
    first, second = list(one.epoch(3)), list(many.epoch(3))
    assert torch.equal(torch.cat([b.images for b in first]), torch.cat([b.images for b in second]))
    assert torch.equal(torch.cat([b.masks for b in first]), torch.cat([b.masks for b in second]))


def test_epochs_and_seeds_give_other_views() -> None:
    tiles = _tiles(128)
    recipe = Recipe(crop_size=64, draws_per_epoch=4)
    batches = Batches(tiles, recipe)
    again = Batches(tiles, recipe.replace(seed=43))
    assert not np.array_equal(batches.draw(1, 0)[0], batches.draw(2, 0)[0])
    assert not np.array_equal(batches.draw(1, 0)[0], batches.draw(1, 1)[0])
    assert not np.array_equal(batches.draw(1, 0)[0], again.draw(1, 0)[0])


def test_batches_are_uint8_and_channels_last_and_masks_binary() -> None:
    batch = next(Batches(_tiles(96), Recipe(crop_size=64, draws_per_epoch=4)).epoch(1))
    images, masks = batch.to(torch.device("cpu"))
    assert images.shape == (4, 3, 64, 64) and images.dtype == torch.uint8
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert masks.shape == (4, 1, 64, 64) and set(masks.unique().tolist()) <= {0, 1}


def test_tiles_smaller_than_the_crop_are_padded_with_pixels_that_do_not_count() -> None:
    image, mask = Batches(_tiles(64, 96), Recipe(crop_size=128, augmentation="LIGHT")).draw(1, 0)
    assert image.shape == (128, 128, 3)
    assert (mask != 255).sum() in (64 * 64, 96 * 96)


def test_every_tile_is_drawn() -> None:
    tiles = [
        Tile(name=str(v), image=np.full((64, 64, 3), v, np.uint8), mask=np.zeros((64, 64), np.uint8)) for v in range(6)
    ]
    batches = Batches(tiles, Recipe(crop_size=64, augmentation="LIGHT"))
    assert {int(batches.draw(1, index)[0][0, 0, 0]) for index in range(100)} == set(range(6))
