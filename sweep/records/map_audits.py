"""``accuracy.json``: how right a map is; ``sweep.audit map`` writes it, and ``sweep.report`` shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError

ACCURACY_FILE = "accuracy.json"
"""In the folder of the sample."""
MAP_AUDIT_FILE = "map_audit.json"
"""In the folder of the experiment whose model made the map."""
AUDIT_FORMAT = 1
LARGEST_AUDIT = 4 * MIB


class EstimateShape(TypedDict):
    """An estimate and its 95 % interval, each in [0, 1]; no value where the sample shows nothing of it."""

    value: float | None
    low: float
    high: float


class ClassAccuracyShape(TypedDict):
    """How right a map is about a class; ``mapped`` and ``area`` are shares of the ground."""

    name: str
    mapped: float
    area: EstimateShape
    users: EstimateShape
    producers: EstimateShape


class MapAccuracyShape(TypedDict):
    """How right a map is; rows of ``counts`` and ``shares`` are the map's classes, columns the labels'."""

    path: str
    overall: EstimateShape
    classes: list[ClassAccuracyShape]
    counts: list[list[int]]
    shares: list[list[float]]


class PairedTestShape(TypedDict):
    """Which of two maps is better."""

    first: int
    second: int
    neither: int
    differing: float
    difference: float
    low: float
    high: float
    probability: float
    verdict: str


class MapAudit(TypedDict):
    """The whole file; ``area`` is that of all strata, in ``unit``."""

    format: int
    made: str
    unit: str
    area: float
    points: int
    unsure: int
    empty: int
    maps: list[MapAccuracyShape]
    paired: PairedTestShape | None
    notes: list[str]


def parse_map_audit(content: bytes, name: str) -> MapAudit:
    """Return what a file holds.

    Args:
        content: Of the file.
        name: What to call it in an error.

    Raises:
        ExperimentError: It is damaged, or from a newer version.
    """
    try:
        found = parse_json(content, dict[str, Any], LARGEST_AUDIT).get("format")
        if isinstance(found, int) and found > AUDIT_FORMAT:
            raise ExperimentError(f"{name}: written by a newer tilesweep; update tilesweep")
        audit = parse_json(content, MapAudit, LARGEST_AUDIT)
    except DamagedError as error:
        raise ExperimentError(f"{name}: is no {ACCURACY_FILE} of sweep.audit map, or damaged ({error})") from error
    return audit


def read_map_audit(path: Path) -> MapAudit:
    """Read a file; see ``parse_map_audit``."""
    try:
        return parse_map_audit(read_bounded(path, LARGEST_AUDIT), str(path))
    except (OSError, DamagedError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExperimentError(
            f"{path}: cannot be read ({reason}); name the {ACCURACY_FILE} that sweep.audit map writes"
        ) from error


def estimate_text(estimate: EstimateShape) -> str:
    """Return an estimate in percent, ``91.2 % (87.0 to 94.3)``; ``-`` where nothing is known."""
    if estimate["value"] is None:
        return "-"
    return f"{100 * estimate['value']:.1f} % ({100 * estimate['low']:.1f} to {100 * estimate['high']:.1f})"


def area_estimate_text(estimate: EstimateShape, audit: MapAudit) -> str:
    """Return an area and its interval, ``27.98 ha (27.05 to 28.46)``; ``-`` where nothing is known."""
    if estimate["value"] is None:
        return "-"
    value, low, high = (share * audit["area"] for share in (estimate["value"], estimate["low"], estimate["high"]))
    size, name, digits = _unit(high, audit["unit"])
    return f"{value / size:,.{digits}f} {name} ({low / size:,.{digits}f} to {high / size:,.{digits}f})"


def area_text(area: float, unit: str) -> str:
    """Return an area, such as ``1,204.0 m2``, ``31.50 ha`` or ``8,400 pixels``.

    Args:
        area: In the unit.
        unit: ``m2``, of which many are hectares or square kilometres, or ``pixels``.
    """
    size, name, digits = _unit(area, unit)
    return f"{area / size:,.{digits}f} {name}"


def _unit(area: float, unit: str) -> tuple[float, str, int]:
    if unit != "m2":
        return 1.0, unit, 0
    if area >= 1e7:
        return 1e6, "km2", 2
    return (1e4, "ha", 2) if area >= 1e4 else (1.0, "m2", 1)
