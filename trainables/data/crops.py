"""Crops: how large they can be on some tiles, and what is done where a tile is smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from trainables.task import IGNORE_INDEX

NAMED = 3
"""Tiles that a line names; more are counted."""


class Sized(Protocol):
    """A tile, read or not."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...


_Sized = TypeVar("_Sized", bound=Sized)


def largest_crop(tiles: Sequence[Sized]) -> int:
    """Return the side of the largest square, in pixels, that at least one of some tiles holds."""
    return max(min(tile.shape) for tile in tiles)


def smaller_than(tiles: Sequence[_Sized], crop: int) -> list[_Sized]:
    """Return the tiles of which a side is shorter than a crop's, in pixels."""
    return [tile for tile in tiles if min(tile.shape) < crop]


def listed(tiles: Sequence[Sized]) -> str:
    """Name tiles with their sizes: ``a (512x64), b (64x64) and 7 more``."""
    names = ", ".join(f"{tile.name} ({tile.shape[1]}x{tile.shape[0]})" for tile in tiles[:NAMED])
    return names + (f" and {len(tiles) - NAMED} more" if len(tiles) > NAMED else "")


def pad(image: NDArray[np.uint8], mask: NDArray[np.uint8], crop: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Enlarge a view to a crop at the bottom and on the right.

    Args:
        image: (h, w, C) uint8; neither side is longer than the crop's.
        mask: (h, w) uint8.
        crop: Side S of the crop in pixels.

    Returns:
        (S, S, C) uint8, the image mirrored at its edges as augmentation does it, so that batch statistics are those of
        the tile's own pixels; and (S, S) uint8, 255 there: these pixels count neither in the loss nor in a score.
    """
    height, width = mask.shape
    down, right = crop - height, crop - width
    if not (down or right):
        return image, mask
    larger = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REFLECT_101)
    uncounted = np.full((crop, crop), IGNORE_INDEX, dtype=np.uint8)
    uncounted[:height, :width] = mask
    return np.asarray(larger, dtype=np.uint8).reshape(crop, crop, -1), uncounted  # OpenCV drops a single band's axis
