"""Masks that are shifted against their images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sweep.cli.counting import Watch
from sweep.machine.threads import in_threads
from sweep.patches.checks.checking import Report
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.finding import Suspicion, all_tiles, suspicion
from sweep.rasters.shift import LEAST_SHIFT, REACH, RESAMPLES, SURE


class Shifted:
    """Masks that fit their images better a few pixels away."""

    name = "shifted"
    about = (
        f"outlines fit the image better {LEAST_SHIFT:g} to {REACH} pixels away, in {SURE:.0%} of {RESAMPLES} resamples"
    )

    def find(self, report: Report, notes: Notes, watch: Watch) -> Iterator[Suspicion]:
        """Look for the best place of every mask; see ``MaskCheck``."""
        tiles = all_tiles(report)
        found = in_threads(lambda pair: notes.shifts.of(report, pair[1]), tiles)
        shifts = watch("comparing outlines with images", found, len(tiles))
        for (split, files), shift in zip(tiles, shifts, strict=True):
            if shift and shift.sure >= SURE:
                far = np.hypot(shift.right, shift.down) / REACH
                yield suspicion(split, files, self.name, f"objects fit the image {shift.words}", far)
