"""Tile budgets: which train tiles a trial sees when it may see only some of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainables.data.tiles import Tile
from trainables.errors import DataError

Draw = dict[int, tuple[str, ...]]
"""Budget to the names of its tiles, in the order of the tiles given."""


def draw_tiles(tiles: Sequence[Tile], budgets: Sequence[int], draws: int, seed: int) -> list[Draw]:
    """Draw nested, stratified subsets of the train tiles.

    Within a draw every budget's tiles are among those of each larger budget. Each subset is a stratified sample of
    the next larger one: that one's tiles are sorted by foreground share and cut into as many strata as tiles are
    wanted, and one tile is taken from each at random.

    Args:
        tiles: All train tiles.
        budgets: Numbers of tiles, each from 1 to ``len(tiles)``, without repeats.
        draws: How many draws, at least 1.
        seed: Seeds the draws, at least 0.

    Returns:
        One ``Draw`` a draw.

    Raises:
        DataError: An impossible budget; all faults at once.
    """
    check_budgets(budgets, len(tiles))
    ranked = sorted(range(len(tiles)), key=lambda index: ((tiles[index].mask > 0).mean(), tiles[index].name))
    found = []
    for number in range(draws):
        random = np.random.default_rng([seed, number])
        chosen = ranked
        draw: Draw = {}
        for budget in sorted(budgets, reverse=True):
            chosen = [int(random.choice(stratum)) for stratum in np.array_split(chosen, budget)]
            draw[budget] = tuple(tiles[index].name for index in sorted(chosen))
        found.append({budget: draw[budget] for budget in sorted(budgets)})
    return found


def check_budgets(budgets: Sequence[int], available: int) -> None:
    """Refuse budgets that cannot be drawn.

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
            faults.append(f"--tiles {budget}: there are only {available} train tiles; ask for {available} or fewer")
        if list(budgets).count(budget) > 1:
            faults.append(f"--tiles {budget}: is given more than once; --draws repeats a budget")
    if faults:
        raise DataError(faults)
