"""The trivial rival: one threshold on one colour channel. A dataset on which it does well tests nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trainables.data.tiles import Tile
from trainables.metrics import SplitScore, score_mask

CHANNELS = ("red", "green", "blue", "hue", "saturation", "value", "excess_green")


@dataclass(frozen=True, kw_only=True)
class ColourThreshold:
    """Foreground is where a channel lies in an interval.

    Attributes:
        channel: One of ``CHANNELS``; each is scaled to 0..255.
        low: Lowest value of foreground.
        high: Highest value of foreground.
    """

    channel: str
    low: int
    high: int

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Segment an (H, W, 3) uint8 RGB image; returns (H, W) uint8 in {0, 1}."""
        values = colour_channels(image)[self.channel]
        return ((values >= self.low) & (values <= self.high)).astype(np.uint8)

    def score(self, tiles: Sequence[Tile]) -> float:
        """Return the mean IoU over tiles, in [0, 1]."""
        return SplitScore(tiles=tuple(score_mask(t.name, self.predict(t.image), t.mask) for t in tiles)).iou


def colour_channels(image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Split an (H, W, 3) uint8 RGB image into the channels, each (H, W) uint8."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    wide = image.astype(np.int16)
    green = np.clip((2 * wide[..., 1] - wide[..., 0] - wide[..., 2]) // 4 + 128, 0, 255).astype(np.uint8)
    planes = [image[..., 0], image[..., 1], image[..., 2], hsv[..., 0], hsv[..., 1], hsv[..., 2], green]
    return dict(zip(CHANNELS, planes, strict=True))


def fit_colour_threshold(tiles: Sequence[Tile], *, step: int = 8) -> ColourThreshold:
    """Find the channel and interval of the best mean IoU over tiles, by trying all of them.

    Args:
        tiles: What to fit on, at least one.
        step: Bounds tried are multiples of this, in 1..128; it divides 256.

    Returns:
        The best rule; the first one among equals.
    """
    bins = 256 // step
    best, best_iou = ColourThreshold(channel=CHANNELS[0], low=0, high=255), -1.0
    planes = [colour_channels(tile.image) for tile in tiles]
    for channel in CHANNELS:
        ious = np.zeros((bins, bins))
        for tile, plane in zip(tiles, planes, strict=True):
            everything, _ = np.histogram(plane[channel], bins, (0, 256))
            inside, _ = np.histogram(plane[channel][tile.mask == 1], bins, (0, 256))
            # Pixels in bins low..high, for all pairs, from cumulated counts.
            predicted = _between(everything)
            hits = _between(inside)
            union = predicted + inside.sum() - hits
            ious += np.where(union > 0, hits / np.maximum(union, 1), 1.0) / len(tiles)
        ious[np.tril_indices(bins, -1)] = -1.0  # high below low
        low, high = np.unravel_index(np.argmax(ious), ious.shape)
        if ious[low, high] > best_iou:
            best_iou = float(ious[low, high])
            best = ColourThreshold(channel=channel, low=int(low) * step, high=int(high) * step + step - 1)
    return best


def _between(counts: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return (N, N) sums of ``counts[low..high]``."""
    sums = np.concatenate([[0], np.cumsum(counts)])
    return np.asarray(sums[None, 1:] - sums[:-1, None])
