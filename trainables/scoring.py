"""Scores of a model on tiles, counted where the model is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from trainables.data.tiles import Tile
from trainables.losses.base import Loss
from trainables.metrics import ScoredTile, SplitScore, TileScore, as_confusion
from trainables.models.base import SegmentationModel
from trainables.overlays import encode_prediction
from trainables.precision import autocast
from trainables.recipe import Recipe
from trainables.task import IGNORE_INDEX, Task
from trainables.windows import predict_by_windows

Forward = Callable[[Tensor], Tensor]
"""Maps (B, 3, S, S) uint8 on the CPU to (B, C, S, S) float32 logits on the model's device, without gradients."""


def forward_on(model: SegmentationModel, device: torch.device, dtype: torch.dtype) -> Forward:
    """Return the plain forward pass of a model.

    Args:
        model: On ``device``.
        device: Where the model is.
        dtype: Arithmetic; anything but float32 runs under autocast.
    """

    def forward(images: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(device, dtype):
            logits: Tensor = model(scale(images, device))
        return logits.float()

    return forward


def scale(images: Tensor, device: torch.device) -> Tensor:
    """Map (B, 3, H, W) uint8 to float32 in [0, 1] on a device, in channels-last memory."""
    moved = images.to(device, non_blocking=True).float().div_(255)
    return moved.contiguous(memory_format=torch.channels_last)


def decide(logits: Tensor) -> Tensor:
    """Return the predicted class per pixel.

    Args:
        logits: (..., C, H, W) float. One channel is the foreground's logit, more are one per class.

    Returns:
        (..., H, W) int64: 1 from a probability of 0.5 on, or the class of the largest logit.
    """
    return (logits.squeeze(-3) >= 0).long() if logits.shape[-3] == 1 else logits.argmax(-3)


def decide_with_probability(logits: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the predicted class per pixel, and how probable it is.

    Args:
        logits: (C, H, W) float. One channel is the foreground's logit, more are one per class.
        threshold: Probability from which on a pixel is foreground, in (0, 1); classes have none.

    Returns:
        (H, W) classes; and (H, W) float in [0, 1], the probability of the foreground, or of the class.

    Raises:
        ValueError: A logit is not finite.
    """
    if not torch.isfinite(logits).all():
        raise ValueError("a logit is not a number, or infinite")
    if len(logits) == 1:
        return logits[0] >= math.log(threshold / (1 - threshold)), logits[0].sigmoid()
    probability, classes = logits.softmax(0).max(0)
    return classes, probability


def _predict(
    forward: Forward, tiles: Sequence[Tile], window: int, batch_size: int, loss: Loss
) -> Iterator[tuple[Tile, Tensor, Tensor]]:
    """Yield each tile, its predicted (H, W) classes, and its counts: the confusion matrix row by row, then the loss."""
    images = [torch.tensor(tile.image).permute(2, 0, 1) for tile in tiles]
    for tile, logits in zip(
        tiles, predict_by_windows(forward, images, window=window, batch_size=batch_size), strict=True
    ):
        with torch.inference_mode():
            truth = torch.tensor(tile.mask).to(logits.device, non_blocking=True)
            predicted = decide(logits)
            counts = _confusion(predicted, truth, loss.task).double()
            yield tile, predicted, torch.cat([counts, loss(logits[None], truth[None, None]).double()[None]])


def _confusion(predicted: Tensor, truth: Tensor, task: Task) -> Tensor:
    """Return the (C*C,) counts of pixels by true and then by predicted class, without waiting for a GPU."""
    classes = len(task.classes)
    places = truth.long() * classes + predicted
    if task.ignores_pixels:
        places = torch.where(truth == IGNORE_INDEX, classes**2, places)  # a place of its own, left out below
    counts = torch.zeros(classes**2 + 1, dtype=torch.int64, device=truth.device)
    one = torch.ones((), dtype=torch.int64, device=truth.device).expand(places.numel())
    return counts.scatter_add_(0, places.flatten(), one)[:-1]


def score_split(
    model: SegmentationModel,
    forward: Forward,
    tiles: Sequence[Tile],
    recipe: Recipe,
    loss: Loss,
    *,
    batch_size: int,
) -> SplitScore:
    """Score tiles at full resolution, and wait for the device once, at the end.

    Args:
        model: Is put into evaluation mode.
        forward: Its forward pass.
        tiles: What to score.
        recipe: Its crop is the prediction's window.
        loss: Is averaged over tiles; its task says what the masks mean.
        batch_size: Windows per forward pass, at least 1.
    """
    model.eval()
    rows = [counts for _, _, counts in _predict(forward, tiles, recipe.crop_size, batch_size, loss)]
    scored = zip(tiles, torch.stack(rows).tolist(), strict=True)
    return SplitScore(tiles=tuple(_score(tile, row, loss.task) for tile, row in scored))


def _score(tile: Tile, counts: list[float], task: Task) -> TileScore:
    classes = len(task.classes)
    rows = as_confusion(counts[classes * row : classes * (row + 1)] for row in range(classes))
    return TileScore(name=tile.name, confusion=rows, scored=task.scored_classes, loss=counts[-1])


def predict_tiles(
    model: SegmentationModel,
    forward: Forward,
    tiles: Sequence[Tile],
    recipe: Recipe,
    loss: Loss,
    *,
    batch_size: int,
) -> Iterator[ScoredTile]:
    """Predict tiles and score each; the arguments are those of ``score_split``."""
    model.eval()
    for tile, predicted, counts in _predict(forward, tiles, recipe.crop_size, batch_size, loss):
        score = _score(tile, counts.tolist(), loss.task)
        yield ScoredTile(tile=tile, predicted=predicted.byte().cpu().numpy(), score=score, task=loss.task)


def score_and_draw(
    model: SegmentationModel,
    forward: Forward,
    tiles: Sequence[Tile],
    recipe: Recipe,
    loss: Loss,
    *,
    batch_size: int,
) -> tuple[SplitScore, dict[str, bytes]]:
    """Score whole tiles, as ``score_split`` does, and draw what is predicted.

    Returns:
        The scores, and the predicted masks and overlays as file name to content.
    """
    scores = []
    files: dict[str, bytes] = {}
    for scored in predict_tiles(model, forward, tiles, recipe, loss, batch_size=batch_size):
        files |= encode_prediction(scored)
        scores.append(scored.score)
    return SplitScore(tiles=tuple(scores)), files
