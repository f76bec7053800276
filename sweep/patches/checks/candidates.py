"""Which tiles may show the same ground: descriptors that an index finds alike, and that agree on one movement."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sweep.patches.checks.movements import RATIO, find_movement, flipped
from sweep.patches.checks.views import TileView

MAX_INDEXED = 300_000
"""Descriptors of an index, of 512 bytes each, which FLANN copies; of tiles that have more the strongest are taken."""
MAX_ASKED = 400
"""Descriptors of a tile that are looked up."""
NEIGHBOURS = 8
"""Nearest descriptors that are looked at; the last one says how near any descriptor is by chance."""
MIN_AGREEING = 4
"""Descriptors that agree on one movement, before two tiles are compared; any two do."""
TRIES = 300
"""Movements that are tried for so few descriptors."""
TREES, CHECKS = 4, 48
"""Randomised k-d trees, and how many leaves are looked into. Source: Muja and Lowe 2009, FLANN."""
KD_TREE = 1
"""FLANN's number of that kind of index."""

Candidate = tuple[int, int, bool]
"""Numbers of two tiles, the smaller first, and whether one of them is mirrored."""


class DescriptorIndex:
    """The descriptors of some tiles; several threads may ask it at once.

    Args:
        views: All tiles.
        members: Numbers of those whose descriptors are found.
    """

    def __init__(self, views: Sequence[TileView], members: Sequence[int]) -> None:
        self._views = views
        most = max(1, MAX_INDEXED // max(1, len(members)))
        counts = [min(most, len(views[number].points)) for number in members]
        self._owners = np.repeat(np.array(members, np.int64), counts)
        self._places = np.concatenate([np.arange(count) for count in counts] or [np.zeros(0, np.int64)])
        every = np.zeros((len(self._owners), 128), np.float32)
        if len(every):
            np.concatenate([views[number].descriptors[:most] for number in members], out=every, casting="safe")
        cv2.setRNGSeed(0)  # the trees are drawn; the answer should not change from run to run
        self._index = (
            cv2.flann.Index(every, {"algorithm": KD_TREE, "trees": TREES}) if len(every) > NEIGHBOURS else None
        )

    def like(self, number: int) -> list[Candidate]:
        """Return the members that may show the ground of a tile."""
        view = self._views[number]
        if self._index is None or not len(view.points):
            return []
        asked = view.descriptors[:MAX_ASKED].astype(np.float32)
        near, squares = self._index.knnSearch(asked, NEIGHBOURS, params={"checks": CHECKS})
        voters, ranks = np.nonzero(squares < RATIO**2 * squares[:, -1:])
        found = near[voters, ranks]
        owners, places = self._owners[found], self._places[found]
        candidates = []
        for other in np.unique(owners).tolist():
            own = np.flatnonzero(owners == other)
            own = own[np.unique(voters[own], return_index=True)[1]]  # the nearest one a voter
            if other != number and len(own) >= MIN_AGREEING:
                mine, theirs = voters[own], places[own]
                candidates += [
                    (min(number, other), max(number, other), mirrored)
                    for mirrored in self._movements(view, mine, self._views[other], theirs)
                ]
        return candidates

    def _movements(
        self, one: TileView, mine: NDArray[np.int64], other: TileView, theirs: NDArray[np.int64]
    ) -> list[bool]:
        """Say whether a movement without mirroring and one with it lay enough of the given keypoints on each other."""
        agreeing = []
        differ = one.mirrored[mine] != other.mirrored[theirs]
        for mirrored in (False, True):
            own = differ == mirrored
            start = flipped(one.points[mine[own]], one.shape[1]) if mirrored else one.points[mine[own]]
            if find_movement(start, other.points[theirs[own]], MIN_AGREEING, tries=TRIES) is not None:
                agreeing.append(mirrored)
        return agreeing
