"""A picture of all tiles with the outlines of their masks, or with their classes in colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sweep.charts.tile_pictures import IGNORED, OUTLINE
from sweep.patches.checks.tiles import CheckedTile
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX, Colour, Task
from trainables.wording import counted

LEAST_SIDE, MOST_SIDE = 224, 384
"""Pixels of a tile in the picture: as many as it has, within these; of a tile of 1024 a roof of 20 is 8 pixels wide."""
COLUMNS = 5
SHOWN = 30
"""Tiles of a split; the contact sheet shows more."""
HEADER, CAPTION, GAP, SWATCH = 40, 18, 6, 14
ReadTile = Callable[[CheckedTile], Tile]
CHOOSING = 500_000
"""Pixels of a page by which its palette is chosen."""
TINT = 0.5
"""Weight of a class's colour over the image, in [0, 1]."""


def draw_overview(title: str, splits: Mapping[str, Sequence[CheckedTile]], task: Task, read: ReadTile) -> Image.Image:
    """Draw a grid of thumbnails by split; the tiles themselves are not changed.

    A binary mask is outlined. In a multi-class task every class but the first tints the image in its colour. Captions
    say which share of the labelled pixels is foreground, or not of the first class.

    Args:
        title: Written at the top.
        splits: Split to tiles; the first 30 of each are drawn.
        task: What the masks mean.
        read: Gives the pixels of one that is drawn, as ``small_tile`` or larger.

    Returns:
        A picture of 256 colours.
    """
    shown = {split: tiles[:SHOWN] for split, tiles in splits.items()}
    longest = max((max(files.shape) for tiles in shown.values() for files in tiles), default=LEAST_SIDE)
    side = min(MOST_SIDE, max(LEAST_SIDE, longest))
    cell = side + GAP
    width = COLUMNS * cell + GAP
    ignored = any(tile.values[IGNORE_INDEX] for tiles in shown.values() for tile in tiles)
    legend = [] if task.binary else _lay_out_legend(task, width, ignored=ignored)
    top = HEADER + (legend[-1][1] + HEADER // 2 if legend else 0)
    rows = {split: -(-len(tiles) // COLUMNS) for split, tiles in shown.items()}
    height = top + sum(HEADER + count * (cell + CAPTION) for count in rows.values()) + GAP
    page = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(22), ImageFont.load_default(13)
    pen.text((GAP, 8), title, fill="black", font=large)
    for x, y, name, _ in legend:
        pen.rectangle((x, HEADER + y, x + SWATCH, HEADER + y + SWATCH), outline="black")
        pen.text((x + SWATCH + GAP, HEADER + y - 1), name, fill="black", font=small)
    for split, tiles in splits.items():
        part = f", the first {SHOWN} of them; the contact sheet shows more" if len(tiles) > SHOWN else ""
        pen.text((GAP, top + 8), f"{split}: {counted(len(tiles), 'tile')}{part}", fill="black", font=large)
        top += HEADER
        for number, files in enumerate(shown[split]):
            x, y = GAP + number % COLUMNS * cell, top + number // COLUMNS * (cell + CAPTION)
            page.paste(Image.fromarray(_thumbnail(read(files), task, side)), (x, y))
            caption = f"{files.name}  {_share(files):.0%}"
            pen.text((x, y + side), caption, fill="black", font=small)
        top += rows[split] * (cell + CAPTION)
    page = _with_palette(page, 256 - len(legend))
    _fill_legend(page, legend)
    return page


def overview_png(title: str, splits: Mapping[str, Sequence[CheckedTile]], task: Task, read: ReadTile) -> bytes:
    """Return the picture as PNG."""
    data = BytesIO()
    draw_overview(title, splits, task, read).save(data, format="PNG")
    return data.getvalue()


def small_tile(tile: Tile) -> Tile:
    """Return a tile as a person sees it, its longer side at most as long as the overview shows any."""
    picture = tile.picture
    scale = MOST_SIDE / max(tile.shape)
    if scale >= 1:
        return replace(tile, image=picture)
    image, mask = _resized(picture, tile.mask, scale)
    return replace(tile, image=image, mask=mask)


def _resized(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an image and its mask in another size."""
    height, width = mask.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _share(tile: CheckedTile) -> float:
    """Return which share of the labelled pixels is not of the first class."""
    labelled = tile.values[:IGNORE_INDEX].sum()
    return float((labelled - tile.values[0]) / max(1, labelled))


def _lay_out_legend(task: Task, width: int, *, ignored: bool) -> list[tuple[int, int, str, Colour]]:
    """Return x, y, text and colour of every entry, in lines that fit the page."""
    font = ImageFont.load_default(13)
    names = [f"{task.classes[0]} (not tinted)", *task.classes[1:], *(["ignored"] if ignored else [])]
    colours = [*task.shown_colours, *([IGNORED] if ignored else [])]
    x, y = GAP, 0
    entries = []
    for name, colour in zip(names, colours, strict=True):
        needed = SWATCH + GAP + round(font.getlength(name)) + 3 * GAP
        if x > GAP and x + needed > width:
            x, y = GAP, y + HEADER // 2
        entries.append((x, y, name, colour))
        x += needed
    return entries


def _with_palette(page: Image.Image, colours: int) -> Image.Image:
    """Return a picture in so many colours; they are chosen by some of its pixels, as all of a large one take long."""
    step = max(1, round((page.width * page.height / CHOOSING) ** 0.5))
    some = Image.fromarray(np.ascontiguousarray(np.asarray(page)[::step, ::step]))
    chosen = some.quantize(colours, dither=Image.Dither.NONE)
    return page.quantize(palette=chosen, dither=Image.Dither.NONE)


def _fill_legend(page: Image.Image, legend: list[tuple[int, int, str, Colour]]) -> None:
    """Fill the legend's squares with its very colours, which a palette of the whole page would blur."""
    known = (page.getpalette() or [])[: 3 * (256 - len(legend))]
    first = len(known) // 3
    page.putpalette([*known, *(part for *_, colour in legend for part in colour)])
    pen = ImageDraw.Draw(page)
    for index, (x, y, _, _) in enumerate(legend, first):
        pen.rectangle((x + 1, HEADER + y + 1, x + SWATCH - 1, HEADER + y + SWATCH - 1), fill=index)


def _thumbnail(tile: Tile, task: Task, side: int) -> NDArray[np.uint8]:
    """Shrink the image for show, padded to a square, and outline or tint the mask."""
    small, mask = _resized(tile.picture, tile.mask, side / max(tile.shape))
    if task.binary:
        outlines, _ = cv2.findContours((mask == 1).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(small, outlines, -1, OUTLINE, 1)
    if task.ignores_pixels:
        table = np.full((256, 3), IGNORED, dtype=np.float32)
        table[: len(task.classes)] = task.shown_colours
        tinted = mask == IGNORE_INDEX if task.binary else mask != 0
        small[tinted] = ((1 - TINT) * small[tinted] + TINT * table[mask[tinted]]).astype(np.uint8)
    square = np.full((side, side, 3), 255, dtype=np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    return square
