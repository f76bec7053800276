"""Masks that do not continue in the tiles beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch
from sweep.patches.checks.checking import Report
from sweep.patches.look.notes import Edges, Notes
from sweep.patches.look.suspicion.differing import LEAST_SHARE, differing_share
from sweep.patches.look.suspicion.finding import Suspicion, all_tiles, suspicion
from sweep.patches.look.suspicion.places import Meeting, meetings
from trainables.task import IGNORE_INDEX

ALONG = 2
"""Pixels along the border within which the same class must be found in the other tile: outlines cross it at a slant."""
LEAST_BROKEN, BROKEN_SHARE = 16, 0.5
"""Pixels, and share of the border's pixels that are of objects, which do not continue."""

KEPT = 100
"""Masks that are in memory at once; neighbours are looked at row by row."""
TOP, BOTTOM, LEFT, RIGHT = range(4)
"""Places of a mask's ``Edges``."""

Border = NDArray[np.uint8]


class Borders:
    """Masks that break off at the border to a neighbour, or differ where both tiles show the same ground."""

    name = "neighbours"
    about = "objects end at the border to the next tile, or the masks differ where the tiles overlap"

    def find(self, report: Report, notes: Notes, watch: Watch) -> Iterator[Suspicion]:
        """Compare tiles that touch or overlap; of two the one that fits fewer of its neighbours is named."""
        broken: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
        met: dict[str, int] = defaultdict(int)
        pairs = []
        tiles = {files.image: files for _, files in all_tiles(report)}

        @lru_cache(maxsize=KEPT)
        def mask_of(image: str) -> Border:
            return report.read_mask(tiles[image])

        def broken_at(meeting: Meeting) -> tuple[str, float] | None:
            if meeting.overlaps:
                return _differing(meeting, mask_of(meeting.first.image), mask_of(meeting.second.image))
            return _ending(meeting, notes.edges.of(report, meeting.first), notes.edges.of(report, meeting.second))

        for meeting in meetings(report):
            names = (meeting.first.name, meeting.second.name)
            for name in names:
                met[name] += 1
            if what := broken_at(meeting):
                pairs.append((names, *what))
                for name, other in (names, names[::-1]):
                    broken[name].append((other, *what))
        blamed = {name: len(found) / met[name] for name, found in broken.items()}
        named = {name for names, *_ in pairs for name in names if blamed[name] >= max(blamed[one] for one in names)}
        for split, files in all_tiles(report):
            if (name := files.name) in named:
                beside, words, share = max(broken[name], key=lambda one: one[2])
                more = len(broken[name]) - 1
                rest = f", and so for {more} more of its {met[name]} neighbours" if more else ""
                yield suspicion(split, files, self.name, f"{words} {beside}{rest}", share)


def _differing(meeting: Meeting, one: Border, other: Border) -> tuple[str, float] | None:
    """Return in words, which the other tile's name ends, what does not fit, and its share; None where all fits."""
    rows, columns = meeting.common
    share = differing_share(
        one[slice(*rows), slice(*columns)],
        other[slice(*(row - meeting.down for row in rows)), slice(*(column - meeting.right for column in columns))],
    )
    what = f"the mask differs on {share:.0%} of the ground that is also in"
    return (what, share) if share > LEAST_SHARE else None


def _ending(meeting: Meeting, one: Edges, other: Edges) -> tuple[str, float] | None:
    """Return what does not fit at a common side, as ``_differing``."""
    (top, bottom), (left, end) = meeting.common
    down, right = meeting.down, meeting.right
    if bottom == top:
        borders = one[BOTTOM][left:end], other[TOP][left - right : end - right]
    elif right > 0:
        borders = one[RIGHT][top:bottom], other[LEFT][top - down : bottom - down]
    else:
        borders = one[LEFT][top:bottom], other[RIGHT][top - down : bottom - down]
    lone, shown = (sum(found) for found in zip(_lone(*borders), _lone(*borders[::-1]), strict=True))
    if lone < LEAST_BROKEN or lone < BROKEN_SHARE * shown:
        return None
    return f"{lone} of {shown} px of objects at the border do not continue in", lone / shown


def _lone(one: Border, other: Border) -> tuple[int, int]:
    """Return how many pixels of a border, beyond the first class, find no partner in the other, and how many count."""
    padded = np.pad(other, ALONG, mode="edge")
    near = np.stack([padded[shift : shift + len(one)] for shift in range(2 * ALONG + 1)])
    counts = (one != 0) & (one != IGNORE_INDEX) & (near != IGNORE_INDEX).all(axis=0)
    return int((counts & (near != one).all(axis=0)).sum()), int(counts.sum())
