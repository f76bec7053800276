"""Masks of one class, where nearly all others show several, and masks in which no pixel counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sweep.patches.checks.candidates import Watch
from sweep.patches.checks.checking import Report
from sweep.patches.look.suspicion.finding import Suspicion, all_tiles, suspicion
from trainables.class_balance import count_classes

FEW, FEW_SHARE = 2, 0.1
"""So many masks, or this share of all, may be of one class and still be odd; a place without objects is common."""


class OneClass:
    """Masks of one class, and masks in which no pixel counts."""

    name = "one class"
    about = "all of one class, where nearly all other masks show several; or no pixel counts"

    def find(self, report: Report, watch: Watch[int]) -> Iterator[Suspicion]:
        """Count the classes of every mask; see ``MaskCheck``."""
        tiles = all_tiles(report)
        names, task = report.task.classes, report.task
        counts = [count_classes(files.tile, len(names)) for _, files in tiles]
        alone = [int(np.argmax(found)) if np.count_nonzero(found) == 1 else None for found in counts]
        odd = sum(one is not None for one in alone)
        few = 2 * odd < len(tiles) and odd <= max(FEW, FEW_SHARE * len(tiles))
        for (split, files), found, one in zip(tiles, counts, alone, strict=True):
            if not found.sum():
                yield suspicion(split, files, self.name, "no pixel counts: all of the mask is ignored", 1)
            elif one is not None and few:
                what = "empty" if task.binary and one == 0 else f"all {names[one]}"
                others = len(tiles) - odd
                why = f"{what}, where {others} of {len(tiles)} masks show several classes"
                if task.binary:
                    why = f"{what}, where {others} of {len(tiles)} masks show {names[1]} and {names[0]}"
                yield suspicion(split, files, self.name, why, 0.5 if one == 0 else 0.8)
