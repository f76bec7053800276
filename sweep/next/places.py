"""The chosen windows as outlines in a GeoPackage, which a GIS opens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.next.chosen import ChosenTile
from sweep.rasters.vectors import GEOMETRY, write_layer

LAYER = "windows"
SCHEMA = pa.schema(
    [
        ("rank", pa.int64()),
        ("name", pa.string()),
        ("raster", pa.string()),
        ("entropy", pa.float64()),
        ("disagreement", pa.float64()),
        (GEOMETRY, pa.binary()),
    ]
)


def write_places(tiles: Sequence[ChosenTile], path: Path) -> int:
    """Write the windows that are georeferenced, in the CRS of the first of them.

    Args:
        tiles: Chosen windows.
        path: Ends in ``.gpkg``.

    Returns:
        How many; with none no file is written.

    Raises:
        StorageError: It cannot be written.
    """
    import shapely

    placed = [tile for tile in tiles if tile.place]
    if not placed:
        return 0
    crs = placed[0].crs_wkt
    shapes = [shapely.Polygon(_moved(tile.corners, tile.crs_wkt, crs)) for tile in placed]
    columns = [
        pa.array([tile.rank for tile in placed]),
        pa.array([tile.window.name for tile in placed]),
        pa.array([tile.raster.path for tile in placed]),
        pa.array([tile.entropy for tile in placed]),
        pa.array([tile.disagreement for tile in placed], from_pandas=True),  # NaN becomes null
        pa.array(shapely.to_wkb(shapes), type=pa.binary()),
    ]
    write_layer([pa.record_batch(columns, schema=SCHEMA)], SCHEMA, path, crs=crs, layer=LAYER)
    return len(placed)


def _moved(corners: NDArray[np.float64], crs: str, wanted: str) -> NDArray[np.float64]:
    from rasterio.crs import CRS
    from rasterio.warp import transform

    if crs == wanted:
        return corners
    return np.stack(transform(CRS.from_wkt(crs), CRS.from_wkt(wanted), *corners.T), axis=1)
