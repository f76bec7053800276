"""A picture of all tiles with the outlines of their masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trainables.data.tiles import Tile, TileFiles

THUMBNAIL = 224
COLUMNS = 6
HEADER, CAPTION, GAP = 40, 18, 6
OUTLINE = (255, 40, 200)


def draw_overview(title: str, splits: Mapping[str, tuple[TileFiles, ...]]) -> Image.Image:
    """Draw a grid of thumbnails by split; the tiles themselves are not changed.

    Args:
        title: Written at the top.
        splits: Split to tiles.

    Returns:
        A picture of 256 colours.
    """
    cell = THUMBNAIL + GAP
    rows = {split: -(-len(tiles) // COLUMNS) for split, tiles in splits.items()}
    height = HEADER + sum(HEADER + count * (cell + CAPTION) for count in rows.values()) + GAP
    page = Image.new("RGB", (COLUMNS * cell + GAP, height), "white")
    pen = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(22), ImageFont.load_default(13)
    pen.text((GAP, 8), title, fill="black", font=large)
    top = HEADER
    for split, tiles in splits.items():
        pen.text((GAP, top + 8), f"{split}: {len(tiles)} tiles", fill="black", font=large)
        top += HEADER
        for number, files in enumerate(tiles):
            x, y = GAP + number % COLUMNS * cell, top + number // COLUMNS * (cell + CAPTION)
            page.paste(Image.fromarray(_thumbnail(files.tile)), (x, y))
            pen.text((x, y + THUMBNAIL), f"{files.tile.name}  {files.tile.mask.mean():.0%}", fill="black", font=small)
        top += rows[split] * (cell + CAPTION)
    return page.quantize(256, dither=Image.Dither.NONE)


def write_overview(path: Path, title: str, splits: Mapping[str, tuple[TileFiles, ...]]) -> None:
    """Write the picture as PNG."""
    draw_overview(title, splits).save(path, format="PNG", optimize=True)


def _thumbnail(tile: Tile) -> NDArray[np.uint8]:
    """Shrink the image for show, padded to a square, and outline the mask."""
    height, width = tile.mask.shape
    scale = THUMBNAIL / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(tile.image, shape, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(tile.mask, shape, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(small, outlines, -1, OUTLINE, 1)
    square = np.full((THUMBNAIL, THUMBNAIL, 3), 255, dtype=np.uint8)
    square[: shape[1], : shape[0]] = small
    return square
