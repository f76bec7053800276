"""Tiles that show the same ground, with masks that differ."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch
from sweep.patches.checks.checking import Report
from sweep.patches.checks.movements import lay_over
from sweep.patches.checks.views import TileView, view_of
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.differing import LEAST_SHARE, differing_share
from sweep.patches.look.suspicion.finding import Suspicion, all_tiles, suspicion
from trainables.data.manifest import Leak
from trainables.task import IGNORE_INDEX

Mask = NDArray[np.uint8]
KEPT = 50
MOST_PAIRS = 200
"""Pairs that are compared, at some 50 ms each."""


class Twins:
    """Tiles that the check for leaks found to show the same ground, and whose masks differ there."""

    name = "same ground"
    about = "the tile shows the same ground as another one, as the check for leaks found, and their masks differ there"

    def find(self, report: Report, notes: Notes, watch: Watch) -> Iterator[Suspicion]:
        """Lay the masks of such pairs over each other; both of a pair are named, as either may be right."""
        tiles = {files.image: files for _, files in all_tiles(report)}
        pairs = [pair for pair in known_twins(report) if {pair.first, pair.second} <= tiles.keys()][:MOST_PAIRS]
        worst: dict[str, tuple[float, str]] = {}

        @lru_cache(maxsize=KEPT)
        def seen(name: str) -> tuple[Mask, TileView]:
            tile = report.read(tiles[name])
            return tile.mask, view_of(tile.picture)

        for pair in watch("comparing masks of the same ground", pairs, len(pairs)) if pairs else ():
            names = (pair.first, pair.second)
            share = _difference(*seen(pair.first), *seen(pair.second))
            for name, twin in (names, names[::-1]):
                worst[name] = max(worst.get(name, (0.0, "")), (share, tiles[twin].name))
        for split, files in all_tiles(report):
            share, twin_name = worst.get(files.image, (0.0, ""))
            if share > LEAST_SHARE:
                why = f"shows the same ground as {twin_name}, whose mask differs on {share:.0%} of it"
                yield suspicion(split, files, self.name, why, share)


def known_twins(report: Report) -> tuple[Leak, ...]:
    """Return the pairs that show the same ground: as this check found, else as the manifest says."""
    known = report if report.leaks is not None else report.manifest
    return (*(known.leaks or ()), *(known.same_ground or ())) if known else ()


def _difference(one: Mask, first: TileView, other: Mask, second: TileView) -> float:
    """Return on which share of the common ground the masks differ; 0 where the pictures cannot be laid over."""
    laid = lay_over(first, second)
    if laid is None:
        return 0.0
    mask, truth = _seen(one, first.shape), _seen(other, second.shape)
    mask = mask[:, ::-1] if laid.mirrored else mask
    moved = cv2.warpAffine(
        np.ascontiguousarray(mask),
        laid.movement,
        truth.shape[::-1],
        flags=cv2.INTER_NEAREST,
        borderValue=IGNORE_INDEX,
    )
    return differing_share(np.asarray(moved, np.uint8), truth)


def _seen(mask: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a mask in the size in which its tile is compared."""
    return np.asarray(cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8)
