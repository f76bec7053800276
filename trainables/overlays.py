"""Pictures of predictions: the mask alone, and the errors over the image."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from trainables.data.tiles import Tile
from trainables.metrics import SplitScore
from trainables.models.base import SegmentationModel
from trainables.recipe import Recipe
from trainables.scoring import ScoredTile, score_tiles

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


def score_and_draw(
    model: SegmentationModel, tiles: Sequence[Tile], recipe: Recipe, device: torch.device, dtype: torch.dtype
) -> tuple[SplitScore, dict[str, bytes]]:
    """Score whole tiles and draw what is predicted.

    Args:
        model: On ``device``.
        tiles: What to score.
        recipe: Its crop is the prediction's window; its loss weight goes into the scores.
        device: Where to predict.
        dtype: Arithmetic of the forward pass.

    Returns:
        The scores, and the predicted masks and overlays as file name to content.
    """
    scores = []
    files: dict[str, bytes] = {}
    for scored in score_tiles(
        model, tiles, window=recipe.crop_size, device=device, dtype=dtype, bce_weight=recipe.bce_weight
    ):
        files |= encode_prediction(scored)
        scores.append(scored.score)
    return SplitScore(tiles=tuple(scores)), files


def encode_prediction(scored: ScoredTile) -> dict[str, bytes]:
    """Return ``masks/NAME.png`` (0 and 255) and ``overlays/NAME.jpg`` as file name to content."""
    mask, overlay = io.BytesIO(), io.BytesIO()
    Image.fromarray(scored.predicted * np.uint8(255)).save(mask, format="PNG")
    Image.fromarray(draw_overlay(scored)).save(overlay, format="JPEG", quality=88)
    return {
        f"masks/{scored.tile.name}.png": mask.getvalue(),
        f"overlays/{scored.tile.name}.jpg": overlay.getvalue(),
    }
