"""Masks of one class alone, where few others are, and masks in which no pixel counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from sweep.cli.counting import Watch
from sweep.patches.checks.checking import Report
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.finding import Suspicion, all_tiles, suspicion
from trainables.class_balance import count_classes

FEW, FEW_SHARE = 2, 0.1
"""So many masks, or this share of all, may be of one class and still be odd; a place without objects is common."""


class OneClass:
    """Masks of one class, and masks in which no pixel counts."""

    name = "one class"
    about = "all of one class, as few other masks are; or no pixel counts"

    def find(self, report: Report, notes: Notes, watch: Watch) -> Iterator[Suspicion]:
        """Count the classes of every mask; see ``MaskCheck``."""
        tiles = all_tiles(report)
        names, task = report.task.classes, report.task
        counts = [count_classes(files, len(names)) for _, files in tiles]
        alone = [int(np.argmax(found)) if np.count_nonzero(found) == 1 else None for found in counts]
        odd = Counter(one for one in alone if one is not None)
        most = max(FEW, FEW_SHARE * len(tiles))
        for (split, files), found, one in zip(tiles, counts, alone, strict=True):
            if not found.sum():
                yield suspicion(split, files, self.name, "no pixel counts: all of the mask is ignored", 1)
            elif one is not None and odd[one] <= most and 2 * odd[one] < len(tiles):
                what = "empty" if task.binary and one == 0 else f"all {names[one]}"
                why = f"{what}, unlike {len(tiles) - odd[one]} of {len(tiles)} masks"
                yield suspicion(split, files, self.name, why, 0.5 if one == 0 else 0.8)
