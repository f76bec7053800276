"""The results of a labelled sample, as plain values for the file, the terminal and the report."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sweep.audit.maps.class_maps import DIFFER
from sweep.audit.maps.estimates import MapAccuracy, MapEstimator, PairedTest
from sweep.audit.maps.filling import Filled
from sweep.audit.maps.intervals import LEVEL
from sweep.audit.maps.sample import MapSample
from sweep.records.map_audits import AUDIT_FORMAT, MapAccuracyShape, MapAudit, PairedTestShape, area_text
from trainables.documents import check
from trainables.errors import ExperimentError
from trainables.wording import counted

FEW = 30
"""Points of a class below which its accuracy is hardly known."""


def audit_of(sample: MapSample, filled: Filled, folder: Path) -> MapAudit:
    """Estimate everything.

    Args:
        sample: What was drawn.
        filled: Its labels.
        folder: Where both are.

    Raises:
        ExperimentError: A stratum has no point of which one can tell.
    """
    estimator = MapEstimator(sample, filled.labels)
    if empty := estimator.empty_strata:
        raise ExperimentError(
            f"no point of {', '.join(stratum_name(one, sample) for one in empty)} has a label but ?: nothing is known "
            f"of that ground; label one of them, or draw a new sample with --seed {sample.seed + 1} --out "
            f"{shlex.quote(f'{folder}_seed_{sample.seed + 1}')}"
        )
    accuracies = [estimator.accuracy(number) for number in range(len(sample.paths))]
    paired = _paired(estimator.compare(), sample) if len(sample.paths) > 1 else None
    unsure = sum(value is None for value in filled.labels.values())
    return {
        "format": AUDIT_FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "unit": sample.unit,
        "area": sample.area,
        "points": len(sample.points) - unsure,
        "unsure": unsure,
        "empty": sample.empty,
        "maps": [_plain(path, one) for path, one in zip(sample.paths, accuracies, strict=True)],
        "paired": paired,
        "notes": notes_of(sample, unsure, accuracies, folder),
    }


def stratum_name(stratum: int, sample: MapSample) -> str:
    """Return what a stratum is called."""
    return "the ground where the maps differ" if stratum == DIFFER else sample.names[stratum]


def notes_of(sample: MapSample, unsure: int, accuracies: list[MapAccuracy], folder: Path) -> list[str]:
    """Say what is to be known of the results."""
    more = 2 * sample.requested
    larger = f"--sample {more} --out {shlex.quote(f'{folder}_{more}')} draws a larger sample"
    notes = []
    if unsure:
        notes.append(f"{counted(unsure, 'point')} of which nobody could tell: left out, as if not drawn")
    if sample.unit != "m2":
        notes.append("the map does not say where it is, so areas are in pixels")
    if sample.empty:
        notes.append(f"{counted(sample.empty, 'pixel')} without data: not part of any figure")
    if len(sample.points) < sample.requested:
        notes.append(f"the map has {counted(len(sample.points), 'pixel')}, fewer than the sample: all were labelled")
    for number, accuracy in enumerate(accuracies):
        few = [
            one.name
            for one, counts in zip(accuracy.classes, accuracy.counts, strict=True)
            if one.mapped and sum(counts) < FEW
        ]
        if few:
            of = f" of {Path(sample.paths[number]).name}" if len(accuracies) > 1 else ""
            notes.append(f"fewer than {FEW} points{of} on {', '.join(few)}: a wide interval; {larger}")
    return notes


def _plain(path: str, accuracy: MapAccuracy) -> MapAccuracyShape:
    values = asdict(accuracy)
    return check({**values, "path": path, **_listed(values)}, MapAccuracyShape)


def _listed(values: dict[str, object]) -> dict[str, object]:
    """Turn tuples into lists, as JSON has them."""
    return {
        name: [list(row) if isinstance(row, tuple) else row for row in value]
        for name, value in values.items()
        if isinstance(value, tuple)
    }


def _paired(test: PairedTest, sample: MapSample) -> PairedTestShape:
    first, second = (Path(path).name for path in sample.paths)
    if first == second:
        first, second = sample.paths
    values = asdict(test)
    return check({**values, "verdict": verdict(test, first, second, sample)}, PairedTestShape)


def verdict(test: PairedTest, first: str, second: str, sample: MapSample) -> str:
    """Say which map is better, and how sure that is."""
    if not test.differing:
        return f"{first} and {second} say the same everywhere"
    ground = area_text(test.differing * sample.area, sample.unit)
    where = f"they differ on {100 * test.differing:.1f} % of the ground ({ground})"
    counts = f"{test.first} against {test.second} points there, exact p = {test.probability:.3g}"
    size = (
        f"{100 * abs(test.difference):.1f} % of all ground "
        f"({100 * (test.low if test.difference >= 0 else -test.high):.1f} to "
        f"{100 * (test.high if test.difference >= 0 else -test.low):.1f})"
    )
    if test.probability < 1 - LEVEL and test.first != test.second:
        better, worse = (first, second) if test.first > test.second else (second, first)
        return f"{better} is better than {worse}: right on {size} more; {where}: {counts}"
    return f"neither {first} nor {second} is better for certain: {where}: {counts}; the difference is {size}"
