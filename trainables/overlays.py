"""Pictures of predictions: the mask alone, and the errors over the image."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.metrics import ScoredTile

KEPT_SIDE = 512
"""Longest side, in pixels, of the image kept with a prediction; 1024-pixel tiles take 50 KB then instead of 250."""
HIT, FALSE_ALARM, MISS = (0, 158, 115), (230, 159, 0), (204, 51, 153)
"""Green, orange, magenta: told apart with every common colour blindness (after Okabe and Ito, 2008)."""


def draw_overlay(scored: ScoredTile) -> NDArray[np.uint8]:
    """Tint hits, false alarms and misses over the image and outline the truth in white.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    predicted, truth = scored.predicted.astype(bool), scored.tile.mask.astype(bool)
    picture = scored.tile.image.astype(np.float32)
    for pixels, colour in (
        (predicted & truth, HIT),
        (predicted & ~truth, FALSE_ALARM),
        (~predicted & truth, MISS),
    ):
        picture[pixels] = 0.5 * picture[pixels] + 0.5 * np.array(colour, dtype=np.float32)
    result: NDArray[np.uint8] = np.ascontiguousarray(picture.astype(np.uint8))
    outlines, _ = cv2.findContours(scored.tile.mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
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
    truth = ScoredTile(tile=scored.tile, predicted=scored.tile.mask.astype(np.uint8), score=scored.score)
    row = np.hstack([scored.tile.image, draw_overlay(truth), draw_overlay(scored)])
    factor = side / row.shape[0]
    if factor >= 1:
        return row
    smaller: NDArray[np.uint8] = cv2.resize(row, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(
        np.uint8
    )
    return smaller


def encode_prediction(scored: ScoredTile) -> dict[str, bytes]:
    """Encode what was predicted, and beside it what a report shows without opening the dataset.

    Returns:
        File name to content: ``masks/NAME.png`` and ``truth/NAME.png`` (0 and 255), ``overlays/NAME.jpg``, and
        ``images/NAME.jpg``, which is shrunk to ``KEPT_SIDE``.
    """
    name = scored.tile.name
    kept = Image.fromarray(scored.tile.image)
    kept.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.BOX)
    return {
        f"masks/{name}.png": _encode(Image.fromarray(scored.predicted * np.uint8(255)), "PNG"),
        f"truth/{name}.png": _encode(Image.fromarray(scored.tile.mask * np.uint8(255)), "PNG"),
        f"overlays/{name}.jpg": _encode(Image.fromarray(draw_overlay(scored)), "JPEG", quality=88),
        f"images/{name}.jpg": _encode(kept, "JPEG", quality=80),
    }


def _encode(picture: Image.Image, kind: str, **options: int) -> bytes:
    data = io.BytesIO()
    picture.save(data, format=kind, **options)
    return data.getvalue()
