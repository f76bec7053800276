"""Tiles: one image with its mask, read strictly, and the data that tuning may see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One labelled image.

    Attributes:
        name: File name without its ending.
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, 0 background, 1 foreground.
    """

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class TuningData:
    """All that a trial may see. It has no test field: a trial cannot reach the test split.

    Attributes:
        train: The train tiles.
        val: The val tiles.
        name: The dataset's name, from its manifest or folder.
        synthetic: Whether the manifest says that the tiles were drawn by a program.
        fingerprint: Hex sha256 over split, name and content of every train and val file.
    """

    train: tuple[Tile, ...]
    val: tuple[Tile, ...]
    name: str
    synthetic: bool
    fingerprint: str
