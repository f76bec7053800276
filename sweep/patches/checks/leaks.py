"""Finds tiles of different splits or scenes that show the same ground: copies, flips, crops, re-saved pictures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trainables.data.manifest import Leak
from trainables.data.tiles import TileFiles

MAX_KEYPOINTS = 600
"""SIFT keypoints a tile; a tenth of a tile in common still shares dozens of them."""
RATIO = 0.8
"""A keypoint's best match must be so much nearer than its second best. Source: Lowe 2004."""
TOLERANCE = 3.0
"""Pixels that a match may lie off the common movement."""
MIN_AGREEING = 8
"""Matches that agree on one movement, before its pixels are compared."""
MIN_OVERLAP = 0.03
"""Share of the smaller tile that two tiles must have in common."""
THUMBNAIL = 32
"""Side in pixels of the small grey picture that stands for a tile without keypoints."""
MIN_CORRELATION = 0.98
"""Of two thumbnails."""
MIN_CORRELATION_OVERLAP = 0.8
"""Of two tiles laid over each other."""
MIN_CONTRAST = 4.0
"""Standard deviation of grey values, of 255, below which one flat field looks like another."""
VIEW = 512
"""Longest side in pixels at which two tiles are laid over each other."""


@dataclass(frozen=True)
class _Look:
    """A tile's grey picture, its keypoints in that picture's pixels, and what stands for it as a whole."""

    grey: NDArray[np.uint8]
    thumbnail: NDArray[np.float32]
    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]


def find_leaks(splits: Mapping[str, Sequence[TileFiles]], scenes: Mapping[str, str] | None = None) -> list[Leak]:
    """Compare every tile with the tiles of the other splits, and where scenes are given with those of other scenes.

    Two tiles leak when their files are identical, when one as a thumbnail is a turned or mirrored other, or when SIFT
    keypoints agree on one movement (shift, turn, scale, mirroring) that lays equal pixels over each other: crops,
    overlaps and re-saved pictures.

    Args:
        splits: Split to tiles.
        scenes: Tile name to scene, one that is missing is a scene of its own: also compare the tiles within train and
            within val that are of different scenes. None compares none of them.

    Returns:
        The leaks, in the order of the tiles.
    """
    files = [(split, one) for split, tiles in splits.items() for one in tiles]
    looks = [(_look(one.tile.picture), _look(one.tile.picture[:, ::-1])) for _, one in files]
    leaks = []
    for first, (split, one) in enumerate(files):
        for second in range(first + 1, len(files)):
            other_split, other = files[second]
            if split == other_split and not (scenes is not None and _are_apart(split, one, other, scenes)):
                continue
            same = one.image_sha256 == other.image_sha256
            if how := "identical files" if same else _compare(*looks[first], looks[second][0]):
                leaks.append(Leak(first=one.image, second=other.image, how=how))
    return leaks


def pairs_within(splits: Mapping[str, Sequence[TileFiles]], scenes: Mapping[str, str]) -> int:
    """Return how many pairs of tiles ``find_leaks`` compares because of the scenes."""
    return sum(
        _are_apart(split, *pair, scenes) for split, tiles in splits.items() for pair in itertools.combinations(tiles, 2)
    )


def _are_apart(split: str, one: TileFiles, other: TileFiles, scenes: Mapping[str, str]) -> bool:
    """Whether two tiles of a split may be trained on and validated on in a fold."""
    scene = scenes.get(one.tile.name)
    return split != "test" and (scene is None or scene != scenes.get(other.tile.name))


def _look(image: NDArray[np.uint8]) -> _Look:
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    found, descriptors = cv2.SIFT.create(MAX_KEYPOINTS).detectAndCompute(grey, None)
    factor = min(1.0, VIEW / max(grey.shape))
    view = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else grey
    return _Look(
        grey=view,
        thumbnail=cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32),
        points=np.array([point.pt for point in found], np.float32).reshape(-1, 2) * np.float32(factor),
        descriptors=np.zeros((0, 128), np.float32) if descriptors is None else descriptors,
    )


def _compare(one: _Look, mirrored: _Look, other: _Look) -> str:
    turned = [np.rot90(side.thumbnail, turns) for side in (one, mirrored) for turns in range(4)]
    if max(_correlation(view, other.thumbnail) for view in turned) >= MIN_CORRELATION:
        return "the same picture, turned, mirrored or saved again"
    overlap = max(_overlap(one, other), _overlap(mirrored, other))
    return f"the same ground on {overlap:.0%} of the smaller one" if overlap >= MIN_OVERLAP else ""


def _overlap(one: _Look, other: _Look) -> float:
    """Return the share of the smaller picture that both show, as matching keypoints say and pixels confirm; else 0."""
    start, end = _matches(one, other)
    if len(start) < MIN_AGREEING:
        return 0.0
    cv2.setRNGSeed(0)  # RANSAC draws; the answer should not change from run to run
    movement, inliers = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE)
    if movement is None or int(inliers.sum()) < MIN_AGREEING:
        return 0.0
    height, width = other.grey.shape
    moved = cv2.warpAffine(one.grey, movement, (width, height), flags=cv2.INTER_AREA)
    covered = cv2.warpAffine(np.full_like(one.grey, 255), movement, (width, height), flags=cv2.INTER_NEAREST) == 255
    share = float(covered.sum()) / min(one.grey.size, other.grey.size)
    blur = (5, 5)  # pixels; a re-saved or rescaled picture differs in its finest detail
    same = _correlation(cv2.blur(moved, blur)[covered], cv2.blur(other.grey, blur)[covered]) >= MIN_CORRELATION_OVERLAP
    return min(share, 1.0) if same else 0.0


def _matches(one: _Look, other: _Look) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (N, 2) matching positions in both pictures."""
    if min(len(one.points), len(other.points)) < MIN_AGREEING:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    first, second = one.descriptors, other.descriptors  # whole numbers up to 255: the squares are exact in float32
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    nearest = np.argpartition(squares, 1, axis=1)[:, :2]
    best, next_best = np.take_along_axis(squares, nearest, axis=1).T
    good = best < RATIO**2 * next_best
    return one.points[good], other.points[nearest[good, 0]]


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return Pearson's correlation of two pictures' grey values; 0 for a flat one."""
    if one.size == 0 or min(float(one.std()), float(other.std())) < MIN_CONTRAST:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
