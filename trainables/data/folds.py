"""Cross-validation: all labelled tiles but test, divided into folds so that no scene is in two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.class_balance import count_classes
from trainables.data.budgets import check_budgets, draw_tiles
from trainables.data.tiles import Tile, TuningData
from trainables.errors import DataError
from trainables.task import Task

ORDERS = 200
"""Orders of the scenes that are tried; the division that is balanced best is taken."""
LEAST_ORDERS, MOST_DEALT = 4, 100_000
"""Orders that are tried at least, and scenes that are dealt out in all orders together beyond that."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One of the trainings of a cross-validation.

    Attributes:
        val: Names of the tiles that it is scored on.
        train: Names of the tiles that it trains on; none is all that are not in ``val``.
    """

    val: tuple[str, ...]
    train: tuple[str, ...] = ()

    def of(self, data: TuningData) -> TuningData:
        """Return the tiles of this training alone.

        Args:
            data: As ``TuningData.pooled`` returns them.

        Raises:
            DataError: A name that is no tile of them.
        """
        left_out = set(self.val)
        others = [tile.name for tile in data.train if tile.name not in left_out]
        return data.only(self.train or others, val=self.val)

    def train_tiles(self, available: int) -> int:
        """Return how many tiles it trains on, of so many tiles in all folds."""
        return len(self.train) or available - len(self.val)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fold:
        """Read what ``dataclasses.asdict`` returned, or its JSON."""
        return cls(val=tuple(values["val"]), train=tuple(values["train"]))


def split_folds(
    tiles: Sequence[Tile], scenes: Mapping[str, str], count: int, seed: int, task: Task
) -> tuple[Fold, ...]:
    """Divide tiles into folds by scene, balanced in the number of tiles and in the pixels of each class.

    See ``divide_shares``.

    Args:
        tiles: All labelled tiles but test.
        scenes: Tile name to scene.
        count: How many folds, from 2 to the number of scenes.
        seed: Decides among equals, at least 0.
        task: What the masks mean.

    Returns:
        The folds; each has at least one scene, and each tile is in ``val`` of one of them, in the order given.

    Raises:
        DataError: More folds than scenes; says the largest number that is possible.
    """
    names = sorted({scenes[tile.name] for tile in tiles})
    _require_scenes(len(names), count)
    shares = _scene_shares(tiles, scenes, names, task)
    fold_of = dict(zip(names, divide_shares(shares, [1 / count] * count, [seed, count]).tolist(), strict=True))
    return tuple(
        Fold(val=tuple(tile.name for tile in tiles if fold_of[scenes[tile.name]] == fold)) for fold in range(count)
    )


def divide_shares(shares: NDArray[np.float64], parts: Sequence[float], seed: Sequence[int]) -> NDArray[np.int64]:
    """Divide scenes into parts of given sizes, balanced in everything that is counted of a scene.

    Scenes are dealt out one after the other, each to the part that then deviates least from its size, in ``ORDERS``
    orders, fewer for thousands of scenes: large ones first, equals in a seeded order, then seeded orders. The division
    with the least squared deviation is taken.

    Args:
        shares: (scenes, columns) each scene's share of all that is counted: of the tiles, then of each class's pixels.
        parts: Each part's wanted share, more than 0, 1 in all; at most as many as there are scenes.
        seed: Decides among equals.

    Returns:
        (scenes,) each scene's part; no part is without a scene.
    """
    random = np.random.default_rng(seed)
    wanted = np.array(parts)[:, None]
    best: tuple[float, NDArray[np.int64]] | None = None
    for number in range(min(ORDERS, max(LEAST_ORDERS, MOST_DEALT // len(shares)))):
        order = random.permutation(len(shares))
        if number % 2 == 0:
            order = order[np.argsort(-shares[order, 0], kind="stable")]
        found = _deal(shares, order, wanted)
        if best is None or found[0] < best[0] - 1e-12:
            best = found
    assert best is not None
    return best[1]


def _require_scenes(scenes: int, count: int) -> None:
    if count < 2:
        raise DataError(f"--folds {count}: a cross-validation has at least 2 folds")
    if scenes == 1:
        raise DataError(
            f"--folds {count}: all tiles are of one scene, which cannot be divided; "
            "--group-by PATTERN names scenes by tile names, or leave --folds out"
        )
    if count > scenes:
        raise DataError(
            f"--folds {count}: there are {scenes} scenes, and a scene is in one fold; --folds {scenes} works"
        )


def _scene_shares(
    tiles: Sequence[Tile], scenes: Mapping[str, str], names: Sequence[str], task: Task
) -> NDArray[np.float64]:
    """Return (scenes, 1 + classes) shares of all tiles, then of each class's pixels; a class without any is 0."""
    found = np.zeros((len(names), 1 + len(task.classes)))
    rows = {name: row for row, name in enumerate(names)}
    for tile in tiles:
        found[rows[scenes[tile.name]]] += [1.0, *count_classes(tile, len(task.classes))]
    shares: NDArray[np.float64] = found / found.sum(axis=0).clip(min=1.0)
    return shares


def _deal(
    shares: NDArray[np.float64], order: NDArray[np.int64], wanted: NDArray[np.float64]
) -> tuple[float, NDArray[np.int64]]:
    """Deal scenes out in an order.

    Returns:
        The squared deviation of the parts from the wanted shares, summed over parts and columns, and each scene's part.
    """
    filled = np.zeros((len(wanted), shares.shape[1]))
    part_of = np.zeros(len(shares), dtype=np.int64)
    for place, scene in enumerate(order.tolist()):
        excess = ((filled + shares[scene] - wanted) ** 2 - (filled - wanted) ** 2).sum(axis=1)
        empty = np.flatnonzero(filled[:, 0] == 0)
        open_to = empty if len(empty) == len(order) - place else np.arange(len(wanted))  # no part without a scene
        part = int(open_to[np.argmin(excess[open_to])])
        filled[part] += shares[scene]
        part_of[scene] = part
    return float(((filled - wanted) ** 2).sum()), part_of


def draw_folds(
    data: TuningData, folds: Sequence[Fold], budgets: Sequence[int], draws: int, seed: int
) -> list[dict[int, tuple[Fold, ...]]]:
    """Draw nested, balanced subsets of each fold's train tiles; see ``draw_tiles``.

    Args:
        data: As ``TuningData.pooled`` returns them.
        folds: Of ``data``.
        budgets: Numbers of tiles, each at most those of the fold with the fewest train tiles.
        draws: How many draws, at least 1.
        seed: Seeds the draws, at least 0.

    Returns:
        Budget to folds, one per draw.

    Raises:
        DataError: An impossible budget; all faults at once.
    """
    check_budgets(budgets, min(fold.train_tiles(len(data.train)) for fold in folds), f" in each of {len(folds)} folds")
    drawn = [
        draw_tiles(fold.of(data).train, budgets, draws, seed + number, data.task) for number, fold in enumerate(folds)
    ]
    return [
        {
            budget: tuple(
                Fold(val=fold.val, train=of_fold[number][budget]) for fold, of_fold in zip(folds, drawn, strict=True)
            )
            for budget in sorted(budgets)
        }
        for number in range(draws)
    ]
