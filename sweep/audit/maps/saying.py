"""What ``sweep.audit map`` says: the sample, and the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweep.audit.maps.sample import MapSample
from sweep.cli.output import Output, say
from sweep.cli.tables import Column, Sheet
from sweep.records.map_audits import (
    ClassAccuracyShape,
    MapAccuracyShape,
    MapAudit,
    area_estimate_text,
    area_text,
    estimate_text,
)
from trainables.escaping import visible
from trainables.wording import counted


def say_sample(sample: MapSample, output: Output) -> None:
    """Say what was drawn."""
    from sweep.audit.maps.results import stratum_name

    drawn = {one.number: 0 for one in sample.strata}
    for point in sample.points:
        drawn[point.stratum] += 1
    rows = [
        (stratum_name(one.number, sample), area_text(one.area, sample.unit), one.area / sample.area, drawn[one.number])
        for one in sample.strata
    ]
    columns = [
        Column(heading="the map says", value=lambda row: row[0], least=12),
        Column(heading="area", value=lambda row: row[1], right=True),
        Column(heading="share", value=lambda row: row[2], format=".1%", right=True),
        Column(heading="points", value=lambda row: row[3], right=True),
    ]
    output.results.print(Sheet(f"{counted(len(sample.points), 'point')} drawn", columns, rows))
    for note in _first_notes(sample):
        say(output.results, "note", note)


def _first_notes(sample: MapSample) -> list[str]:
    notes = []
    if len(sample.strata) == 1 and sample.strata[0].number in sample.names:
        name = sample.names[sample.strata[0].number]
        notes.append(f"the map shows {name} alone: of other classes, only how much of them it omits can be found")
    if sample.unit != "m2":
        notes.append("the map does not say where it is (no CRS or no transform), so areas are in pixels")
    if sample.empty:
        notes.append(f"{counted(sample.empty, 'pixel')} without data are left out")
    if len(sample.points) < sample.requested:
        notes.append(f"{counted(len(sample.points), 'pixel')} is all that the map has, fewer than --sample: label all")
    return notes


def say_audit(audit: MapAudit, output: Output) -> None:
    """Print the results."""
    for one in audit["maps"]:
        name = visible(Path(one["path"]).name)
        say(output.results, "right", f"{estimate_text(one['overall'])} of the ground of {name}")
        output.results.print(_classes(one, audit))
        output.results.print(_matrix(one))
    if paired := audit["paired"]:
        say(output.results, "compared", paired["verdict"])
    for note in audit["notes"]:
        say(output.results, "note", note)


def _classes(accuracy: MapAccuracyShape, audit: MapAudit) -> Sheet:
    def estimate(key: str) -> Any:
        return lambda row: estimate_text(row[key])

    def mapped(row: ClassAccuracyShape) -> str:
        return area_text(row["mapped"] * audit["area"], audit["unit"])

    return Sheet(
        "Each with its 95 % interval",
        [
            Column(heading="class", value=lambda row: row["name"], least=8),
            Column(heading="on the map", value=mapped, least=8),
            Column(heading="area by the labels", value=lambda row: area_estimate_text(row["area"], audit), least=14),
            Column(heading="user's accuracy", value=estimate("users"), least=12),
            Column(heading="producer's accuracy", value=estimate("producers"), least=12),
        ],
        accuracy["classes"],
    )


def _matrix(accuracy: MapAccuracyShape) -> Sheet:
    names = [one["name"] for one in accuracy["classes"]]
    rows = [(name, counts) for name, counts in zip(names, accuracy["counts"], strict=True) if sum(counts)]

    def cell(place: int) -> Any:
        return lambda row: row[1][place]

    columns = [
        Column(heading=f"is {name}", value=cell(place), right=True, priority=1 if place < 2 else place)
        for place, name in enumerate(names)
    ]
    return Sheet(
        "Error matrix, in points",
        [Column(heading="the map says", value=lambda row: row[0], least=8), *columns],
        rows,
        elsewhere="the file of results has all",
    )


def emit_audit(audit: MapAudit, path: str, output: Output) -> None:
    """Emit the results for programs."""
    output.events.emit("map_audit", path=path, **{key: value for key, value in audit.items() if key != "format"})
