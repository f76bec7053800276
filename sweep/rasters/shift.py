"""Where a mask fits its image best: outlines of objects are on the edges in the image.

Gradients are compared as directions of lines, which are the same for a bright roof on dark ground and a dark one on
bright ground: a gradient's angle is doubled. The products of both fields at every shift are a correlation, taken for
small blocks of the tile by Fourier transforms. Sources: Fitch et al. 2002, "Orientation correlation"; the doubled angle
after Granlund 1978; the bootstrap after Efron 1979.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

from trainables.data.masks import count_values
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX

REACH = 16
"""Pixels right, left, up and down within which the best place is looked for."""
BLOCK = 32
"""Side in pixels of the parts that are drawn again and again."""
LEAST_SHIFT = 4.0
"""Pixels; people do not outline more exactly."""
TOGETHER = 4.0
"""Pixels within which two best places are one."""
LEAST_OUTLINE = 16.0
"""Pixels of outlines, counted on both sides, that a block needs."""
LEAST_BLOCKS, MOST_BLOCKS = 6, 250
RESAMPLES, SURE = 500, 0.95
"""In so many of the draws of blocks, with replacement, the best place must be the same one."""
IMAGE_BLUR, MASK_BLUR = 1.5, 1.0
"""Standard deviations of Gaussians, in pixels."""

MOST_SIDE, STEP = 512, 16
"""Pixels of what is looked at of a tile, and by which places for it differ."""
THINNED = 4
"""Pixels between those by which the usual strength of edges is taken."""

Field = NDArray[np.complex64]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Where a mask's outlines fit the image best.

    Attributes:
        right: Pixels further right; negative for left.
        down: Pixels further down; negative for up.
        sure: Share of the resamples that find the same place, and not the mask's own, in [0, 1].
    """

    right: int
    down: int
    sure: float

    @property
    def words(self) -> str:
        """Such as ``9 px further right and 2 px further up``."""
        across = f"{abs(self.right)} px further {'right' if self.right > 0 else 'left'}" if self.right else ""
        along = f"{abs(self.down)} px further {'down' if self.down > 0 else 'up'}" if self.down else ""
        return " and ".join(part for part in (across, along) if part)


def best_shift(tile: Tile) -> Shift | None:
    """Return where a mask fits its image best, if that is elsewhere; None for its own place, and for too few outlines.

    Outlines next to the tile's end or to pixels that do not count are left out. A place at the end of what is looked
    through is none: the best one may be beyond.
    """
    products = _products(_part(tile))
    if len(products) < LEAST_BLOCKS:
        return None
    down, right = _places(_score_maps(products.sum(axis=0, keepdims=True)))[0]
    if max(abs(right), abs(down)) == REACH or np.hypot(right, down) < LEAST_SHIFT:
        return None
    maps = _score_maps(products)
    draws = np.random.default_rng(0).multinomial(len(maps), np.full(len(maps), 1 / len(maps)), size=RESAMPLES)
    places = _places(np.tensordot(draws.astype(np.float32), maps, axes=1))
    same = np.hypot(*(places - (down, right)).T) <= TOGETHER
    away = np.hypot(*places.T) >= LEAST_SHIFT
    return Shift(right=int(right), down=int(down), sure=float(min(same.mean(), away.mean())))


def moved(mask: NDArray[np.uint8], right: int, down: int) -> NDArray[np.uint8]:
    """Move a mask; what is moved in does not count."""
    height, width = mask.shape
    result = np.full_like(mask, IGNORE_INDEX)
    result[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = mask[
        max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    return result


def _part(tile: Tile) -> Tile:
    """Return the square of a large tile in which outlines are the longest: it tells as much in less time."""
    height, width = tile.mask.shape
    if max(height, width) <= MOST_SIDE:
        return tile
    around = np.ones((3, 3), np.uint8)
    highest = cv2.dilate(tile.mask, around)
    outlines = (highest != cv2.erode(tile.mask, around)) & (highest != IGNORE_INDEX)
    found = cv2.resize(outlines.astype(np.float32), None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA)
    side = MOST_SIDE // STEP
    box = (min(side, found.shape[1]), min(side, found.shape[0]))
    sums = cv2.boxFilter(found, -1, box, anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT)
    valid = sums[: max(1, found.shape[0] - side + 1), : max(1, found.shape[1] - side + 1)]
    top, left = (STEP * int(place) for place in np.unravel_index(valid.argmax(), valid.shape))
    rows, columns = slice(top, top + MOST_SIDE), slice(left, left + MOST_SIDE)
    return replace(tile, image=tile.image[rows, columns], mask=tile.mask[rows, columns])


def _places(maps: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return (N, 2) rows and columns, from the middle, of the highest scores of (N, H, W)."""
    best = maps.reshape(len(maps), -1).argmax(axis=1)
    return np.stack(np.unravel_index(best, maps.shape[1:]), axis=1) - REACH


def _products(tile: Tile) -> Field:
    """Return (blocks, 64, 64): for each block with outlines the Fourier transform of its score at every place."""
    height, width = (side - side % BLOCK for side in tile.mask.shape)
    outlines = _outlines(tile.mask)[:height, :width]
    blocks = outlines.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2)
    rows, columns = np.nonzero(np.abs(blocks).sum(axis=(2, 3)) >= LEAST_OUTLINE)
    side = BLOCK + 2 * REACH
    if len(rows) < LEAST_BLOCKS:
        return np.zeros((0, side, side), np.complex64)
    if len(rows) > MOST_BLOCKS:
        chosen = np.random.default_rng(0).choice(len(rows), MOST_BLOCKS, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    around = np.pad(_edges(tile.picture)[:height, :width], REACH)
    windows = sliding_window_view(around, (side, side))[::BLOCK, ::BLOCK][rows, columns]
    wanted = fft.fft2(blocks[rows, columns], s=(side, side), overwrite_x=True)
    return np.asarray(fft.fft2(windows, overwrite_x=True) * np.conj(wanted), np.complex64)


def _score_maps(products: Field) -> NDArray[np.float32]:
    """Return (N, 33, 33): how well blocks, or their sum, fit, moved by -16 to 16 rows and columns."""
    side = 2 * REACH + 1
    return np.ascontiguousarray(fft.ifft2(products).real[:, :side, :side], np.float32)


def _edges(picture: NDArray[np.uint8]) -> Field:
    """Return (H, W) the directions of an image's edges, by the band with the strongest one; lengths are below 1."""
    blurred = cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), IMAGE_BLUR)
    bands = np.atleast_3d(blurred)
    across, down = _gradient(bands[..., 0])
    length = _lengths(across, down)
    for band in range(1, bands.shape[2]):
        other = _gradient(bands[..., band])
        others = _lengths(*other)
        stronger = others > length
        for kept, found in zip((across, down, length), (*other, others), strict=True):
            np.copyto(kept, found, where=stronger)
    return _doubled(across, down, length * (length + np.median(length[::THINNED, ::THINNED]) + 1e-3))


def _outlines(mask: NDArray[np.uint8]) -> Field:
    """Return (H, W) the directions of a mask's outlines, where all that is near counts and is in the tile."""
    field = np.zeros(mask.shape, np.complex64)
    for index in np.flatnonzero(count_values(mask)[:IGNORE_INDEX]):
        across, down = _gradient(cv2.GaussianBlur((mask == index).astype(np.float32), (0, 0), MASK_BLUR))
        field += _doubled(across, down, _lengths(across, down))
    if (mask == IGNORE_INDEX).any():
        field[cv2.dilate((mask == IGNORE_INDEX).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0] = 0
    for end in (slice(None, REACH), slice(-REACH, None)):
        field[end] = 0
        field[:, end] = 0
    return field


def _gradient(values: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (H, W) how values rise from left to right, and downwards."""
    across, down = (cv2.Scharr(values, cv2.CV_32F, dx, 1 - dx, scale=1 / 32) for dx in (1, 0))
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _lengths(across: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (H, W) how steep values are, never 0."""
    return np.asarray(np.maximum(cv2.magnitude(across, down), 1e-6), np.float32)


def _doubled(across: NDArray[np.float32], down: NDArray[np.float32], divisor: NDArray[np.float32]) -> Field:
    """Return (H, W) the square of a gradient as a complex number, which doubles its angle, over a divisor."""
    field = np.empty(across.shape, np.complex64)
    field.real = (across * across - down * down) / divisor
    field.imag = 2 * across * down / divisor
    return field
