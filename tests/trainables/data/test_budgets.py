"""Tile budgets: nested, stratified, seeded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.budgets import draw_tiles
from trainables.data.tiles import Tile
from trainables.errors import DataError


def _tiles(shares: list[float]) -> tuple[Tile, ...]:
    """Tiles of 100 pixels with these shares of foreground."""
    tiles = []
    for number, share in enumerate(shares):
        mask = np.zeros(100, dtype=np.uint8)
        mask[: round(share * 100)] = 1
        tiles.append(Tile(name=f"t{number}", image=np.zeros((10, 10, 3), dtype=np.uint8), mask=mask.reshape(10, 10)))
    return tuple(tiles)


TWENTY_FOUR = _tiles([number / 24 for number in range(24)])


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    wanted=st.sets(st.integers(1, 30), min_size=1, max_size=5),
    seed=st.integers(0, 2**31),
)
def test_smaller_budgets_lie_within_larger_ones(shares: list[float], wanted: set[int], seed: int) -> None:
    tiles = _tiles(shares)
    budgets = [budget for budget in wanted if budget <= len(tiles)] or [len(tiles)]
    for draw in draw_tiles(tiles, budgets, 3, seed):
        assert list(draw) == sorted(budgets)
        names = [set(draw[budget]) for budget in sorted(budgets)]
        assert all(len(found) == budget for found, budget in zip(names, sorted(budgets), strict=True))
        assert all(small <= large for small, large in pairwise(names))


def test_each_subset_is_a_stratified_sample_by_foreground_share() -> None:
    for draw in draw_tiles(TWENTY_FOUR, (6, 12, 24), 20, seed=0):
        twelve = sorted(int(name[1:]) for name in draw[12])
        assert [number // 2 for number in twelve] == list(range(12)), "one of each two neighbours"
        six = sorted(int(name[1:]) for name in draw[6])
        assert [number // 4 for number in six] == list(range(6)), "one of each four"


def test_seeds_decide_and_draws_differ() -> None:
    first = draw_tiles(TWENTY_FOUR, (5, 12), 3, seed=1)
    assert first == draw_tiles(TWENTY_FOUR, (5, 12), 3, seed=1)
    assert first != draw_tiles(TWENTY_FOUR, (5, 12), 3, seed=2)
    assert len({draw[5] for draw in first}) == 3
    assert first[:2] == draw_tiles(TWENTY_FOUR, (5, 12), 2, seed=1), "more draws leave the first ones as they are"


def test_every_tile_has_its_chance() -> None:
    seen = {name for draw in draw_tiles(TWENTY_FOUR, (5,), 200, seed=0) for name in draw[5]}
    assert seen == {tile.name for tile in TWENTY_FOUR}


def test_all_impossible_budgets_are_told_at_once() -> None:
    with pytest.raises(DataError) as caught:
        draw_tiles(TWENTY_FOUR, (0, 5, 5, 25), 1, seed=0)
    said = " ".join(caught.value.faults)
    assert len(caught.value.faults) == 3
    assert (
        "--tiles 0" in said and "--tiles 25: there are only 24" in said and "--tiles 5: is given more than once" in said
    )
