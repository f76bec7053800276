"""Tile budgets: which train tiles a trial sees when it may see only some of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainables.class_balance import count_classes
from trainables.data.tiles import Tile
from trainables.errors import DataError
from trainables.task import Task

Draw = dict[int, tuple[str, ...]]
"""Budget to the names of its tiles, in the order of the tiles given."""
CERTAIN = 1e-9
"""Chances this near to 0 or 1 are 0 or 1, but for rounding."""


def draw_tiles(
    tiles: Sequence[Tile], budgets: Sequence[int], draws: int, seed: int, task: Task | None = None
) -> list[Draw]:
    """Draw nested, balanced subsets of the train tiles, in which every tile is equally likely.

    Within a draw every budget's tiles are among those of each larger budget. Each subset is a balanced sample of the
    next larger one, see ``balanced_sample``: by the share of foreground in a binary task, by the shares of all classes
    in another. Ignored pixels have no part in a share.

    Args:
        tiles: All train tiles.
        budgets: Numbers of tiles, each from 1 to ``len(tiles)``, without repeats.
        draws: How many draws, at least 1.
        seed: Seeds the draws, at least 0.
        task: What the masks mean; None is binary.

    Returns:
        One ``Draw`` a draw.

    Raises:
        DataError: An impossible budget; all faults at once.
    """
    check_budgets(budgets, len(tiles))
    shares = class_shares(tiles, task or Task())
    found = []
    for number in range(draws):
        random = np.random.default_rng([seed, number])
        chosen = np.arange(len(tiles))
        draw: Draw = {}
        for budget in sorted(budgets, reverse=True):
            chosen = chosen[balanced_sample(shares[chosen], budget, random)]
            draw[budget] = tuple(tiles[index].name for index in chosen.tolist())
        found.append({budget: draw[budget] for budget in sorted(budgets)})
    return found


def class_shares(tiles: Sequence[Tile], task: Task) -> NDArray[np.float64]:
    """Return (tiles, classes) shares of the labelled pixels, each class's divided by its standard deviation over tiles.

    So a rare class distinguishes tiles as much as a common one. Of a binary task there is the foreground alone.
    """
    counts = np.array([count_classes(tile, len(task.classes)) for tile in tiles], dtype=np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    shares = shares[:, 1:] if task.binary else shares
    spread = shares.std(axis=0)
    scaled: NDArray[np.float64] = shares / np.where(spread > 0, spread, 1.0)
    return scaled


def balanced_sample(points: NDArray[np.float64], size: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw some of the points, each equally likely, spread over where the points are.

    Two neighbours at a time compete until each is in or out: a point's chance stays exactly size / points, and
    neighbours are rarely drawn together. On a line it is the next two in order that compete (ordered pivotal sampling,
    Deville and Tillé, 1998), so that about one of each points / size neighbours is drawn; else a random one and the
    nearest to it (local pivotal method, Grafström, Lundström and Schelin, 2012).

    Args:
        points: (N, D).
        size: How many, from 1 to N.
        random: Decides.

    Returns:
        (size,) rising indices.
    """
    chance = np.full(len(points), size / len(points))
    line = points.shape[1] == 1
    waiting = np.argsort(points[:, 0], kind="stable") if line else np.arange(len(points))
    while len(waiting := waiting[(chance[waiting] > CERTAIN) & (chance[waiting] < 1 - CERTAIN)]) > 1:
        one, other = waiting[:2] if line else _neighbours(points, waiting, random)
        chance[[one, other]] = _compete(chance[one], chance[other], random)
    return np.flatnonzero(chance > 0.5)


def _neighbours(points: NDArray[np.float64], among: NDArray[np.int64], random: np.random.Generator) -> tuple[int, int]:
    """Return a random point, and the nearest other one."""
    one = int(random.choice(among))
    others = among[among != one]
    distance = ((points[others] - points[one]) ** 2).sum(axis=1)
    return one, int(random.choice(others[distance <= distance.min() + CERTAIN]))


def _compete(first: float, second: float, random: np.random.Generator) -> tuple[float, float]:
    """Return two points' chances after one of them is out, or one is in; on average these are what they were."""
    both = first + second
    if both < 1:
        return (both, 0.0) if random.random() < first / both else (0.0, both)
    return (1.0, both - 1) if random.random() < (1 - second) / (2 - both) else (both - 1, 1.0)


def check_budgets(budgets: Sequence[int], available: int, where: str = "") -> None:
    """Refuse budgets that cannot be drawn.

    Args:
        budgets: Numbers of tiles.
        available: How many there are.
        where: Where there are so many, after "train tiles"; empty for the dataset.

    Raises:
        DataError: All faults at once.
    """
    faults = []
    if not budgets:
        faults.append("--tiles: names no budget; give numbers such as 5,12,24")
    for budget in dict.fromkeys(budgets):
        if budget < 1:
            faults.append(f"--tiles {budget}: a budget is at least 1 tile")
        if budget > available:
            faults.append(
                f"--tiles {budget}: there are only {available} train tiles{where}; ask for {available} or fewer"
            )
        if list(budgets).count(budget) > 1:
            faults.append(f"--tiles {budget}: is given more than once; --draws repeats a budget")
    if faults:
        raise DataError(faults)
