"""Prediction of whole tiles through windows of the size that the model was trained on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class _Window:
    """One window: its image's number, its place there, and the part of it that is its own.

    Attributes:
        image: Index into the images.
        place: Rows and columns of the image that it shows.
        owned: Those of them that are taken from it.
        last: It is the image's last one.
    """

    image: int
    place: tuple[slice, slice]
    owned: tuple[slice, slice]
    last: bool


def predict_by_windows(
    predict: Callable[[Tensor], Tensor], images: Sequence[Tensor], *, window: int, batch_size: int = 4
) -> Iterator[Tensor]:
    """Run a model over images window by window; a batch may hold windows of several images.

    Each output pixel comes from exactly one window, the one in which it lies farthest from an edge, so nothing is
    averaged: a model that returns its input reproduces the image bit for bit.

    Args:
        predict: Maps (B, 3, S, S) to (B, C, S, S), maybe on another device.
        images: (3, H, W) tensors.
        window: Side S of a window in pixels; a side of an image that is shorter is taken whole.
        batch_size: Windows a call, at least 1.

    Yields:
        (C, H, W) for each image, in order.
    """
    output: Tensor | None = None
    windows = itertools.chain.from_iterable(_windows(number, image, window) for number, image in enumerate(images))
    for batch in _batched(windows, batch_size):
        stacked = torch.stack([images[one.image][:, *one.place] for one in batch])
        for one, logits in zip(batch, predict(stacked), strict=True):
            if output is None:
                output = logits.new_empty(logits.shape[0], *images[one.image].shape[1:])
            inside = tuple(
                slice(owned.start - place.start, owned.stop - place.start)
                for owned, place in zip(one.owned, one.place, strict=True)
            )
            output[:, *one.owned] = logits[:, *inside]
            if one.last:
                yield output
                output = None


def _windows(number: int, image: Tensor, window: int) -> list[_Window]:
    sides = [_pieces(length, min(window, length)) for length in image.shape[1:]]
    found = [
        _Window(image=number, place=(rows, columns), owned=(own_rows, own_columns), last=False)
        for (rows, own_rows), (columns, own_columns) in itertools.product(*sides)
    ]
    return [*found[:-1], _Window(image=number, place=found[-1].place, owned=found[-1].owned, last=True)]


def _pieces(length: int, window: int) -> list[tuple[slice, slice]]:
    """Return the windows along one side, and the pixels that belong to each."""
    starts = window_starts(length, window)
    borders = [0, *((first + window + second) // 2 for first, second in itertools.pairwise(starts)), length]
    return [
        (slice(start, start + window), slice(low, high))
        for start, (low, high) in zip(starts, itertools.pairwise(borders), strict=True)
    ]


def _batched(windows: Iterator[_Window], batch_size: int) -> Iterator[list[_Window]]:
    """Group windows of one shape that follow each other."""

    def shape(one: _Window) -> tuple[int, ...]:
        return tuple(side.stop - side.start for side in one.place)

    for _, alike in itertools.groupby(windows, shape):
        while batch := list(itertools.islice(alike, batch_size)):
            yield batch
