"""The findings as a table, and as outlines for a GIS: on the ground where the tiles say where they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sweep.audit.masks.finding import LabelFinding
from sweep.rasters.vectors import GEOMETRY, write_layer

LAYER = "findings"
COLUMNS = (
    "rank",
    "tile",
    "split",
    "kind",
    "score",
    "labelled",
    "predicted",
    "pixels",
    "top",
    "left",
    "bottom",
    "right",
)
SCHEMA = pa.schema(
    [
        ("rank", pa.int64()),
        ("tile", pa.string()),
        ("kind", pa.string()),
        ("score", pa.float64()),
        ("labelled", pa.string()),
        ("predicted", pa.string()),
        ("reason", pa.string()),
        (GEOMETRY, pa.binary()),
    ]
)


def findings_csv(findings: Sequence[LabelFinding], splits: Mapping[str, str]) -> str:
    """Return the table, the surest first; boxes are rows and columns in the tile."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, "reason"])
    for rank, one in enumerate(findings, start=1):
        names = [one.labelled, one.predicted]
        writer.writerow(
            [rank, one.tile, splits[one.tile], one.kind, f"{one.score:.4f}", *names, one.pixels, *one.box, one.reason]
        )
    return text.getvalue()


def common_crs(places: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the CRS of all tiles; empty where one does not say where it is, or they have several."""
    found = {str(entry.get("crs", "")) if entry.get("transform") else "" for entry in places.values()}
    return found.pop() if len(found) == 1 else ""


def write_findings(findings: Sequence[LabelFinding], places: Mapping[str, Mapping[str, Any]], path: Path) -> bool:
    """Write outlines.

    Args:
        findings: The surest first.
        places: Name of each tile to what the manifest says of its image; empty entries where nothing is known.
        path: A GeoPackage.

    Returns:
        Whether they are on the ground; else they are in pixels of their tiles, rows as negative numbers, as programs
        show a picture that has no place.

    Raises:
        StorageError: The file cannot be written.
    """
    import shapely

    crs = common_crs(places)
    shapes = [_shape(one, places[one.tile].get("transform") if crs else None) for one in findings]
    columns = [
        pa.array(range(1, len(findings) + 1), pa.int64()),
        *(pa.array([getattr(one, name) for one in findings], pa.string()) for name in ("tile", "kind")),
        pa.array([one.score for one in findings], pa.float64()),
        *(
            pa.array([getattr(one, name) for one in findings], pa.string())
            for name in ("labelled", "predicted", "reason")
        ),
        pa.array([shapely.to_wkb(one) for one in shapes], pa.binary()),
    ]
    batch = pa.record_batch(columns, schema=SCHEMA)
    write_layer([batch], SCHEMA, path, crs=crs, layer=LAYER, geometry_type="MultiPolygon")
    return bool(crs)


def _texts(findings: Sequence[LabelFinding], name: str) -> pa.Array:
    return pa.array([getattr(one, name) for one in findings], pa.string())


def _shape(finding: LabelFinding, transform: Sequence[float] | None) -> Any:
    """Return the outline of a finding's region as a shapely multipolygon."""
    import shapely
    from rasterio.features import shapes
    from rasterio.transform import Affine
    from shapely.geometry import shape

    a, b, c, d, e, f = transform or (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    top, left, _, _ = finding.box
    own = Affine(a, b, c + a * left + b * top, d, e, f + d * left + e * top)
    region = finding.region.astype(np.uint8)
    return shapely.MultiPolygon([shape(one) for one, _ in shapes(region, mask=finding.region, transform=own)])
