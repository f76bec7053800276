"""Which tiles may show the same ground, by an index of all descriptors: few of the many pairs are then compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.patches.checks.views import MIN_CONTRAST, TileView

MIN_CORRELATION = 0.98
"""Of two thumbnails."""
MAX_INDEXED = 1_000_000
"""Descriptors of an index, of 512 bytes each; where tiles have more, the strongest of each tile are taken."""
MAX_ASKED = 300
"""Descriptors of a tile that are looked up."""
NEIGHBOURS = 8
"""Nearest descriptors that are looked at; the last one says how near any descriptor is by chance."""
RATIO = 0.8
"""A neighbour must be so much nearer than the last one. Source: Lowe 2004, with the second one."""
MIN_VOTES = 4
"""Descriptors of a tile that have a neighbour in another, before the two are compared."""
TREES, CHECKS = 4, 48
"""Randomised k-d trees, and how many leaves are looked into. Source: Muja and Lowe 2009, FLANN."""
KD_TREE = 1
"""FLANN's number of that kind of index."""
BLOCK = 256
"""Tiles whose thumbnails are compared with all others at once."""

Pair = tuple[int, int]
"""Numbers of two tiles, the smaller first."""
Item = TypeVar("Item")
Watch = Callable[[str, Sequence[Item]], Iterable[Item]]
"""Passes items on, and shows how many of them are done; takes what is done to them, in words."""


def unwatched(what: str, items: Sequence[Item]) -> Iterable[Item]:
    """Pass items on."""
    return items


def same_pictures(views: Sequence[TileView]) -> set[Pair]:
    """Return the pairs of which one tile is the other as a whole: a copy, turned, mirrored, or saved again."""
    flat = np.array([float(view.thumbnail.std()) < MIN_CONTRAST for view in views], np.bool_)
    pictures = np.stack([view.thumbnail for view in views])
    upright = _normalised(pictures, flat)
    found: set[Pair] = set()
    for mirrored in (pictures, pictures[:, :, ::-1]):
        for turns in range(4):
            turned = _normalised(np.rot90(mirrored, turns, axes=(1, 2)), flat)
            for start in range(0, len(views), BLOCK):
                alike = np.argwhere(turned[start : start + BLOCK] @ upright.T >= MIN_CORRELATION)
                found |= {(min(pair), max(pair)) for pair in ((one + start, other) for one, other in alike.tolist())}
    return {pair for pair in found if pair[0] != pair[1]}


def _normalised(pictures: NDArray[np.float32], flat: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (N, pixels) of mean 0 and length 1, so that products are correlations; 0 for a flat one."""
    values = pictures.reshape(len(pictures), -1)
    values = values - values.mean(axis=1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    values[flat] = 0
    return np.asarray(values, np.float32)


def candidates(
    views: Sequence[TileView], groups: Mapping[str, Sequence[int]], inside: Sequence[str], watch: Watch[int]
) -> Iterator[Pair]:
    """Give pairs of tiles that share descriptors.

    Args:
        views: All tiles.
        groups: Name to numbers of tiles; those of different groups are looked up in each other.
        inside: Names of groups whose tiles are looked up in each other, too.
        watch: Shows how many tiles are done.

    Yields:
        Pairs, each once or several times.
    """
    for name, members in groups.items():
        asking = [number for other, found in groups.items() if other != name or other in inside for number in found]
        index = _Index(views, members)
        for number in watch(f"looking for tiles like those of {name}", asking):
            for other in index.like(number):
                yield (min(number, other), max(number, other))


class _Index:
    """The descriptors of some tiles."""

    def __init__(self, views: Sequence[TileView], members: Sequence[int]) -> None:
        self._views = views
        most = max(1, MAX_INDEXED // max(1, len(members)))
        parts = [views[number].descriptors[:most] for number in members]
        self._owners = np.repeat(np.array(members, np.int64), [len(part) for part in parts])
        cv2.setRNGSeed(0)  # the trees are drawn; the answer should not change from run to run
        every = np.concatenate(parts) if parts else np.zeros((0, 128), np.float32)
        self._index = (
            cv2.flann.Index(every, {"algorithm": KD_TREE, "trees": TREES}) if len(every) > NEIGHBOURS else None
        )

    def like(self, number: int) -> list[int]:
        """Return the tiles that a tile, or the mirrored tile, shares descriptors with."""
        view = self._views[number]
        if self._index is None or not len(view.descriptors):
            return []
        found: set[int] = set()
        for asked in (view.descriptors[:MAX_ASKED], view.mirrored().descriptors[:MAX_ASKED]):
            near, squares = self._index.knnSearch(asked, NEIGHBOURS, params={"checks": CHECKS})
            good = squares < RATIO**2 * squares[:, -1:]
            voters, places = np.nonzero(good)
            votes = np.unique(np.stack([voters, self._owners[near[voters, places]]]), axis=1)[1]  # one a voter
            owners, counts = np.unique(votes, return_counts=True)
            found |= set(owners[counts >= MIN_VOTES].tolist())
        return sorted(found - {number})
