"""A check holds the pixels of a few tiles at a time, however many there are."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from sweep.patches.checks.checking import check
from sweep.patches.folders import write_tile
from trainables.data.tiles import SPLITS
from trainables.task import Task

COUNT, SIDE = 60, 512
"""Decoded, these tiles are 60 MiB."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(0)
    middle = SIDE // 4
    for split in SPLITS:
        for kind in ("images", "masks"):
            (root / split / kind).mkdir(parents=True)
    for number in range(COUNT):
        picture = np.full((SIDE, SIDE, 3), number, np.uint8)
        picture[middle : 3 * middle, middle : 3 * middle] = random.integers(0, 256, 3)
        write_tile(root, SPLITS[number % 3], f"t{number}", picture, np.eye(SIDE, dtype=np.uint8), Task())
    return root


@pytest.mark.parametrize("leaks", [False, True])
def test_the_pixels_of_all_tiles_are_never_held_at_once(many: Path, leaks: bool) -> None:
    tracemalloc.start()
    try:
        report = check(many, leaks=leaks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not report.faults and sum(map(len, report.splits.values())) == COUNT
    assert peak < (60 if leaks else 20) * 2**20
