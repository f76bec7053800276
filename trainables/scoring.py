"""Scores of a model on tiles, with the masks that it predicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.data.tiles import Tile
from trainables.losses import bce_dice_loss
from trainables.metrics import TileScore, score_mask
from trainables.windows import predict_by_windows


@dataclass(frozen=True, kw_only=True)
class ScoredTile:
    """A tile, what the model made of it, and how good that is.

    Attributes:
        tile: The tile, or its centred window.
        predicted: (H, W) uint8 in {0, 1}, probability at least 0.5.
        score: The counts over those pixels.
    """

    tile: Tile
    predicted: NDArray[np.uint8]
    score: TileScore


def centre_window(tile: Tile, side: int) -> Tile:
    """Return the centred window of a tile; the whole tile for 0 or where the tile is smaller.

    Args:
        tile: The tile.
        side: Side of the window in pixels, or 0.
    """
    height, width = tile.mask.shape
    rows, columns = (min(side, height), min(side, width)) if side else (height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    window = (slice(top, top + rows), slice(left, left + columns))
    return Tile(name=tile.name, image=tile.image[window], mask=tile.mask[window])


def score_tiles(
    model: nn.Module,
    tiles: Sequence[Tile],
    *,
    window: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    bce_weight: float = 0.5,
) -> Iterator[ScoredTile]:
    """Predict and score tiles one by one, at full resolution.

    Args:
        model: A ``SegmentationModel`` on ``device``; left in evaluation mode.
        tiles: What to score.
        window: Side of a prediction window in pixels.
        device: Where the model is.
        dtype: Arithmetic of the forward pass; anything but float32 runs under autocast.
        bce_weight: w of the loss that is reported.

    Yields:
        One result a tile, in order.
    """
    model.eval()

    def predict(images: Tensor) -> Tensor:
        scaled = (images.float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32):
            logits: Tensor = model(scaled)
        return logits.float()

    for tile in tiles:
        with torch.inference_mode():
            image = torch.tensor(tile.image).permute(2, 0, 1).to(device)
            logits = predict_by_windows(predict, image, window=window)
            truth = torch.tensor(tile.mask).to(device)
            loss = float(bce_dice_loss(logits[None], truth[None, None], bce_weight))
            predicted = (logits[0] >= 0).to(torch.uint8).cpu().numpy()
        yield ScoredTile(tile=tile, predicted=predicted, score=score_mask(tile.name, predicted, tile.mask, loss))
