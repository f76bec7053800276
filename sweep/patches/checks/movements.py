"""The movement (shift, turn, scale, mirroring) that lays one tile over another, and whether both are the same then."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.patches.checks.views import TileView, correlation

Points = NDArray[np.float32]
"""(N, 2) x and y in pixels."""
RATIO = 0.8
"""A neighbour must be so much nearer than the next one. Source: Lowe 2004."""
TOLERANCE = 3.0
"""Pixels that a match may lie off the common movement."""
MIN_MATCHING = 8
"""Matches that agree on one movement, before its pixels are compared."""
MIN_CORRELATION = 0.8
"""Of two tiles laid over each other."""
MAX_SCALE = 5.0
"""Times that one tile may show the ground larger than another."""
TRIES = 2000
"""Movements that are tried."""


@dataclass(frozen=True, kw_only=True)
class LaidOver:
    """How a tile lies over another one.

    Attributes:
        share: Of the smaller picture, which both show, in [0, 1].
        movement: (2, 3) from x and y of the one, mirrored or not, to those of the other, in pixels of their views.
        mirrored: Whether the one was mirrored before, left for right.
    """

    share: float
    movement: NDArray[np.float64]
    mirrored: bool


def lay_over(one: TileView, other: TileView) -> LaidOver | None:
    """Lay a tile, mirrored or not, over another one, as matching keypoints say and pixels confirm; else None."""
    found = (_laid(one, other, mirrored=mirrored) for mirrored in (False, True))
    return max((laid for laid in found if laid), key=lambda laid: laid.share, default=None)


def overlap(one: TileView, other: TileView, *, mirrored: bool) -> float:
    """Return the share of the smaller picture that both show, as matching keypoints say and pixels confirm; else 0.

    Args:
        one: A tile.
        other: Another one.
        mirrored: Whether one of them is mirrored.
    """
    laid = _laid(one, other, mirrored=mirrored)
    return laid.share if laid else 0.0


def flipped(points: Points, width: int) -> Points:
    """Return where points of a picture are in its mirror image, left for right."""
    return np.array((width - 1, 0), np.float32) + points * np.array((-1, 1), np.float32)


def find_movement(start: Points, end: Points, agreeing: int, *, tries: int) -> NDArray[np.float64] | None:
    """Return the (2, 3) movement that lays the most points on their partners; None if these are too few.

    Args:
        start: (N, 2).
        end: (N, 2).
        agreeing: How many at least.
        tries: How many movements are tried.
    """
    if len(start) < agreeing:
        return None
    cv2.setRNGSeed(0)  # RANSAC draws; the answer should not change from run to run
    movement, inliers = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE, maxIters=tries
    )
    if movement is None or int(inliers.sum()) < agreeing:
        return None
    scale = float(np.hypot(movement[0, 0], movement[1, 0]))
    return np.asarray(movement) if 1 / MAX_SCALE <= scale <= MAX_SCALE else None


def _laid(one: TileView, other: TileView, *, mirrored: bool) -> LaidOver | None:
    mine, theirs = _matches(one, other)
    own = (one.mirrored[mine] != other.mirrored[theirs]) == mirrored
    start, end = one.points[mine[own]], other.points[theirs[own]]
    if mirrored:
        start = flipped(start, one.shape[1])
    movement = find_movement(start, end, MIN_MATCHING, tries=TRIES)
    if movement is None:
        return None
    grey, onto = one.grey, other.grey
    grey = np.ascontiguousarray(grey[:, ::-1]) if mirrored else grey
    height, width = other.shape
    moved = cv2.warpAffine(grey, movement, (width, height), flags=cv2.INTER_AREA)
    covered = cv2.warpAffine(np.full_like(grey, 255), movement, (width, height), flags=cv2.INTER_NEAREST) == 255
    share = float(covered.sum()) / min(grey.size, onto.size)
    blur = (5, 5)  # pixels; a re-saved or rescaled picture differs in its finest detail
    same = correlation(cv2.blur(moved, blur)[covered], cv2.blur(onto, blur)[covered]) >= MIN_CORRELATION
    return LaidOver(share=min(share, 1.0), movement=movement, mirrored=mirrored) if same else None


def _matches(one: TileView, other: TileView) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers of the matching keypoints of both pictures."""
    none = np.zeros(0, np.int64)
    if min(len(one.points), len(other.points)) < MIN_MATCHING:
        return none, none
    first, second = one.descriptors.astype(np.float32), other.descriptors.astype(np.float32)  # all sums are exact
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    rows, nearest = np.arange(len(squares)), squares.argmin(1)
    best = squares[rows, nearest].copy()
    squares[rows, nearest] = np.inf
    good = best < RATIO**2 * squares.min(1)
    return rows[good], nearest[good]
