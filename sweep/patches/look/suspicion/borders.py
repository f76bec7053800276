"""Masks that do not continue in the tiles beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch
from sweep.patches.checks.checking import Report
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

Border = NDArray[np.uint8]


class Borders:
    """Masks that break off at the border to a neighbour, or differ where both tiles show the same ground."""

    name = "neighbours"
    about = "objects end at the border to the next tile, or the masks differ where the tiles overlap"

    def find(self, report: Report, watch: Watch) -> Iterator[Suspicion]:
        """Compare tiles that touch or overlap; of two the one that fits fewer of its neighbours is named."""
        broken: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
        met: dict[str, int] = defaultdict(int)
        pairs = []
        tiles = {files.image: files for _, files in all_tiles(report)}

        @lru_cache(maxsize=KEPT)
        def mask_of(image: str) -> Border:
            return report.read_mask(tiles[image])

        for meeting in meetings(report):
            names = (meeting.first.name, meeting.second.name)
            for name in names:
                met[name] += 1
            if what := _broken(meeting, mask_of):
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


def _broken(meeting: Meeting, mask_of: Callable[[str], Border]) -> tuple[str, float] | None:
    """Return in words, which the other tile's name ends, what does not fit, and its share; None where all fits."""
    one, other = mask_of(meeting.first.image), mask_of(meeting.second.image)
    down, right = meeting.down, meeting.right
    top, bottom = max(0, down), min(one.shape[0], down + other.shape[0])
    left, end = max(0, right), min(one.shape[1], right + other.shape[1])
    if bottom > top and end > left:
        share = differing_share(
            one[top:bottom, left:end], other[top - down : bottom - down, left - right : end - right]
        )
        what = f"the mask differs on {share:.0%} of the ground that is also in"
        return (what, share) if share > LEAST_SHARE else None
    if bottom == top:
        borders = one[-1, left:end], other[0, left - right : end - right]
    elif right > 0:
        borders = one[top:bottom, -1], other[top - down : bottom - down, 0]
    else:
        borders = one[top:bottom, 0], other[top - down : bottom - down, -1]
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
