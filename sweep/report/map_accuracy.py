"""How right a map of the experiment's model is, as ``sweep.audit map`` found it."""

from __future__ import annotations

from pathlib import Path

from sweep.records.map_audits import (
    ClassAccuracyShape,
    EstimateShape,
    MapAccuracyShape,
    MapAudit,
    area_estimate_text,
    area_text,
    estimate_text,
)
from sweep.report.blocks import Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from trainables.wording import counted


def map_accuracy(source: ReportData) -> Section | None:
    """Return accuracies and areas of the maps that were audited; None where none was."""
    audit = source.map_audit
    if audit is None:
        return None
    blocks: list[Text | Table] = [Text(lines=[*_verdicts(audit), *audit["notes"]], listed=True)]
    for one in audit["maps"]:
        blocks += [_classes(one, audit), _matrix(one)]
    return Section(slug="map-accuracy", title="How right is the map?", blocks=blocks)


def _verdicts(audit: MapAudit) -> list[str]:
    sampled = f"by {counted(audit['points'], 'point')} of a stratified random sample that a person labelled"
    lines = [
        f"{_name(one)} is right on {estimate_text(one['overall'])} of its ground, {sampled}" for one in audit["maps"]
    ]
    return [*lines, *([audit["paired"]["verdict"]] if audit["paired"] else [])]


def _name(accuracy: MapAccuracyShape) -> str:
    return Path(accuracy["path"]).name


def _classes(accuracy: MapAccuracyShape, audit: MapAudit) -> Table:
    def row(one: ClassAccuracyShape) -> Row:
        mapped = Cell(text=area_text(one["mapped"] * audit["area"], audit["unit"]), value=one["mapped"])
        area = Cell(text=area_estimate_text(one["area"], audit), value=one["area"]["value"])
        return Row(cells=[Cell(text=one["name"]), mapped, area, _cell(one["users"]), _cell(one["producers"])])

    headings = ["on the map", "area by the labels", "user's accuracy", "producer's accuracy"]
    return Table(
        caption=f"Accuracy and area of {_name(accuracy)}",
        columns=["class", *headings],
        rows=[row(one) for one in accuracy["classes"]],
        numeric=frozenset(headings),
        notes=[
            "With 95 % intervals. User's accuracy: of what the map shows as a class, how much is it. Producer's: of "
            "the class, how much the map shows."
        ],
    )


def _cell(estimate: EstimateShape) -> Cell:
    return Cell(text=estimate_text(estimate), value=estimate["value"])


def _matrix(accuracy: MapAccuracyShape) -> Table:
    names = [one["name"] for one in accuracy["classes"]]
    headings = [f"is {name}" for name in names]
    return Table(
        caption=f"Error matrix of {_name(accuracy)}, in points",
        columns=["the map says", *headings],
        rows=[
            Row(cells=[Cell(text=name), *(Cell(text=str(count), value=float(count)) for count in counts)])
            for name, counts in zip(names, accuracy["counts"], strict=True)
            if sum(counts)
        ],
        numeric=frozenset(headings),
        folded=True,
    )
