"""The centred window of a val tile, which is scored every epoch; nothing heavy is loaded for it."""

from __future__ import annotations

import numpy as np

from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX


def has_labelled_centre(tile: Tile, side: int) -> bool:
    """Whether a pixel of a tile's centred window counts; arguments as for ``centre_window``."""
    height, width = tile.mask.shape
    rows, columns = (min(side, height), min(side, width)) if side else (height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    return bool((tile.mask[top : top + rows, left : left + columns] != IGNORE_INDEX).any())


def centre_window(tile: Tile, side: int) -> Tile:
    """Return the centred window of a tile; the whole tile for 0 or where the tile is smaller.

    Where nobody labelled a pixel of the centred window, it is the one around the labelled pixel next to the centre: a
    window without a pixel that counts has no score.

    Args:
        tile: The tile; some pixel of it counts.
        side: Side of the window in pixels, or 0.
    """
    height, width = tile.mask.shape
    rows, columns = (min(side, height), min(side, width)) if side else (height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    labelled = tile.mask != IGNORE_INDEX
    if not has_labelled_centre(tile, side) and labelled.any():
        places = np.argwhere(labelled)
        nearest = places[((places - (height // 2, width // 2)) ** 2).sum(1).argmin()]
        top, left = np.clip(nearest - (rows // 2, columns // 2), 0, (height - rows, width - columns)).tolist()
    window = (slice(top, top + rows), slice(left, left + columns))
    return Tile(name=tile.name, image=tile.image[window], mask=tile.mask[window])
