"""Every tile is equally likely in every budget, and budgets are balanced by what the task counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trainables.data.budgets import draw_tiles
from trainables.data.tiles import Tile
from trainables.task import Task

LAND = Task(kind="multiclass", classes=("ground", "roof", "tree"))


def _tile(name: str, *pixels: int, ignored: int = 0) -> Tile:
    """Return a tile of so many pixels per class, and ignored ones."""
    mask = np.concatenate([np.repeat(np.arange(len(pixels)), pixels), np.full(ignored, 255)]).astype(np.uint8)
    return Tile(name=name, image=np.zeros((1, len(mask), 3), dtype=np.uint8), mask=mask[None])


SKEWED = [_tile(f"t{number}", 1000 - number**2, number**2) for number in range(24)]


@pytest.mark.parametrize("budgets", [(5, 12, 24), (5, 8, 12, 18, 24), (7,)])
def test_every_tile_is_equally_likely(budgets: tuple[int, ...]) -> None:
    draws = draw_tiles(SKEWED, budgets, 1000, seed=3)
    for budget in budgets:
        seen = np.array([sum(tile.name in draw[budget] for draw in draws) for tile in SKEWED])
        assert seen.sum() == budget * 1000
        chance = budget / 24
        if chance < 1:
            z = (seen - 1000 * chance) / np.sqrt(1000 * chance * (1 - chance))
            assert np.abs(z).max() < stats.norm.ppf(1 - 1e-4 / 24)
            assert abs(seen[:12].sum() / (12 * 1000) - chance) < 0.01, "the poorer half as likely as the richer one"


def test_draws_are_not_richer_than_all_tiles() -> None:
    share = {tile.name: float((tile.mask == 1).mean()) for tile in SKEWED}
    whole = np.mean(list(share.values()))
    means = [np.mean([share[name] for name in draw[5]]) for draw in draw_tiles(SKEWED, (5, 12, 24), 1000, seed=1)]
    assert np.mean(means) == pytest.approx(whole, abs=4 * np.std(means) / np.sqrt(1000))
    alone = np.std(list(share.values())) / np.sqrt(5) * np.sqrt(19 / 23)
    assert np.std(means) < alone / 2, "stratified: half the spread of a plain random sample"


def test_ignored_pixels_are_no_foreground() -> None:
    empty = [_tile(f"empty{number}", 40, 0, ignored=60) for number in range(4)]
    full = [_tile(f"full{number}", 40, 60) for number in range(4)]
    for draw in draw_tiles([*empty, *full], (2,), 50, seed=0, task=Task(ignores=True)):
        assert sorted(name[:4] for name in draw[2]) == ["empt", "full"], "one of each kind"


def test_a_task_of_several_classes_is_balanced_by_each_of_them() -> None:
    kinds = {"ground": (100, 0, 0), "roof": (50, 50, 0), "tree": (50, 0, 50)}
    tiles = [_tile(f"{kind}{number}", *pixels) for number in range(4) for kind, pixels in kinds.items()]
    for draw in draw_tiles(tiles, (3,), 20, seed=0, task=LAND):
        assert sorted(name[:-1] for name in draw[3]) == ["ground", "roof", "tree"], "roof and tree are not one kind"
    seen = [sum(tile.name in draw[5] for draw in draw_tiles(tiles, (5,), 240, seed=1, task=LAND)) for tile in tiles]
    assert max(abs(number - 100) for number in seen) < 4.5 * np.sqrt(240 * 5 / 12 * 7 / 12)


def test_seeds_decide_and_more_draws_leave_the_first_ones_as_they_are() -> None:
    for task in (Task(), LAND):
        first = draw_tiles(SKEWED, (5, 12), 3, seed=1, task=task)
        assert first[:2] == draw_tiles(SKEWED, (5, 12), 2, seed=1, task=task)
        assert first != draw_tiles(SKEWED, (5, 12), 3, seed=2, task=task)
        assert all(set(draw[5]) < set(draw[12]) for draw in first)
