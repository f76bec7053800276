"""A tile in a page: its image, and over it a mask as outlines and as filled areas."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.charts.page import drawing, photo
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX, Colour, Task

OUTLINE: Colour = (255, 40, 200)
"""Of a binary mask without a colour of its own."""
IGNORED: Colour = (128, 128, 128)
OPAQUE, TINT = 255, 130
"""How much of the image an outline and a filled area hide, of 255."""
QUALITY = 55
"""Of the images' WebP."""

SIDE, SMALL_SIDE = 384, 288
"""Longest side in pixels of a tile, and of one among many."""
MANY, MOST_TILES = 250, 500
"""Tiles from which on they are smaller, and all that a sheet shows."""

Pixels = NDArray[np.uint8]
TilePictures = tuple[str, str, str]
"""A tile's image, outlines and filled areas as ``data:`` addresses."""


def side_of_many(tiles: int) -> int:
    """Return the longest side in pixels of each of so many tiles."""
    return SIDE if tiles <= MANY else SMALL_SIDE


def mask_colours(task: Task) -> dict[int, Colour]:
    """Return the classes that are drawn, and pixels that do not count, to their colours; the first class is not."""
    if task.binary:
        return {1: task.colours[1] if task.colours else OUTLINE, IGNORE_INDEX: IGNORED}
    return {**dict(list(enumerate(task.shown_colours))[1:]), IGNORE_INDEX: IGNORED}


def tile_pictures(tile: Tile, task: Task, side: int) -> TilePictures:
    """Return a tile's image, outlines and filled areas as ``data:`` addresses, all of one size.

    Args:
        tile: The tile.
        task: What its mask means.
        side: Longest side of the pictures in pixels; smaller tiles keep their size.
    """
    height, width = tile.mask.shape
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = cv2.resize(np.ascontiguousarray(tile.picture), size, interpolation=cv2.INTER_AREA)
    mask = np.asarray(cv2.resize(tile.mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    colours = mask_colours(task)
    return (
        photo(Image.fromarray(image), quality=QUALITY, fast=True),
        drawing(_painted(_outlines(mask, colours), colours, OPAQUE), fast=True),
        drawing(_painted(mask, colours, TINT), fast=True),
    )


def _outlines(mask: Pixels, colours: dict[int, Colour]) -> Pixels:
    """Return (H, W) the class of the outline at every pixel, else 0: one pixel inside of each area and one outside."""
    drawn = np.zeros_like(mask)
    for index in colours:
        if index == IGNORE_INDEX or not (area := (mask == index).astype(np.uint8)).any():
            continue
        outlines, _ = cv2.findContours(area, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, index, 2)
    return drawn


def _painted(mask: Pixels, colours: dict[int, Colour], alpha: int) -> Image.Image:
    """Return a palette picture of a mask in which everything without a colour is transparent."""
    palette, opacity = np.zeros((256, 3), np.uint8), np.zeros(256, np.uint8)
    for index, colour in colours.items():
        palette[index], opacity[index] = colour, alpha
    picture = Image.fromarray(mask).convert("P")
    picture.putpalette(palette.tobytes())
    picture.info["transparency"] = opacity.tobytes()
    return picture
