"""A predicted mask as polygons: GeoPackage or GeoJSON, each polygon with its area and its mean probability."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.predict.shapes import regularised, simplified
from sweep.rasters.extra import require_geo
from sweep.rasters.gdal import CACHE_BYTES
from sweep.rasters.georeference import Georeference, require_georeference
from sweep.rasters.outlines import FOREGROUND, Outlines, mean_probabilities, read_outlines
from sweep.rasters.qgis import polygon_style
from sweep.rasters.vectors import DRIVERS, Polygons, write_vectors
from trainables.errors import ExperimentError
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class PolygonOptions:
    """What becomes of a mask's polygons.

    Attributes:
        path: What is written; ends in ``.gpkg`` or ``.geojson``.
        min_area_m2: Holes smaller than this are filled, then polygons smaller than this are dropped; 0 keeps all.
        simplify_m: Douglas-Peucker tolerance in metres on the ground; 0 keeps the pixels' outlines. Each polygon is
            simplified by itself, so neighbours may come to overlap by up to this.
        regularise: Polygons that are nearly rectangles become ones; the others are simplified, where that is wanted.
    """

    path: Path
    min_area_m2: float = 0.0
    simplify_m: float = 0.0
    regularise: bool = False

    def __post_init__(self) -> None:
        if self.path.suffix not in DRIVERS:
            raise ExperimentError(f"--polygons {self.path}: unknown format; end it in {' or '.join(DRIVERS)}")
        for flag, value in (("--min-area", self.min_area_m2), ("--simplify", self.simplify_m)):
            if not (math.isfinite(value) and value >= 0):
                raise ExperimentError(f"{flag} {value:g}: must be a number of at least 0")


@dataclass(kw_only=True)
class PolygonSummary:
    """What was written, counted while it is.

    Attributes:
        number: Polygons in the file.
        dropped: Polygons that were smaller than ``min_area_m2``.
        area_m2: Total area of those in the file.
        rectangles: Those that became one.
    """

    number: int = 0
    dropped: int = 0
    area_m2: float = 0.0
    rectangles: int = 0

    @property
    def facts(self) -> dict[str, Any]:
        """What records and events say of it."""
        found = {"polygons": self.number, "dropped": self.dropped, "area_m2": self.area_m2}
        return {**found, "rectangles": self.rectangles} if self.rectangles else found


def write_polygons(
    mask: Path, probability: Path | None, options: PolygonOptions, *, scale: float = 0.005, task: Task | None = None
) -> PolygonSummary:
    """Outline the foreground of a mask, or each of its classes, and write the polygons.

    Each has ``id`` (from 1), ``area_m2`` (of what is written, see ``Georeference``), and ``mean_probability`` (of its
    original pixels; null where none has one). Memory grows with the polygons, not with the pixels. The file appears
    when it is complete; one that was there is replaced.

    Args:
        mask: Raster with band 1 of uint8 class indices.
        probability: Raster on the same grid; band 1 is uint8 or uint16. None leaves ``mean_probability`` null.
        options: What to write, and where.
        scale: Probability of one unit of the band.
        task: What the mask's values mean; None is binary. Polygons of classes say theirs as ``class``.

    Raises:
        ExperimentError: No CRS or transform; GeoJSON of a CRS that does not relate to the earth; rasters that cannot be
            read, or of two grids.
        StorageError: The file cannot be written, or the disk is full.
    """
    require_geo()
    import rasterio

    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), ExitStack() as opened:
        mask_raster = opened.enter_context(_open(mask))
        probability_raster = opened.enter_context(_open(probability)) if probability else None
        ground = ground_under(mask_raster, mask, options)
        if probability_raster and _grid(mask_raster) != _grid(probability_raster):
            raise ExperimentError(f"{probability}: is on another grid than {mask}; write both from one prediction")
        summary = PolygonSummary()
        names = {FOREGROUND: ""} if task is None or task.binary else dict(enumerate(task.classes))
        batches = _batches(mask_raster, names, probability_raster, ground, options, scale, summary)
        style = polygon_style(task or Task())
        write_vectors(batches, options.path, crs=mask_raster.crs.to_wkt(), classes=len(names) > 1, style=style)
    return summary


def _grid(dataset: Any) -> tuple[object, ...]:
    return dataset.shape, dataset.transform


def _open(path: Path) -> Any:
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        return rasterio.open(path)
    except RasterioIOError as error:
        raise ExperimentError(f"{path}: cannot be read as a raster; name an existing GeoTIFF") from error


def ground_under(dataset: Any, name: Path | str, options: PolygonOptions) -> Georeference:
    """Return the ground under an open rasterio dataset, or a ``Raster``, of which polygons can be written.

    Raises:
        ExperimentError: It has no CRS or transform; GeoJSON of a CRS that does not relate to the earth.
    """
    require_georeference(dataset, name)
    ground = Georeference(dataset, name)
    if options.path.suffix == ".geojson" and not ground.on_earth:
        raise ExperimentError(
            f"--polygons {options.path}: GeoJSON holds longitude and latitude, and the CRS of {name} does not relate "
            f"to the earth; --polygons gpkg keeps the CRS"
        )
    return ground


def _batches(
    mask: Any,
    names: Mapping[int, str],
    probability: Any,
    ground: Georeference,
    options: PolygonOptions,
    scale: float,
    summary: PolygonSummary,
) -> Iterator[Polygons]:
    """Yield what is written, and count it."""
    for value, found in read_outlines(mask, names):
        probabilities = mean_probabilities(found, probability, scale) if probability else np.full(len(found), np.nan)
        outlines, areas, large = _filter(found, ground.ring_areas(found), options.min_area_m2)
        summary.dropped += int((~large).sum())
        if not len(outlines):
            continue
        if options.regularise or options.simplify_m:
            outlines, rectangles = _shaped(outlines, ground, options)
            summary.rectangles += rectangles
            areas = _polygon_areas(outlines, ground.ring_areas(outlines))
        yield Polygons(
            first_id=summary.number + 1,
            geometries=_located(outlines, ground),
            areas_m2=areas,
            mean_probabilities=probabilities[large],
            class_name=names[value],
        )
        summary.number += len(outlines)
        summary.area_m2 += float(areas.sum())


def _shaped(outlines: Outlines, ground: Georeference, options: PolygonOptions) -> tuple[Outlines, int]:
    """Make rectangles, simplify what does not become one; returns the polygons in their order, and how many became."""
    if not options.regularise:
        return simplified(outlines, ground, options.simplify_m), 0
    shaped, nearly = regularised(outlines, ground)
    if options.simplify_m and not nearly.all():
        geometries = shaped.geometries()
        rest = Outlines.of(geometries[~nearly])
        geometries[~nearly] = simplified(rest, ground, options.simplify_m).geometries()
        shaped = Outlines.of(geometries)
    return shaped, int(nearly.sum())


def _polygon_areas(outlines: Outlines, ring_areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (P,) areas of polygons, without their holes, of the (R,) areas of their rings."""
    signed = -ring_areas
    signed[outlines.polygons[:-1]] *= -1
    return np.bincount(outlines.polygon_of_ring, weights=signed, minlength=len(outlines)).astype(np.float64)


def _filter(
    outlines: Outlines, ring_areas: NDArray[np.float64], least: float
) -> tuple[Outlines, NDArray[np.float64], NDArray[np.bool_]]:
    """Fill small holes, drop small polygons; returns the rest, its areas, and which polygons stay."""
    kept = ring_areas >= least  # an outer ring that goes takes its holes along: they are smaller still
    areas = _polygon_areas(outlines, np.where(kept, ring_areas, 0.0))
    large = areas >= least
    kept &= large[outlines.polygon_of_ring]
    return (outlines if kept.all() else outlines.select(kept)), areas[large], large


def _located(outlines: Outlines, ground: Georeference) -> Any:
    """Return (P,) shapely polygons in the raster's CRS, outer rings counter-clockwise."""
    import shapely

    located = Outlines(vertices=ground.to_crs(outlines.vertices), rings=outlines.rings, polygons=outlines.polygons)
    return shapely.orient_polygons(located.geometries())
