"""The prediction of one raster: read ahead, predict in batches, blend on the device, hand finished rows on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sweep.predict.cover import Cover, Stripe
from sweep.rasters.raster import Pixels, Raster
from trainables.errors import ExperimentError
from trainables.scoring import Forward, decide_with_probability
from trainables.uncertainty import class_probabilities, entropy_share
from trainables.windows import Blender, Side, cut_windows, predict_in_batches

NODATA = 255
"""In masks and probabilities: nothing is known here."""
LAYERS = ("mask", "probability", "uncertainty")
"""What is stored, in this order."""
PROBABILITY_STEPS = 250
"""A probability is stored as a whole number of 250ths, rounded down: from 125 on it is at least 0.5."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is finished with one row of windows of one stripe.

    Attributes:
        row: Number of the row of windows.
        stripe: The stripe.
        rows: The raster's rows, from and to.
        mask: (H, W) uint8 class indices (1 foreground, 0 background in a binary task), 255 nothing known.
        probability: (H, W) uint8: of the foreground, or of the class in the mask, in 250ths, rounded down, 255 nothing
            known.
        uncertainty: (H, W) uint8 likewise, or None; see ``trainables.uncertainty``.
    """

    row: int
    stripe: Stripe
    rows: tuple[int, int]
    mask: NDArray[np.uint8]
    probability: NDArray[np.uint8]
    uncertainty: NDArray[np.uint8] | None = None


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """Predicts rasters with one model or ensemble.

    Attributes:
        forward: The forward pass.
        device: Where it runs.
        batch_size: Windows per forward pass.
        threshold: Probability from which on a pixel is foreground, in (0, 1); classes have none.
        progress: Called for every window that is predicted or skipped.
        channels: Logits per pixel.
        uncertainty: What is kept of it: the entropy of the prediction, or the disagreement that the forward pass gives
            as one channel more; None is nothing.
    """

    forward: Forward
    device: torch.device
    batch_size: int
    threshold: float
    progress: Callable[[int], None]
    channels: int = 1
    uncertainty: Literal["entropy", "disagreement"] | None = None

    def predict(
        self, raster: Raster, cover: Cover, stripe: Stripe, first: int = 0, rows: Iterable[int] | None = None
    ) -> Iterator[Part]:
        """Predict a stripe, from a row of windows on.

        Args:
            raster: The raster.
            cover: How windows cover it.
            stripe: One of the cover's.
            first: The first row of windows whose part is wanted; the row above is predicted again for its fade.
            rows: This row and those after it whose parts are wanted, asked for while they are predicted; None for all.

        Raises:
            ExperimentError: A block cannot be read, or the model's output is not finite.
        """
        begin = max(first - 1, 0)
        valid: dict[int, NDArray[np.bool_]] = {}
        blender = Blender(cover.rows, stripe.columns, first_row=begin)
        side = cover.rows.window
        channels = self.channels + (self.uncertainty == "disagreement")
        empty = torch.zeros(1, 1, 1, device=self.device).expand(channels, side, stripe.columns.window)
        row = begin
        wanted = itertools.chain(range(begin, first), range(first, len(cover.rows.starts)) if rows is None else rows)
        for logits in predict_in_batches(
            self.forward, self._windows(raster, cover, stripe, wanted, valid), self.batch_size
        ):
            self.progress(1)
            finished = blender.add(logits if logits.numel() else empty)
            if finished is None:
                continue
            known = valid.pop(row)
            if row >= first:
                yield self._part(cover, stripe, row, finished, known)
            row += 1

    def _windows(
        self, raster: Raster, cover: Cover, stripe: Stripe, rows: Iterator[int], valid: dict[int, NDArray[np.bool_]]
    ) -> Iterator[Tensor]:
        """Yield windows row by row, those without a valid pixel as empty tensors; the next row is read meanwhile."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read") as reader:
            ahead = next(rows, None)
            read = reader.submit(_read_row, raster, cover, stripe, ahead) if ahead is not None else None
            while read is not None and ahead is not None:
                row, pixels = ahead, read.result()
                ahead = next(rows, None)
                read = reader.submit(_read_row, raster, cover, stripe, ahead) if ahead is not None else None
                valid[row] = pixels.valid
                height = pixels.valid.shape[0]
                one_row = Side(length=height, window=cover.rows.window, starts=(0,))
                seen = cut_windows(torch.from_numpy(pixels.valid)[None], one_row, stripe.columns)
                for window, known in zip(
                    cut_windows(torch.from_numpy(pixels.image), one_row, stripe.columns), seen, strict=True
                ):
                    yield window if known.any() else window.new_empty(0)

    def _part(self, cover: Cover, stripe: Stripe, row: int, logits: Tensor, valid: NDArray[np.bool_]) -> Part:
        """Turn finished logits into what is stored."""
        rows, begin = cover.finished(row), cover.rows.starts[row]
        own = slice(stripe.own[0] - stripe.begin, stripe.own[1] - stripe.begin)
        known = valid[rows[0] - begin : rows[1] - begin, own]
        with torch.inference_mode():
            logits, unsure = self._apart(logits[:, :, own])
            try:
                mask, probability = decide_with_probability(logits, self.threshold)
            except ValueError as error:
                raise ExperimentError(
                    f"--model: what it computes for rows {rows[0]} to {rows[1]} is not a number (NaN or infinite): its "
                    f"training diverged, or its weights are damaged; name another trial or file"
                ) from error
            shares = (probability.mul(PROBABILITY_STEPS).floor_(), *(one.mul(PROBABILITY_STEPS) for one in unsure))
            stored = torch.stack([mask.byte(), *(one.byte() for one in shares)]).cpu().numpy()
        stored[:, ~known] = NODATA
        return Part(row=row, stripe=stripe, rows=rows, **dict(zip(LAYERS, stored, strict=False)))

    def _apart(self, found: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the (C, H, W) logits, and how unsure they are, (H, W) in [0, 1], where that is kept."""
        if self.uncertainty == "disagreement":
            return found[:-1], [found[-1].clamp(0, 1)]
        if self.uncertainty == "entropy":
            return found, [entropy_share(class_probabilities(found[None]))[0].clamp(0, 1)]
        return found, []


def _read_row(raster: Raster, cover: Cover, stripe: Stripe, row: int) -> Pixels:
    top = cover.rows.starts[row]
    return raster.read(
        (top, min(top + cover.rows.window, raster.height)), (stripe.begin, stripe.begin + stripe.columns.length)
    )
