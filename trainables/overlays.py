"""Pictures of predictions: the mask alone, and what was found over the image."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.metrics import ScoredTile
from trainables.task import IGNORE_INDEX, Colour, Task

KEPT_SIDE = 512
"""Longest side, in pixels, of the image kept with a prediction; 1024-pixel tiles take 50 KB then instead of 250."""
HIT, FALSE_ALARM, MISS = (0, 158, 115), (230, 159, 0), (204, 51, 153)
"""Green, orange, magenta: told apart with every common colour blindness (after Okabe and Ito, 2008)."""


def draw_overlay(scored: ScoredTile) -> NDArray[np.uint8]:
    """Tint the image and outline the truth in white.

    A binary prediction is tinted by hits, false alarms and misses, a multi-class one in its classes' colours; what
    does not count keeps the image's colours.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    task, mask = scored.task, scored.tile.mask
    counted = mask != IGNORE_INDEX
    if task.binary:
        predicted, truth = scored.predicted.astype(bool) & counted, (mask == 1)
        tints = [(predicted & truth, HIT), (predicted & ~truth, FALSE_ALARM), (~predicted & truth & counted, MISS)]
    else:
        tints = [(counted & (scored.predicted == index), colour) for index, colour in enumerate(task.shown_colours)]
    picture = scored.tile.picture.astype(np.float32)
    for pixels, colour in tints:
        picture[pixels] = 0.5 * picture[pixels] + 0.5 * np.array(colour, dtype=np.float32)
    result: NDArray[np.uint8] = np.ascontiguousarray(picture.astype(np.uint8))
    for index in range(1 if task.binary else 0, len(task.classes)):
        outlines, _ = cv2.findContours((mask == index).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(result, outlines, -1, (255, 255, 255), 1)
    return result


def draw_row(scored: ScoredTile, side: int) -> NDArray[np.uint8]:
    """Put the image, the truth over it, and the prediction over it next to each other.

    Args:
        scored: The tile.
        side: Largest height of a picture in pixels; larger tiles are shown smaller.

    Returns:
        (H, 3 W, 3) uint8 RGB.
    """
    truth = ScoredTile(tile=scored.tile, predicted=scored.tile.mask, score=scored.score, task=scored.task)
    row = np.hstack([scored.tile.picture, draw_overlay(truth), draw_overlay(scored)])
    factor = side / row.shape[0]
    if factor >= 1:
        return row
    smaller: NDArray[np.uint8] = cv2.resize(row, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(
        np.uint8
    )
    return smaller


def palette_of(colours: Sequence[Colour]) -> list[int]:
    """Return a PNG's palette of 256 colours: the classes', then black, and grey for pixels that do not count."""
    table = [*colours, *[(0, 0, 0)] * (256 - len(colours))]
    table[IGNORE_INDEX] = (128, 128, 128)
    return [value for colour in table for value in colour]


def mask_picture(mask: NDArray[np.uint8], task: Task) -> Image.Image:
    """Return a mask as a picture whose pixels programs can read: 0 and 255, or class indices under a palette.

    Args:
        mask: (H, W) class indices; 255 does not count.
        task: What they mean.
    """
    if task == Task():
        return Image.fromarray(mask * np.uint8(255))
    picture = Image.fromarray(mask).convert("P")
    picture.putpalette(palette_of(task.shown_colours))
    return picture


def read_mask_picture(file: Image.Image) -> NDArray[np.uint8]:
    """Return (H, W) class indices of what ``mask_picture`` made; 255 does not count."""
    if file.mode == "P":
        return np.asarray(file)
    return (np.asarray(file.convert("L")) > 127).astype(np.uint8)


def encode_prediction(scored: ScoredTile) -> dict[str, bytes]:
    """Encode what was predicted, and beside it what a report shows without opening the dataset.

    Returns:
        File name to content: ``masks/NAME.png`` and ``truth/NAME.png`` (see ``mask_picture``), ``overlays/NAME.jpg``,
        and ``images/NAME.jpg``, which is shrunk to ``KEPT_SIDE``.
    """
    name = scored.tile.name
    kept = Image.fromarray(scored.tile.picture)
    kept.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.BOX)
    return {
        f"masks/{name}.png": _encode(mask_picture(scored.predicted, scored.task), "PNG"),
        f"truth/{name}.png": _encode(mask_picture(scored.tile.mask, scored.task), "PNG"),
        f"overlays/{name}.jpg": _encode(Image.fromarray(draw_overlay(scored)), "JPEG", quality=88),
        f"images/{name}.jpg": _encode(kept, "JPEG", quality=80),
    }


def _encode(picture: Image.Image, kind: str, **options: int) -> bytes:
    data = io.BytesIO()
    picture.save(data, format=kind, **options)
    return data.getvalue()
