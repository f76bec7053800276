"""Folds: whole scenes, balanced, seeded, every tile left out once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from trainables.data.folds import Fold, draw_folds, split_folds
from trainables.data.tiles import Tile, TuningData
from trainables.errors import DataError
from trainables.task import Task


def _tile(name: str, foreground: float, classes: int = 2) -> Tile:
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask.reshape(-1)[: round(foreground * mask.size)] = classes - 1
    return Tile(name=name, image=np.zeros((64, 64, 3), dtype=np.uint8), mask=mask)


def _scene_of(tiles: list[Tile]) -> dict[str, str]:
    return {tile.name: tile.name.split("-")[0] for tile in tiles}


def _folds(tiles: list[Tile], count: int, seed: int = 0) -> list[set[str]]:
    return [set(fold.val) for fold in split_folds(tiles, _scene_of(tiles), count, seed, Task())]


def test_every_tile_is_left_out_once_and_no_scene_is_in_two_folds() -> None:
    sizes = [9, 7, 5, 3, 3, 2, 1, 1]
    tiles = [_tile(f"s{scene}-{number}", 0.2) for scene, size in enumerate(sizes) for number in range(size)]
    folds = _folds(tiles, 5)
    assert Counter(name for fold in folds for name in fold) == Counter(tile.name for tile in tiles)
    scenes = [{name.split("-")[0] for name in fold} for fold in folds]
    assert sum(map(len, scenes)) == len(sizes)
    assert sorted(map(len, folds)) == [5, 5, 5, 7, 9]  # 31 tiles: nothing is nearer to 6.2 each


def test_folds_are_balanced_in_tiles_and_in_foreground() -> None:
    tiles = [_tile(f"s{number}-0", 0.9 if number < 5 else 0.1) for number in range(15)]
    for seed in range(5):
        folds = _folds(tiles, 5, seed)
        assert [len(fold) for fold in folds] == [3] * 5
        assert [sum(int(name[1:-2]) < 5 for name in fold) for fold in folds] == [1] * 5


def test_a_rare_class_is_spread_over_the_folds() -> None:
    tiles = [_tile(f"s{number}-0", 0.3, 3 if number in (0, 1, 2) else 2) for number in range(12)]
    folds = split_folds(tiles, _scene_of(tiles), 3, 0, Task(kind="multiclass", classes=("ground", "roof", "pool")))
    assert [sum(name in ("s0-0", "s1-0", "s2-0") for name in fold.val) for fold in folds] == [1, 1, 1]


def test_the_seed_decides_among_equals_and_nothing_else_does() -> None:
    tiles = [_tile(f"s{number}-0", 0.2) for number in range(12)]
    assert _folds(tiles, 4) == _folds(tiles, 4)
    assert _folds(tiles, 4) != _folds(tiles, 4, seed=1)


def test_tiles_keep_their_order_and_each_fold_has_a_scene() -> None:
    tiles = [_tile(f"s{number}-0", 0.0) for number in range(4)] + [_tile("s9-0", 1.0)]
    folds = split_folds(tiles, _scene_of(tiles), 5, 0, Task())
    assert all(len(fold.val) == 1 and fold.train == () for fold in folds)
    pairs = split_folds(
        tiles, dict.fromkeys((tile.name for tile in tiles[:3]), "a") | {"s3-0": "b", "s9-0": "b"}, 2, 0, Task()
    )
    assert {fold.val for fold in pairs} == {("s0-0", "s1-0", "s2-0"), ("s3-0", "s9-0")}


@pytest.mark.parametrize(
    ("scenes", "count", "said"),
    [
        (5, 1, "--folds 1: a cross-validation has at least 2 folds"),
        (3, 4, "--folds 4: there are 3 scenes, and a scene is in one fold; --folds 3 works"),
        (1, 2, "--folds 2: all tiles are of one scene, which cannot be divided"),
    ],
)
def test_impossible_folds_say_what_works(scenes: int, count: int, said: str) -> None:
    tiles = [_tile(f"s{number % scenes}-{number}", 0.2) for number in range(10)]
    with pytest.raises(DataError, match=said):
        _folds(tiles, count)


def _pooled(count: int) -> TuningData:
    tiles = tuple(_tile(f"s{number}-0", number / count) for number in range(count))
    return TuningData(train=tiles[1:], val=tiles[:1], name="n", synthetic=True, fingerprint="f").pooled()


def test_budgets_are_nested_in_every_fold_and_leave_its_val_tiles_out() -> None:
    data = _pooled(12)
    folds = split_folds(data.train, _scene_of(list(data.train)), 3, 0, data.task)
    first, second = draw_folds(data, folds, [2, 5], draws=2, seed=1)
    for number, fold in enumerate(folds):
        small, large = first[2][number], first[5][number]
        assert (small.val, large.val) == (fold.val, fold.val)
        assert (len(small.train), len(large.train)) == (2, 5)
        assert set(small.train) < set(large.train)
        assert not set(large.train) & set(fold.val)
    assert first != second


def test_a_budget_larger_than_the_smallest_fold_trains_on_names_the_largest_possible_one() -> None:
    data = _pooled(11)
    folds = (Fold(val=("s0-0", "s1-0", "s2-0", "s3-0")), Fold(val=tuple(f"s{number}-0" for number in range(4, 11))))
    with pytest.raises(DataError, match=r"--tiles 5: there are only 4 train tiles in each of 2 folds; ask for 4"):
        draw_folds(data, folds, [5], draws=1, seed=0)
