"""The packages that maps need beyond a plain installation."""

from __future__ import annotations

from importlib.util import find_spec

from trainables.errors import ExperimentError

PACKAGES = ("pyogrio", "shapely", "pyproj")


def require_geo() -> None:
    """Refuse to continue without the packages of the extra ``geo``; loads none of them.

    Raises:
        ExperimentError: Some are missing; names them and how to install them.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ExperimentError(
            f"maps need the packages {', '.join(missing)}; install them with: pip install 'tilesweep[geo]'"
        )
