"""Class maps for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from sweep.audit.maps.filling import CSV_FILE

UTM = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_340_000, 0.5, 0.5)}
DEGREES = {"crs": "EPSG:4326", "transform": from_origin(10, 80, 0.1, 0.1)}


def write_map(path: Path, values: NDArray[Any], **where: Any) -> Path:
    """Write values as a GeoTIFF; without a place, as one that has none."""
    bands = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(bands),
        height=bands.shape[1],
        width=bands.shape[2],
        dtype=bands.dtype,
        **where,
    ) as file:
        file.write(bands)
    return path


def halves(height: int = 120, width: int = 160, right: int = 40) -> NDArray[np.uint8]:
    """Return a map whose last columns are 1, the others 0."""
    values = np.zeros((height, width), np.uint8)
    values[:, -right:] = 1
    return values


def fill(folder: Path, label: Callable[[int, int, int], str], most: int = 10**9) -> None:
    """Fill the CSV of a sample: ``label`` takes number, row and column."""
    path = folder / CSV_FILE
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    filled = []
    for line in lines:
        parts = line.split(",")
        if int(parts[0]) <= most:
            parts[1] = label(int(parts[0]), int(parts[3]), int(parts[2]))
        filled.append(",".join(parts))
    path.write_text("\n".join([head, *filled]) + "\n", encoding="utf-8")
