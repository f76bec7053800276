"""Areas into a vector file: streamed through Arrow into GDAL, complete or not there at all."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.rasters.qgis import add_style
from trainables.errors import StorageError

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON"}
"""GDAL's name of the format by the file's ending."""
LAYER = "polygons"
GEOMETRY = "geom"
GEOJSON_END = b"]\n}\n"
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("area_m2", pa.float64()),
        ("mean_probability", pa.float64()),
        (GEOMETRY, pa.binary()),
    ]
)
CLASS_FIELD = pa.field("class", pa.string())
OPTIONS: dict[str, dict[str, str]] = {
    # Longitude and latitude on WGS 84, cut at the antimeridian, right-hand rule; 8 decimals are a millimetre.
    ".geojson": {"RFC7946": "YES", "COORDINATE_PRECISION": "8"},
    ".gpkg": {},
}


@dataclass(frozen=True, kw_only=True)
class Polygons:
    """Some polygons that are ready to be written.

    Attributes:
        first_id: Id of the first; the others count on.
        geometries: (P,) shapely polygons in the file's CRS.
        areas_m2: (P,).
        mean_probabilities: (P,) in [0, 1], or NaN.
        class_name: Of all of them; empty where there is one class alone.
    """

    first_id: int
    geometries: Any
    areas_m2: NDArray[np.float64]
    mean_probabilities: NDArray[np.float64]
    class_name: str = ""

    def to_arrow(self, schema: pa.Schema) -> pa.RecordBatch:
        """Return them as rows of ``SCHEMA``, maybe with ``CLASS_FIELD``."""
        import shapely

        columns = [
            pa.array(np.arange(self.first_id, self.first_id + len(self.areas_m2))),
            pa.array(self.areas_m2),
            pa.array(self.mean_probabilities, from_pandas=True),  # NaN becomes null
            pa.array(shapely.to_wkb(self.geometries), type=pa.binary()),
        ]
        if len(schema) > len(columns):
            columns.append(pa.array([self.class_name] * len(self.areas_m2)))
        return pa.record_batch(columns, schema=schema)


def write_vectors(batches: Iterable[Polygons], path: Path, *, crs: str, classes: bool = False, style: str = "") -> None:
    """Write polygons as one layer, ``polygons``.

    Args:
        batches: Taken one at a time; what they raise comes through.
        path: Ends in one of ``DRIVERS``; replaced if it is there.
        crs: The geometries' CRS as WKT. GeoPackage keeps it; GeoJSON is converted to WGS 84.
        classes: Whether polygons say their class.
        style: How QGIS draws them, in a GeoPackage; empty for none.

    Raises:
        StorageError: The file cannot be written, or the disk is full.
    """
    schema = SCHEMA.append(CLASS_FIELD) if classes else SCHEMA
    rows = (batch.to_arrow(schema) for batch in batches)
    write_layer(rows, schema, path, crs=crs, layer=LAYER, flag="--polygons", style=style)


def write_layer(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    path: Path,
    *,
    crs: str,
    layer: str,
    flag: str = "--out",
    geometry_type: str = "Polygon",
    style: str = "",
) -> None:
    """Write rows with a geometry as one layer of a vector file.

    Args:
        batches: Rows of ``schema``, taken one batch at a time; what they raise comes through.
        schema: Has the column ``GEOMETRY``, of WKB.
        path: Ends in one of ``DRIVERS``; replaced if it is there.
        crs: The geometries' CRS as WKT; empty where nobody knows it, in a GeoPackage. GeoJSON is converted to WGS 84.
        layer: Its name.
        flag: What the user gave the path to, for errors.
        geometry_type: Of all of them, as OGC names it: ``Polygon``, ``Point``.
        style: How QGIS draws them, in a GeoPackage; empty for none.

    Raises:
        StorageError: The file cannot be written, or the disk is full.
    """
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
    from pyogrio.raw import write_arrow

    failure: list[BaseException] = []
    written = 0

    def rows() -> Iterator[pa.RecordBatch]:
        nonlocal written
        try:
            for batch in batches:
                written += batch.num_rows
                yield batch
        except BaseException as error:  # Arrow's C interface would keep its text only
            failure.append(error)
            raise

    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="'crs' was not provided")  # nobody knows it
            write_arrow(
                pa.RecordBatchReader.from_batches(schema, rows()),
                temporary,
                layer=layer,
                driver=DRIVERS[path.suffix],
                geometry_name=GEOMETRY,
                geometry_type=geometry_type,
                crs=crs or None,
                layer_options=OPTIONS[path.suffix],
            )
        if failure:
            raise failure[0]
        _require_complete(temporary, written, layer)
        if style and path.suffix == ".gpkg":
            add_style(temporary, layer, GEOMETRY, style)
        temporary.replace(path)
    except Exception as error:
        if failure:
            raise failure[0] from None
        if not isinstance(error, OSError | DataSourceError | DataLayerError | FeatureError | GeometryError):
            raise
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise StorageError(f"{flag} {path}: cannot be written ({said[0]}); make room or name another file") from error
    finally:
        for litter in (temporary, temporary.with_name(f"{temporary.name}-journal")):
            with suppress(OSError):
                litter.unlink()


def _require_complete(path: Path, number: int, layer: str) -> None:
    """Look at what GDAL writes last, as it does not report a disk that is full by then.

    Raises:
        OSError: It is not complete.
    """
    if path.suffix == ".geojson":
        complete = _ending(path, len(GEOJSON_END)) == GEOJSON_END
    else:
        complete = _counts(path, layer) == {number}
    if not complete:
        raise OSError("the disk is full")


def _ending(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - length))
        return file.read()


def _counts(path: Path, layer: str) -> set[int]:
    """Return how many features a GeoPackage has by its table, its spatial index and its contents: one number."""
    import sqlite3

    queries = (
        f"SELECT count(*) FROM {layer}",
        f"SELECT count(*) FROM rtree_{layer}_{GEOMETRY}_rowid",
        f"SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = '{layer}'",
    )
    try:
        with closing(sqlite3.connect(path)) as database:
            return {int(database.execute(query).fetchone()[0]) for query in queries}
    except (sqlite3.Error, TypeError):  # no such table, no such row
        return set()
