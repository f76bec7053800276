"""Scores of a model on tiles, counted where the model is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from trainables.data.tiles import Tile
from trainables.losses import bce_dice_loss
from trainables.metrics import ScoredTile, SplitScore, TileScore
from trainables.models.base import SegmentationModel
from trainables.overlays import encode_prediction
from trainables.recipe import Recipe
from trainables.windows import predict_by_windows

Forward = Callable[[Tensor], Tensor]
"""Maps (B, 3, S, S) uint8 on the CPU to (B, 1, S, S) float32 logits on the model's device, without gradients."""


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


def forward_on(model: SegmentationModel, device: torch.device, dtype: torch.dtype) -> Forward:
    """Return the plain forward pass of a model.

    Args:
        model: On ``device``.
        device: Where the model is.
        dtype: Arithmetic; anything but float32 runs under autocast.
    """

    def forward(images: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32):
            logits: Tensor = model(scale(images, device))
        return logits.float()

    return forward


def scale(images: Tensor, device: torch.device) -> Tensor:
    """Map (B, 3, H, W) uint8 to float32 in [0, 1] on a device, in channels-last memory."""
    moved = images.to(device, non_blocking=True).float().div_(255)
    return moved.contiguous(memory_format=torch.channels_last)


def _predict(
    forward: Forward, tiles: Sequence[Tile], window: int, batch_size: int, bce_weight: float
) -> Iterator[tuple[Tile, Tensor, Tensor]]:
    """Yield each tile, its predicted (H, W) bool mask, and its counts: found, false, missed pixels and loss."""
    images = [torch.tensor(tile.image).permute(2, 0, 1) for tile in tiles]
    for tile, logits in zip(
        tiles, predict_by_windows(forward, images, window=window, batch_size=batch_size), strict=True
    ):
        with torch.inference_mode():
            truth = torch.tensor(tile.mask).to(logits.device, non_blocking=True).bool()
            predicted = logits[0] >= 0
            loss = bce_dice_loss(logits[None], truth[None, None], bce_weight)
            counts = [(predicted & truth).sum(), (predicted & ~truth).sum(), (~predicted & truth).sum(), loss]
            yield tile, predicted, torch.stack([count.double() for count in counts])


def score_split(
    model: SegmentationModel, forward: Forward, tiles: Sequence[Tile], recipe: Recipe, *, batch_size: int
) -> SplitScore:
    """Score tiles at full resolution, and wait for the device once, at the end.

    Args:
        model: Is put into evaluation mode.
        forward: Its forward pass.
        tiles: What to score.
        recipe: Its crop is the prediction's window; its loss weight goes into the loss.
        batch_size: Windows a forward pass, at least 1.
    """
    model.eval()
    rows = [counts for _, _, counts in _predict(forward, tiles, recipe.crop_size, batch_size, recipe.bce_weight)]
    return SplitScore(
        tiles=tuple(_score(tile, row) for tile, row in zip(tiles, torch.stack(rows).tolist(), strict=True))
    )


def _score(tile: Tile, counts: list[float]) -> TileScore:
    found, wrong, missed, loss = counts
    return TileScore(
        name=tile.name,
        true_positives=int(found),
        false_positives=int(wrong),
        false_negatives=int(missed),
        loss=loss,
    )


def predict_tiles(
    model: SegmentationModel, forward: Forward, tiles: Sequence[Tile], recipe: Recipe, *, batch_size: int
) -> Iterator[ScoredTile]:
    """Predict tiles and score each; the arguments are those of ``score_split``."""
    model.eval()
    for tile, predicted, counts in _predict(forward, tiles, recipe.crop_size, batch_size, recipe.bce_weight):
        score = _score(tile, counts.tolist())
        yield ScoredTile(tile=tile, predicted=predicted.byte().cpu().numpy(), score=score)


def score_and_draw(
    model: SegmentationModel, forward: Forward, tiles: Sequence[Tile], recipe: Recipe, *, batch_size: int
) -> tuple[SplitScore, dict[str, bytes]]:
    """Score whole tiles and draw what is predicted.

    Args:
        model: As for ``score_split``, as the rest.
        forward: See there.
        tiles: See there.
        recipe: See there.
        batch_size: See there.

    Returns:
        The scores, and the predicted masks and overlays as file name to content.
    """
    scores = []
    files: dict[str, bytes] = {}
    for scored in predict_tiles(model, forward, tiles, recipe, batch_size=batch_size):
        files |= encode_prediction(scored)
        scores.append(scored.score)
    return SplitScore(tiles=tuple(scores)), files
