"""Finds tiles of different splits or scenes that show the same ground: copies, flips, crops, re-saved pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.patches.checks.candidates import RATIO, Pair, Watch, candidates, same_pictures, unwatched
from sweep.patches.checks.views import TileView, correlation, view_of
from trainables.data.manifest import Leak
from trainables.data.tiles import TileFiles

TOLERANCE = 3.0
"""Pixels that a match may lie off the common movement."""
MIN_AGREEING = 8
"""Matches that agree on one movement, before its pixels are compared."""
MIN_OVERLAP = 0.03
"""Share of the smaller tile that two tiles must have in common."""
MIN_CORRELATION_OVERLAP = 0.8
"""Of two tiles laid over each other."""


def find_leaks(
    splits: Mapping[str, Sequence[TileFiles]],
    scenes: Mapping[str, str] | None = None,
    watch: Watch[int] = unwatched,
) -> list[Leak]:
    """Find tiles of different splits, and where scenes are given of different scenes, that show the same ground.

    Two tiles leak when their files are identical, when one as a thumbnail is a turned or mirrored other, or when SIFT
    keypoints agree on one movement (shift, turn, scale, mirroring) that lays equal pixels over each other: crops,
    overlaps and re-saved pictures. Thumbnails are compared in all pairs, keypoints in those that share descriptors.

    Args:
        splits: Split to tiles.
        scenes: Tile name to scene, one that is missing is a scene of its own: also compare the tiles within train and
            within val that are of different scenes. None compares none of them.
        watch: Shows how far it is.

    Returns:
        The leaks, in the order of the tiles.
    """
    files = [(split, one) for split, tiles in splits.items() for one in tiles]
    if not files:
        return []

    def matters(pair: Pair) -> bool:
        (split, one), (other_split, other) = files[pair[0]], files[pair[1]]
        return split != other_split or (scenes is not None and _are_apart(split, one, other, scenes))

    numbers = list(range(len(files)))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV works outside Python's lock
        ahead = pool.map(lambda number: view_of(files[number][1].tile.picture), numbers)
        views = [next(ahead) for _ in watch("looking at tiles", numbers)]
        alike = filter(matters, same_pictures(views) | _same_files([one for _, one in files]))
        how = dict.fromkeys(alike, "the same picture, turned, mirrored or saved again")
        inside = [split for split in splits if split != "test" and scenes is not None]
        pairs = sorted(
            {pair for pair in candidates(views, _groups(splits), inside, watch) if matters(pair)} - how.keys()
        )
        laid = pool.map(lambda pair: _overlap_of(views[pair[0]], views[pair[1]]), pairs)
        for number in watch("comparing those that look alike", list(range(len(pairs)))):
            if (share := next(laid)) >= MIN_OVERLAP:
                how[pairs[number]] = f"the same ground on {share:.0%} of the smaller one"
    leaks = []
    for first, second in sorted(how):
        one, other = files[first][1], files[second][1]
        same = one.image_sha256 == other.image_sha256
        words = "identical files" if same else how[first, second]
        leaks.append(Leak(first=one.image, second=other.image, how=words))
    return leaks


def _same_files(files: Sequence[TileFiles]) -> set[Pair]:
    alike: dict[str, list[int]] = {}
    for number, one in enumerate(files):
        alike.setdefault(one.image_sha256, []).append(number)
    return {pair for numbers in alike.values() for pair in combinations(numbers, 2)}


def _groups(splits: Mapping[str, Sequence[TileFiles]]) -> dict[str, list[int]]:
    """Return split to the numbers of its tiles, counted through."""
    groups: dict[str, list[int]] = {}
    start = 0
    for split, tiles in splits.items():
        groups[split] = list(range(start, start + len(tiles)))
        start += len(tiles)
    return groups


def pairs_within(splits: Mapping[str, Sequence[TileFiles]], scenes: Mapping[str, str]) -> int:
    """Return how many pairs of tiles ``find_leaks`` compares because of the scenes."""
    return sum(_are_apart(split, *pair, scenes) for split, tiles in splits.items() for pair in combinations(tiles, 2))


def _are_apart(split: str, one: TileFiles, other: TileFiles, scenes: Mapping[str, str]) -> bool:
    """Whether two tiles of a split may be trained on and validated on in a fold."""
    scene = scenes.get(one.tile.name)
    return split != "test" and (scene is None or scene != scenes.get(other.tile.name))


def _overlap_of(one: TileView, other: TileView) -> float:
    """Return the share of the smaller picture that both show, one of them mirrored or not; else 0."""
    return max(_overlap(one, other), _overlap(one.mirrored(), other))


def _overlap(one: TileView, other: TileView) -> float:
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
    same = correlation(cv2.blur(moved, blur)[covered], cv2.blur(other.grey, blur)[covered]) >= MIN_CORRELATION_OVERLAP
    return min(share, 1.0) if same else 0.0


def _matches(one: TileView, other: TileView) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (N, 2) matching positions in both pictures."""
    if min(len(one.points), len(other.points)) < MIN_AGREEING:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    first, second = one.descriptors, other.descriptors  # whole numbers up to 255: the squares are exact in float32
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    nearest = np.argpartition(squares, 1, axis=1)[:, :2]
    best, next_best = np.take_along_axis(squares, nearest, axis=1).T
    good = best < RATIO**2 * next_best
    return one.points[good], other.points[nearest[good, 0]]
