"""The ground under a raster: where pixels are on the earth, how far apart they are, how large polygons are."""

from __future__ import annotations

import itertools
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from sweep.rasters.addresses import is_remote
from sweep.rasters.outlines import Outlines, transformed
from trainables.errors import ExperimentError

LONGEST_EDGE_M = 1000.0
"""Longer edges are split before areas are taken: they are straight in the raster, which geodesics are not."""


class Georeference:
    """The ground under a raster.

    With a CRS that relates to the earth, distances and areas are those on its ellipsoid: Web Mercator's square metres
    are four times too large at 60 degrees. With an engineering CRS they are those of its plane, in metres.

    Args:
        dataset: An open rasterio dataset with a CRS and a transform (see ``require_georeference``).
        name: What to call it in an error.
    """

    def __init__(self, dataset: Any, name: Path | str) -> None:
        from pyproj import CRS, Transformer

        self._transform = dataset.transform
        self._name = name
        crs = CRS.from_wkt(dataset.crs.to_wkt())
        self._geod = crs.get_geod()
        if self._geod is None:
            self._metres_per_unit = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
            self._edge = np.inf
            return
        # Degrees from Greenwich on the same ellipsoid, whatever unit and meridian the CRS has; no shift of datum.
        degrees = CRS.from_dict({"proj": "longlat", "a": self._geod.a, "b": self._geod.b})
        self._to_degrees = Transformer.from_crs(crs, degrees, always_xy=True)
        centre = np.array([[dataset.width / 2, dataset.height / 2]])
        steps = np.linalg.norm(self.metres_per_pixel(centre)[0], axis=0)
        self._edge = LONGEST_EDGE_M / float(steps.max())

    @property
    def on_earth(self) -> bool:
        """Whether the CRS relates to the earth."""
        return self._geod is not None

    def to_crs(self, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2) coordinates in the raster's CRS of (N, 2) pixel coordinates."""
        return transformed(vertices, self._transform)

    def ring_areas(self, outlines: Outlines) -> NDArray[np.float64]:
        """Return the (R,) areas inside the rings of some polygons, in m2, each positive.

        On the ellipsoid: Karney, Algorithms for geodesics, J. Geod. 2013, by pyproj.
        """
        import shapely

        ring_of_vertex = np.repeat(np.arange(len(outlines.rings) - 1), np.diff(outlines.rings))
        rings = shapely.linearrings(outlines.vertices, indices=ring_of_vertex)
        if self._geod is None:
            steps = abs(self._transform.determinant) * self._metres_per_unit**2
            areas: NDArray[np.float64] = shapely.area(shapely.polygons(rings)) * steps
            return areas
        vertices, owner = shapely.get_coordinates(shapely.segmentize(rings, self._edge), return_index=True)
        longitude, latitude = self._degrees(vertices).T
        ends = np.searchsorted(owner, np.arange(len(rings) + 1))
        measured = (
            self._geod.polygon_area_perimeter(longitude[begin:end], latitude[begin:end])[0]
            for begin, end in itertools.pairwise(ends)
        )
        return np.abs(np.fromiter(measured, dtype=np.float64, count=len(rings)))

    def metres_per_pixel(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how the ground is under the pixels around some places.

        Args:
            places: (P, 2) pixel coordinates.

        Returns:
            (P, 2, 2): metres to the east, then to the north, by one pixel along a row, then along a column. With an
            engineering CRS, east and north are its axes.
        """
        if self._geod is None:
            linear = np.array([[self._transform.a, self._transform.b], [self._transform.d, self._transform.e]])
            return np.broadcast_to(linear * self._metres_per_unit, (len(places), 2, 2))
        shifts = np.array([[-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
        around = self._degrees((places[:, None] + shifts).reshape(-1, 2)).reshape(-1, 4, 2)
        steps = np.stack((around[:, 1] - around[:, 0], around[:, 3] - around[:, 2]), axis=-1)
        steps[:, 0] = (steps[:, 0] + 180) % 360 - 180  # across the antimeridian
        sine, cosine = (function(np.radians(around[:, :, 1].mean(axis=1))) for function in (np.sin, np.cos))
        # Radii of curvature across and along the meridian (Snyder, Map Projections, USGS PP 1395, 4-18 to 4-20).
        bend = 1 - self._geod.es * sine**2
        east, north = self._geod.a / np.sqrt(bend) * cosine, self._geod.a * (1 - self._geod.es) / bend**1.5
        metres: NDArray[np.float64] = np.radians(steps) * np.stack((east, north), axis=-1)[:, :, None]
        return metres

    def _degrees(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2) longitude and latitude of pixel coordinates."""
        degrees = np.stack(self._to_degrees.transform(*self.to_crs(pixels).T), axis=1)
        if not np.isfinite(degrees).all():
            raise ExperimentError(
                f"{self._name}: some of its pixels are where its CRS is not defined; look at both with: "
                f"rio info {self._name}"
            )
        return degrees


def is_located(dataset: Any) -> bool:
    """Whether an open rasterio dataset says where it is."""
    return dataset.crs is not None and not (dataset.transform.is_identity or dataset.transform.is_degenerate)


def require_transform(dataset: Any, name: Path | str) -> None:
    """Refuse a raster that says where it is by ground control points or rational polynomials alone.

    Only a transform can be carried over to a map pixel by pixel: the map would be elsewhere, or nowhere.

    Args:
        dataset: An open rasterio dataset.
        name: What to call it in an error.

    Raises:
        ExperimentError: As said.
    """
    if not dataset.transform.is_identity:
        return
    points, crs = dataset.gcps
    warped = _beside(name, "warped")
    if points:
        place = _code(crs) or "EPSG:4326"
        raise ExperimentError(
            f"{name}: has {len(points)} ground control points and no transform, so its map would be nowhere; warp it "
            f"first: rio warp {quote(str(name))} {warped} --dst-crs {place}"
        )
    if dataset.tags(ns="RPC"):
        raise ExperimentError(
            f"{name}: has rational polynomial coefficients (RPCs) and no transform, so its map would be nowhere; warp "
            f"it first, with GDAL's own program: gdalwarp -rpc -t_srs EPSG:4326 {quote(str(name))} {warped}"
        )


def require_georeference(dataset: Any, name: Path | str) -> None:
    """Refuse a raster of which nobody knows where it is.

    Args:
        dataset: An open rasterio dataset.
        name: What to call it in an error.

    Raises:
        ExperimentError: It has no CRS, or no transform.
    """
    missing, flags = [], []
    if dataset.crs is None:
        missing.append("CRS")
        flags.append("--crs EPSG:32633")
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        missing.append("transform")
        flags.append("--transform '[0.3, 0, 600000, 0, -0.3, 5340000]'")
    if not missing:
        return
    # A copy: a cloud-optimised GeoTIFF cannot be edited in place (GDAL 3.8), nor can what is on another machine.
    before, placed = quote(str(name)), _beside(name, "placed")
    raise ExperimentError(
        f"{name}: has no {' and no '.join(missing)}, so its polygons would be nowhere; make a copy that has one, such "
        f"as rio convert --format GTiff {before} {placed} && rio edit-info {' '.join(flags)} {placed}, or leave "
        f"--polygons away"
    )


def _beside(name: Path | str, word: str) -> str:
    """Return a file's name for a changed copy, as a shell takes it: in the same folder, or here if it is an address."""
    path = Path(urlsplit(str(name)).path).name if is_remote(str(name)) else str(name)
    return quote(str(Path(path).with_name(f"{Path(path).stem}_{word}.tif")))


def _code(crs: Any) -> str:
    """Return a rasterio CRS as ``EPSG:32633``; empty where it has no code."""
    found = crs.to_authority() if crs is not None else None
    return ":".join(found) if found else ""


def side_of_pixel(dataset: Any, name: Path | str) -> float | None:
    """Return the side, in metres, of a square as large as the pixel in the middle of a raster.

    Args:
        dataset: An open rasterio dataset, or a ``Raster``.
        name: What to call it in an error.

    Returns:
        None where nobody knows where it is.
    """
    if not is_located(dataset):
        return None
    return float(np.sqrt(abs(np.linalg.det(_middle_pixel(dataset, name)))))


def sides_of_pixel(dataset: Any, name: Path | str) -> tuple[float, float] | None:
    """Return how many metres the pixel in the middle of a raster is wide and high.

    Args:
        dataset: An open rasterio dataset, or a ``Raster``.
        name: What to call it in an error.

    Returns:
        Along a row, and along a column; None where nobody knows where it is.
    """
    if not is_located(dataset):
        return None
    across, down = np.linalg.norm(_middle_pixel(dataset, name), axis=0).tolist()
    return across, down


def _middle_pixel(dataset: Any, name: Path | str) -> NDArray[np.float64]:
    """Return (2, 2) metres, see ``Georeference.metres_per_pixel``."""
    middle = np.array([[dataset.width / 2, dataset.height / 2]])
    found: NDArray[np.float64] = Georeference(dataset, name).metres_per_pixel(middle)[0]
    return found
