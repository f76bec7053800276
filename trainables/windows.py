"""Prediction of a whole tile through windows of the size that the model was trained on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def window_starts(length: int, window: int) -> list[int]:
    """Place windows along one side so that they cover it and neighbours overlap by at least an eighth.

    Args:
        length: Side of the tile in pixels, at least ``window``.
        window: Side of a window in pixels.

    Returns:
        Ascending first pixels; the last window ends at ``length``.
    """
    if length == window:
        return [0]
    stride = window - window // 8
    count = -(-(length - window) // stride) + 1
    return [round(step * (length - window) / (count - 1)) for step in range(count)]


def predict_by_windows(
    predict: Callable[[Tensor], Tensor], image: Tensor, *, window: int, batch_size: int = 4
) -> Tensor:
    """Run a model over an image window by window.

    Each output pixel comes from exactly one window, the one in which it lies farthest from an edge, so nothing is
    averaged: a model that returns its input reproduces the image bit for bit.

    Args:
        predict: Maps (B, 3, S, S) to (B, C, S, S).
        image: (3, H, W) tensor on the model's device.
        window: Side S of a window in pixels; a side of the image that is shorter is taken whole.
        batch_size: Windows a call, at least 1.

    Returns:
        (C, H, W) tensor.
    """
    _, height, width = image.shape
    rows, columns = min(window, height), min(window, width)
    tops, lefts = window_starts(height, rows), window_starts(width, columns)
    corners = [(top, left) for top in tops for left in lefts]
    output: Tensor | None = None
    for first in range(0, len(corners), batch_size):
        chosen = corners[first : first + batch_size]
        batch = torch.stack([image[:, top : top + rows, left : left + columns] for top, left in chosen])
        for (top, left), logits in zip(chosen, predict(batch), strict=True):
            if output is None:
                output = logits.new_empty(logits.shape[0], height, width)
            y0, y1 = _owned(tops, top, rows, height)
            x0, x1 = _owned(lefts, left, columns, width)
            output[:, y0:y1, x0:x1] = logits[:, y0 - top : y1 - top, x0 - left : x1 - left]
    assert output is not None
    return output


def _owned(starts: list[int], start: int, window: int, length: int) -> tuple[int, int]:
    """Return the pixels [first, end) of one side that belong to the window at ``start``."""
    index = starts.index(start)
    first = 0 if index == 0 else (start + starts[index - 1] + window) // 2
    end = length if index == len(starts) - 1 else (starts[index + 1] + start + window) // 2
    return first, end
