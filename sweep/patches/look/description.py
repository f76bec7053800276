"""What the tiles of a dataset look like, in numbers: class balance, colours, sharpness, drift between splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trainables.class_balance import count_classes
from trainables.data.imagery import COLOURS
from trainables.data.tiles import Tile
from trainables.task import Task

LARGE = 0.8
"""Standardised mean difference that is called large. Source: Cohen 1988."""
SURE = 0.05
"""Probability, after Holm's correction, below which a drift is not called chance."""


@dataclass(frozen=True, kw_only=True)
class SplitLook:
    """What a split looks like.

    Attributes:
        tiles: How many.
        sizes: ``WIDTHxHEIGHT`` to how many tiles have it.
        pixels: (C,) labelled pixels per class.
        ignored: Share of pixels that do not count, in [0, 1].
        means: (B,) mean of each band over all pixels, in 0..255.
        deviations: (B,) their standard deviation over all pixels.
        ranges: (B, 2) their smallest and largest value.
        empty: Names of the tiles without a pixel beyond the first class, in the dataset's order.
        features: Name to one number per tile, (tiles,): the means of the bands, ``contrast`` (standard deviation of
            grey), ``sharpness`` (variance of the Laplacian of grey), and the share of every class but the first.
    """

    tiles: int
    sizes: Mapping[str, int]
    pixels: NDArray[np.int64]
    ignored: float
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    ranges: NDArray[np.int64]
    empty: tuple[str, ...]
    features: Mapping[str, NDArray[np.float64]]

    @property
    def shares(self) -> NDArray[np.float64]:
        """(C,) share of the labelled pixels per class; they sum to 1."""
        return np.asarray(self.pixels / max(1, self.pixels.sum()), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How one feature of a split's tiles differs from train's.

    Attributes:
        split: ``val`` or ``test``.
        feature: A key of ``SplitLook.features``.
        difference: Standardised mean difference to train, see ``standardised_difference``; NaN where a split has one
            tile or none varies.
        statistic: Two-sample Kolmogorov-Smirnov statistic, in [0, 1].
        probability: Of so large a statistic by chance, after Holm's correction over all features of the split.
    """

    split: str
    feature: str
    difference: float
    statistic: float
    probability: float

    @property
    def verdict(self) -> str:
        """``differs``, ``maybe`` (large, but the tiles are too few to be sure) or nothing."""
        if self.probability < SURE:
            return "differs"
        return "maybe" if abs(self.difference) >= LARGE else ""


def look_at(tiles: Iterable[Tile], task: Task, bands: Sequence[str] = COLOURS) -> SplitLook:
    """Describe the tiles of a split.

    Args:
        tiles: At least one; each is held only while it is looked at.
        task: What their masks mean.
        bands: What the bands of their images are called.
    """
    sizes: dict[str, int] = {}
    count = len(task.classes)
    pixels = np.zeros(count, np.int64)
    total, squares, area = np.zeros(len(bands)), np.zeros(len(bands)), 0
    lows, highs = np.full(len(bands), 255), np.zeros(len(bands), np.int64)
    empty = []
    features: dict[str, list[float]] = {}
    for tile in tiles:
        height, width = tile.mask.shape
        sizes[f"{width}x{height}"] = sizes.get(f"{width}x{height}", 0) + 1
        found = count_classes(tile, count)
        pixels += found
        if not found[1:].any():
            empty.append(tile.name)
        lows, highs = np.minimum(lows, tile.image.min((0, 1))), np.maximum(highs, tile.image.max((0, 1)))
        values = tile.image.reshape(-1, len(bands)).astype(np.float64)
        total, squares, area = total + values.sum(0), squares + (values**2).sum(0), area + len(values)
        grey = cv2.cvtColor(np.ascontiguousarray(tile.picture), cv2.COLOR_RGB2GRAY)
        row = dict(zip(bands, values.mean(0).tolist(), strict=True))
        row |= {"contrast": float(grey.std()), "sharpness": float(cv2.Laplacian(grey, cv2.CV_64F).var())}
        shares = found / max(1, found.sum())
        row |= {f"share of {name}": float(share) for name, share in zip(task.classes[1:], shares[1:], strict=True)}
        for name, value in row.items():
            features.setdefault(name, []).append(value)
    means = total / area
    return SplitLook(
        tiles=sum(sizes.values()),
        sizes=sizes,
        pixels=pixels,
        ignored=1 - float(pixels.sum()) / area,
        means=means,
        deviations=np.sqrt(np.maximum(0, squares / area - means**2)),
        ranges=np.stack([lows, highs], axis=1).astype(np.int64),
        empty=tuple(empty),
        features={name: np.array(values) for name, values in features.items()},
    )


def standardised_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the difference of means in units of the pooled standard deviation. Source: Cohen's d (1988).

    Args:
        first: (N,).
        second: (M,); positive where its mean is larger.

    Returns:
        The difference; NaN where the pooled deviation is 0 or undefined.
    """
    degrees = len(first) + len(second) - 2
    if degrees < 1:
        return float("nan")
    squares = ((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()
    return float((second.mean() - first.mean()) / np.sqrt(squares / degrees)) if squares > 0 else float("nan")


def find_drift(looks: Mapping[str, SplitLook]) -> list[Drift]:
    """Compare val and test with train, tile by tile, as far as they have tiles."""
    drifts = []
    for split in [split for split in looks if split != "train"]:
        pairs = {name: (looks["train"].features[name], values) for name, values in looks[split].features.items()}
        tests = {name: stats.ks_2samp(*pair) for name, pair in pairs.items()}
        corrected = holm([float(test.pvalue) for test in tests.values()])
        for (name, test), probability in zip(tests.items(), corrected, strict=True):
            difference = standardised_difference(*pairs[name])
            statistic = float(test.statistic)
            drifts.append(
                Drift(split=split, feature=name, difference=difference, statistic=statistic, probability=probability)
            )
    return drifts


def holm(probabilities: Sequence[float]) -> list[float]:
    """Correct probabilities of several tests for their number. Source: Holm 1979."""
    count = len(probabilities)
    order = np.argsort(probabilities)
    scaled = np.array(probabilities)[order] * np.arange(count, 0, -1)
    corrected = np.empty(count)
    corrected[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return [float(one) for one in corrected]
