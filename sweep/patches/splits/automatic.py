"""``--split auto``: sources are divided by scene, balanced in tiles and in each class's pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sweep.patches.tiling.window import Window
from trainables.data.folds import divide_shares
from trainables.data.tiles import SPLITS, natural_order
from trainables.errors import DataError


def parse_shares(numbers: Sequence[int]) -> dict[str, float]:
    """Return the wanted share of each split that is to have tiles, 1 in all.

    Raises:
        DataError: Not three numbers from 0, or none for train.
    """
    if len(numbers) != len(SPLITS) or min(numbers) < 0 or not numbers[0]:
        shown = ",".join(map(str, numbers[:4]))
        raise DataError(
            f"--shares {shown[:60]}: give three numbers for train, val and test, such as 70,15,15; val or test may be 0"
        )
    return {split: number / sum(numbers) for split, number in zip(SPLITS, numbers, strict=True) if number}


def divide_sources(
    windows: Mapping[str, Sequence[Window]], units: Mapping[str, str], shares: Mapping[str, float], seed: int
) -> dict[str, list[str]]:
    """Divide sources between splits so that no unit is in two of them.

    Args:
        windows: Source to its tiles.
        units: Source to the scene, or whatever else stays together; at least as many as there are shares.
        shares: Split to its wanted share.
        seed: Decides among equals, at least 0.

    Returns:
        Split to sources, in natural order.
    """
    names = sorted(set(units.values()), key=natural_order)
    rows = {name: row for row, name in enumerate(names)}
    counts = np.zeros((len(names), 1 + max(len(one.counts) for found in windows.values() for one in found)))
    for source, found in windows.items():
        for one in found:
            counts[rows[units[source]]] += [1, *one.counts]
    parts = divide_shares(counts / counts.sum(axis=0).clip(min=1), list(shares.values()), [seed, len(shares)])
    split_of = dict(zip(names, np.array(list(shares))[parts].tolist(), strict=True))
    return {
        split: sorted((name for name, unit in units.items() if split_of[unit] == split), key=natural_order)
        for split in shares
    }
