"""The packages that only maps need."""

from __future__ import annotations

from importlib.util import find_spec

from trainables.errors import ExperimentError

PACKAGES = ("rasterio", "pyogrio", "shapely", "pyproj")
CACHE_MB = 256
"""GDAL's cache of decoded blocks; its own default is a twentieth of the memory."""


def require_geo() -> None:
    """Refuse to go on without the packages of the extra ``geo``.

    Raises:
        ExperimentError: One of them is missing.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ExperimentError(f"{', '.join(missing)}: not installed; pip install 'tilesweep[geo]'")
