"""What becomes of polygons' outlines on the ground: fewer corners, or right angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.rasters.georeference import Georeference
from sweep.rasters.outlines import Outlines

NEARLY = 0.85
"""Least IoU of a polygon with its rectangle that makes it one: an L whose arms are half as wide as it is long has 0.75,
and rotated rectangles of 12 pixels, as pixels draw them, have 0.92."""


@dataclass(frozen=True)
class _Planes:
    """A flat ground in metres around each polygon.

    Attributes:
        centres: (P, 2) pixel coordinates of the origins.
        metres: (P, 2, 2), see ``Georeference.metres_per_pixel``.
    """

    centres: NDArray[np.float64]
    metres: NDArray[np.float64]

    @classmethod
    def under(cls, geometries: Any, ground: Georeference) -> _Planes:
        import shapely

        low_x, low_y, high_x, high_y = shapely.bounds(geometries).T
        centres = np.stack(((low_x + high_x) / 2, (low_y + high_y) / 2), axis=1)
        return cls(centres, ground.metres_per_pixel(centres))

    def lay(self, vertices: NDArray[np.float64], owner: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (N, 2) metres of (N, 2) pixel coordinates, each in its owner's plane."""
        found: NDArray[np.float64] = np.einsum("nij,nj->ni", self.metres[owner], vertices - self.centres[owner])
        return found

    def lift(self, vertices: NDArray[np.float64], owner: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return pixel coordinates of metres."""
        moved: NDArray[np.float64] = np.einsum("nij,nj->ni", np.linalg.inv(self.metres)[owner], vertices)
        return moved + self.centres[owner]


def simplified(outlines: Outlines, ground: Georeference, tolerance: float) -> Outlines:
    """Simplify each polygon by itself (Douglas and Peucker); one that would not stay valid is left as it is.

    Args:
        outlines: At least one polygon.
        ground: What is under them.
        tolerance: Metres that an edge may move.
    """
    import shapely

    before = outlines.geometries()
    planes = _Planes.under(before, ground)
    local = planes.lay(outlines.vertices, outlines.polygon_of_vertex)
    on_plane = Outlines(vertices=local, rings=outlines.rings, polygons=outlines.polygons).geometries()
    simple = Outlines.of(shapely.simplify(on_plane, tolerance, preserve_topology=True))
    back = planes.lift(simple.vertices, simple.polygon_of_vertex)
    # What is left of a ring are some of its vertices, which are pixel corners: whole numbers.
    after = Outlines(vertices=np.rint(back), rings=simple.rings, polygons=simple.polygons).geometries()
    return Outlines.of(np.where(shapely.is_valid(after) & ~shapely.is_empty(after), after, before))


def regularised(outlines: Outlines, ground: Georeference) -> tuple[Outlines, NDArray[np.bool_]]:
    """Make rectangles of the polygons that nearly are ones; the others, and those with holes, stay as they are.

    The rectangle is the smallest one around the middles of the outline's pixel edges (shapely's oriented envelope),
    scaled to the polygon's area.

    Args:
        outlines: At least one polygon, of pixel edges.
        ground: What is under them: angles are right on it, not in the raster.

    Returns:
        The polygons, and (P,) which of them became rectangles.
    """
    import shapely

    before = outlines.geometries()
    planes = _Planes.under(before, ground)
    owner = outlines.polygon_of_vertex
    local = Outlines(
        vertices=planes.lay(outlines.vertices, owner), rings=outlines.rings, polygons=outlines.polygons
    ).geometries()
    vertices, of = shapely.get_coordinates(
        shapely.segmentize(shapely.get_exterior_ring(before), 1.0), return_index=True
    )
    edges = of[:-1] == of[1:]
    middles, of = ((vertices[:-1] + vertices[1:]) / 2)[edges], of[:-1][edges]
    around = shapely.oriented_envelope(shapely.multipoints(planes.lay(middles, of), indices=of))
    flat = shapely.get_type_id(around) != shapely.GeometryType.POLYGON  # one row of pixels has no width
    around = np.where(flat, local, around)
    corners, of = shapely.get_coordinates(around, return_index=True)
    centres = shapely.get_coordinates(shapely.centroid(around))[of]
    growth = np.sqrt(shapely.area(local) / shapely.area(around))[of, None]
    rectangles = shapely.polygons(shapely.linearrings(centres + (corners - centres) * growth, indices=of))
    common = shapely.area(shapely.intersection(rectangles, local))
    iou = common / (shapely.area(rectangles) + shapely.area(local) - common)
    nearly = (iou >= NEARLY) & ~flat & (np.diff(outlines.polygons) == 1)
    corners, of = shapely.get_coordinates(rectangles, return_index=True)
    lifted = shapely.polygons(shapely.linearrings(planes.lift(corners, of), indices=of))
    return Outlines.of(np.where(nearly, lifted, before)), nearly
