"""Tiles to measure on, drawn by the project's own painter."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.patches.folders import new_dataset
from sweep.patches.synthesis import draw_tiles, split_names


@contextmanager
def synthetic_tiles(counts: tuple[int, int, int], size: int) -> Iterator[Path]:
    """Draw a dataset that lasts as long as the block.

    Args:
        counts: Tiles for train, val and test.
        size: Side of a tile in pixels.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        patches = Path(folder) / "patches"
        with new_dataset(patches, force=False) as root:
            draw_tiles(root, split_names(counts), size=size, seed=0)
        yield patches
