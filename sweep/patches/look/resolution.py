"""How many metres of ground a pixel shows, as far as a manifest knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainables.data.manifest import Manifest

SAME = 0.01
"""Relative difference below which two tiles have one resolution."""


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """Metres per pixel of a dataset's tiles.

    Attributes:
        least: The finest tile's.
        median: The median of all.
        most: The coarsest tile's.
        origin: Whence that is known, as a sentence's end.
    """

    least: float
    median: float
    most: float
    origin: str

    @property
    def words(self) -> str:
        """Such as ``0.3 m per pixel, as the georeference says``."""
        if self.most <= self.least * (1 + SAME):
            return f"{self.median:.3g} m per pixel, {self.origin}"
        return (
            f"{self.least:.3g} to {self.most:.3g} m per pixel, median {self.median:.3g}, {self.origin}: objects differ "
            f"in size between tiles by a factor of {self.most / self.least:.2g}"
        )


def resolution_of(manifest: Manifest | None) -> Resolution | None:
    """Return the resolution: by the tiles' georeference, else as whoever made the dataset said; None where unknown."""
    entries = manifest.files.items() if manifest else ()
    images = [entry for path, entry in entries if path.split("/")[1:2] == ["images"]]
    known = np.array([entry["metres_per_pixel"] for entry in images if "metres_per_pixel" in entry])
    if len(known):
        part = f" of {len(known)} of {len(images)} tiles" if len(known) < len(images) else ""
        low, middle, high = float(known.min()), float(np.median(known)), float(known.max())
        return Resolution(least=low, median=middle, most=high, origin=f"as the georeference{part} says")
    if manifest and (said := manifest.ground_sample_distance_m):
        return Resolution(least=said, median=said, most=said, origin="as the manifest says of all tiles")
    return None
