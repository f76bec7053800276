"""Prediction of images of any size through overlapping windows of the size that the model was trained on.

The seams are blended: where two windows overlap, the outer quarter of the overlap is left to the window in which it
is deeper inside, and over the middle half one window fades into the next along a raised cosine. Fading from ``a`` to
``b`` is ``a + weight (b - a)``, which is exactly ``a`` where both agree: a model that returns its input reproduces the
image bit for bit, however it is cut. Windows start at multiples of 32 pixels, so that every encoder sees the image on
the grid on which it would see the whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

GRID = 32
"""Windows start at multiples of this many pixels: encoders halve the image five times."""
OVERLAP = 4
"""Neighbouring windows share at least one in this many of their pixels along a side, where the grid allows that."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """How one side of an image is covered by windows.

    Attributes:
        length: Pixels of the image's side.
        window: Pixels of a window's side, a multiple of 32; of an image that is shorter, its side rounded up to one.
        starts: Ascending first pixels of the windows; the last window ends where the side, rounded up to a multiple of
            32, does, so it may hold up to 31 pixels more than the image.
    """

    length: int
    window: int
    starts: tuple[int, ...]

    @classmethod
    def of(cls, length: int, window: int) -> Side:
        """Cover a side evenly.

        Args:
            length: Pixels of the image, at least 1.
            window: Pixels of a window, a multiple of 32.
        """
        padded = math.ceil(length / GRID) * GRID
        if padded <= window:
            return cls(length=length, window=padded, starts=(0,))
        way = (padded - window) // GRID
        steps = math.ceil(way / max(1, (window - window // OVERLAP) // GRID))
        return cls(
            length=length, window=window, starts=tuple(GRID * (step * way // steps) for step in range(steps + 1))
        )

    @cached_property
    def fades(self) -> tuple[tuple[int, int], ...]:
        """Between each window and the next, the first pixel of the fade and the one after its last.

        They never reach into each other: every other window may meet as well, but only farther out than a fade goes.
        They are inside the image: the last window begins 32 pixels or more after the one before, and ends less than
        that beyond the image.
        """
        found = []
        for first, second in itertools.pairwise(self.starts):
            overlap = first + self.window - second
            middle, half = second + overlap // 2, overlap // 4
            found.append((middle - half, middle + half))
        return tuple(found)

    def share(self, number: int) -> tuple[int, int]:
        """Return the pixels of the image, from and to, that a window has a part in."""
        low = self.fades[number - 1][0] if number else 0
        high = self.fades[number][1] if number < len(self.fades) else self.length
        return low, high

    def cut(self, first: int, last: int) -> Side:
        """Return some of the windows as the cover of the image's part that they alone decide, moved to begin at 0.

        Args:
            first: Number of the first window.
            last: Number of the last window, itself included.
        """
        begin = self.starts[first]
        end = self.length if last == len(self.starts) - 1 else self.starts[last] + self.window
        starts = tuple(start - begin for start in self.starts[first : last + 1])
        return Side(length=end - begin, window=self.window, starts=starts)


def count_windows(height: int, width: int, window: int) -> int:
    """Return how many windows cover an image.

    Args:
        height: Pixels of the image, at least 1.
        width: Likewise.
        window: Pixels of a window's side, a multiple of 32.
    """
    return len(Side.of(height, window).starts) * len(Side.of(width, window).starts)


def ramp(length: int) -> Tensor:
    """Return the (length,) float32 weights of the second of two windows over a fade: a raised cosine, inside (0, 1)."""
    return (1 - torch.cos(torch.pi * (torch.arange(length) + 0.5) / length)) / 2


class Blender:
    """Puts the windows of one image together; they come row by row, from left to right.

    It holds one row of windows and the fade above it, on the device where the windows are.

    Args:
        rows: How the windows cover the image from top to bottom.
        columns: How they cover it from left to right.
        first_row: Number of the first row of windows that comes; where it is not 0, what is finished with that row is
            not to be used, as it lacks the row above.
    """

    def __init__(self, rows: Side, columns: Side, *, first_row: int = 0) -> None:
        self._rows, self._columns = rows, columns
        self._row, self._column = first_row, 0
        self._strip: Tensor | None = None
        self._faded: Tensor | None = None

    def add(self, window: Tensor) -> Tensor | None:
        """Take the next window.

        Args:
            window: (C, H, W) float; H and W are the sides' windows.

        Returns:
            After the last window of a row, the (C, h, W) rows of the image that are finished with it, in order; else
            None.
        """
        if len(self._columns.starts) == 1:
            self._strip = window[..., : self._columns.length]
        else:
            self._join(window)
        self._column = (self._column + 1) % len(self._columns.starts)
        return None if self._column else self._end_row()

    def _join(self, window: Tensor) -> None:
        """Fade the strip so far into a window."""
        if self._strip is None:
            self._strip = window.new_empty(*window.shape[:2], self._columns.length)
        start = self._columns.starts[self._column]
        low, high = self._columns.share(self._column)
        if self._column:
            end = self._columns.fades[self._column - 1][1]
            self._strip[..., low:end].lerp_(window[..., low - start : end - start], ramp(end - low).to(window))
            low = end
        self._strip[..., low:high] = window[..., low - start : high - start]

    def _end_row(self) -> Tensor:
        """Fade the row above into the strip, keep what the next row fades into, return what is finished."""
        assert self._strip is not None
        strip, self._strip = self._strip, None
        start = self._rows.starts[self._row]
        low, high = self._rows.share(self._row)
        parts = []
        if self._faded is not None:
            end = self._rows.fades[self._row - 1][1]
            weights = ramp(end - low).to(strip)[:, None]
            parts.append(torch.lerp(self._faded, strip[:, low - start : end - start], weights))
            low = end
        if self._row < len(self._rows.fades):
            high, end = self._rows.fades[self._row]
            self._faded = strip[:, high - start : end - start].clone()
        self._row += 1
        parts.append(strip[:, low - start : high - start])
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def windows_of(image: Tensor, window: int) -> list[Tensor]:
    """Return the (C, H, W) windows in which ``predict_by_windows`` looks at a (C, H, W) image, in its order."""
    return list(cut_windows(image, *(Side.of(length, window) for length in image.shape[1:])))


def predict_by_windows(
    predict: Callable[[Tensor], Tensor], images: Sequence[Tensor], *, window: int, batch_size: int = 4
) -> Iterator[Tensor]:
    """Run a model over images window by window; a batch may hold windows of several images.

    Args:
        predict: Maps (B, 3, S, S) to (B, C, S, S), maybe on another device.
        images: (3, H, W) tensors.
        window: Side S of a window in pixels, a multiple of 32.
        batch_size: Windows a call, at least 1.

    Yields:
        (C, H, W) for each image, in order.
    """
    covers = [tuple(Side.of(length, window) for length in image.shape[1:]) for image in images]
    windows = itertools.chain.from_iterable(
        cut_windows(image, *sides) for image, sides in zip(images, covers, strict=True)
    )
    predicted = predict_in_batches(predict, windows, batch_size)
    for rows, columns in covers:
        blender = Blender(rows, columns)
        parts = [blender.add(next(predicted)) for _ in range(len(rows.starts) * len(columns.starts))]
        finished = [part for part in parts if part is not None]
        yield torch.cat(finished, dim=1) if len(finished) > 1 else finished[0]


def cut_windows(image: Tensor, rows: Side, columns: Side) -> Iterator[Tensor]:
    """Yield the (C, H, W) windows of an image row by row; beyond its last pixels, these are repeated."""
    down, right = (side.starts[-1] + side.window - side.length for side in (rows, columns))
    if down or right:
        height, width = torch.arange(rows.length + down), torch.arange(columns.length + right)
        image = image[:, height.clamp(max=rows.length - 1)][:, :, width.clamp(max=columns.length - 1)]
    for top, left in itertools.product(rows.starts, columns.starts):
        yield image[:, top : top + rows.window, left : left + columns.window]


def predict_in_batches(
    predict: Callable[[Tensor], Tensor], windows: Iterable[Tensor], batch_size: int
) -> Iterator[Tensor]:
    """Predict windows in batches of equal shapes.

    Args:
        predict: Maps (B, 3, H, W) to (B, C, H, W).
        windows: (3, H, W) each, read only as far as batches need them. One without pixels is not worth predicting:
            it is returned as it is, and at most as many of them wait for a batch to be filled as fit into two.
        batch_size: Windows a call, at least 1.

    Yields:
        (C, H, W) for each window, in order.
    """
    waiting: list[Tensor] = []
    batch: list[Tensor] = []
    for window in windows:
        full = len(batch) == batch_size or len(waiting) >= 2 * batch_size
        if batch and (full or (window.numel() and window.shape != batch[0].shape)):
            yield from _predict_waiting(predict, waiting, batch)
            waiting, batch = [], []
        if window.numel():
            batch.append(window)
        elif not batch:
            yield window
            continue
        waiting.append(window)
    yield from _predict_waiting(predict, waiting, batch)


def _predict_waiting(
    predict: Callable[[Tensor], Tensor], waiting: Sequence[Tensor], batch: list[Tensor]
) -> Iterator[Tensor]:
    predicted = iter(predict(torch.stack(batch)) if batch else ())
    for window in waiting:
        yield next(predicted) if window.numel() else window
