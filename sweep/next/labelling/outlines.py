"""A predicted mask as polygons that a person can correct, in an order in which later ones paint over earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_PIXELS = 16
"""Of a region; smaller ones are left to whoever labels."""
MOST_REGIONS = 400
"""Of a tile, the largest ones."""
TOLERANCE = 1.0
"""Pixels by which an edge may move to get rid of corners."""


@dataclass(frozen=True, kw_only=True)
class PreLabel:
    """An area of one class.

    Attributes:
        label: The class's name.
        points: (P, 2) float64 x and y of its corners in pixels, at least three; the first is not repeated.
    """

    label: str
    points: NDArray[np.float64]


def outline_regions(mask: NDArray[np.uint8], classes: Sequence[str]) -> list[PreLabel]:
    """Return the regions of a mask, the largest first, so that painting them in order gives the mask.

    A polygon has no holes: what is in one is a region of its own, and comes later, since it is smaller. Regions of the
    first class that reach the edge are left out: nothing covers them.

    Args:
        mask: (H, W) uint8 class indices.
        classes: Their names.
    """
    import shapely
    from rasterio.features import shapes

    found = []
    edge = shapely.box(0, 0, mask.shape[1], mask.shape[0]).exterior
    for geometry, value in shapes(mask, connectivity=4):
        outer = shapely.Polygon(geometry["coordinates"][0])
        if outer.area < LEAST_PIXELS or (int(value) == 0 and outer.intersects(edge)):
            continue
        found.append((outer.area, int(value), outer))
    found.sort(key=lambda one: -one[0])
    return [
        PreLabel(label=classes[value], points=shapely.get_coordinates(outer.simplify(TOLERANCE))[:-1])
        for _, value, outer in found[:MOST_REGIONS]
    ]
