"""The sheet that a person fills: ``sample.csv`` and ``sample.gpkg``, each with a column ``label``.

What is filled in either is kept in both, however often the command is run: ``labels.json`` remembers what both held
when they were written last, so that a label that was changed in one of them is no contradiction. An empty cell erases
nothing. The map's own class is in neither: who sees it is led by it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.audit.maps.sample import MapSample
from sweep.rasters.vectors import GEOMETRY, write_layer
from sweep.records.outputs import unwritable
from trainables.documents import SHOWN, DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError, nearest
from trainables.escaping import visible

CSV_FILE, GPKG_FILE, LABELS_FILE = "sample.csv", "sample.gpkg", "labels.json"
LAYER = "sample"
UNSURE = "?"
"""What a person writes who cannot tell."""
LISTED = 10
"""Numbers of points that a line names."""
SCHEMA = pa.schema(
    [("id", pa.int64()), ("label", pa.string()), ("pixel_column", pa.int64()), ("pixel_row", pa.int64()),
     (GEOMETRY, pa.binary())]
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What a person has filled in so far.

    Attributes:
        labels: Number of a point to the value of its class; None for who cannot tell.
        missing: Numbers of the points without a label.
    """

    labels: Mapping[int, int | None]
    missing: Sequence[int]

    def missing_words(self) -> str:
        """Name the first points without a label: ``12, 13, 14 and 20 more``."""
        shown = ", ".join(map(str, self.missing[:LISTED]))
        return f"{shown} and {len(self.missing) - LISTED} more" if len(self.missing) > LISTED else shown


def read_filled(sample: MapSample, folder: Path, others: Sequence[Path] = ()) -> Filled:
    """Read the labels of both sheets, and of other files, and put them together.

    Args:
        sample: What they are labels of.
        folder: Where the sheets are; one that is not there is left out.
        others: CSV files and GeoPackages.

    Raises:
        ExperimentError: A point that is not in the sample, a label that is no class, two new labels for one point, or
            a file that cannot be read; all faults of all files at once.
    """
    faults: list[str] = []
    before = _remembered(sample, folder / LABELS_FILE)
    new: dict[int, tuple[int | None, Path]] = {}
    for file in (folder / CSV_FILE, folder / GPKG_FILE, *others):
        if not file.exists() and file not in others:
            continue
        for number, text in _rows(file, sample, faults):
            value = _value(text, sample, f"{file}: point {number}", faults)
            if number in before and before[number] == value:
                continue
            if number in new and new[number][0] != value:
                faults.append(
                    f"{file}: point {number} is {_name(value, sample)}, but {_name(new[number][0], sample)} in "
                    f"{new[number][1]}; keep one of the two"
                )
            new.setdefault(number, (value, file))
    if faults:
        raise ExperimentError(faults)
    labels = {**before, **{number: value for number, (value, _) in new.items()}}
    missing = [one.number for one in sample.points if one.number not in labels]
    return Filled(labels=dict(sorted(labels.items())), missing=missing)


def _remembered(sample: MapSample, path: Path) -> dict[int, int | None]:
    """Return the labels that both sheets held when they were written last."""
    if not path.exists():
        return {}
    try:
        found = parse_json(read_bounded(path), dict[int, str])
    except (OSError, DamagedError) as error:
        raise ExperimentError(f"{path}: damaged ({error}); delete it: both sheets hold the labels, too") from error
    values = {name: value for value, name in sample.names.items()}
    known = {one.number for one in sample.points}
    return {
        number: None if name == UNSURE else values[name]
        for number, name in found.items()
        if number in known and (name == UNSURE or name in values)
    }


def _rows(file: Path, sample: MapSample, faults: list[str]) -> Iterator[tuple[int, str]]:
    """Yield number and text of every point that has a label."""
    rows = _gpkg_rows(file) if file.suffix.lower() == ".gpkg" else _csv_rows(file)
    known = {one.number: one for one in sample.points}
    for place, row in rows:
        text = str(row.get("label") or "").strip()
        number = _whole(row.get("id"))
        if number not in known:
            if text or number is not None:
                shown = visible(str(row.get("id"))[:SHOWN])
                faults.append(
                    f"{file}: {place}: point {shown} is not in the sample, which has the points 1 to {len(known)}; "
                    f"delete that row"
                )
            continue
        point = known[number]
        for column, own in (("pixel_column", point.column), ("pixel_row", point.row)):
            if row.get(column) not in (None, "") and _whole(row[column]) != own:
                faults.append(
                    f"{file}: {place}: point {number} is at {column} {visible(str(row[column])[:SHOWN])}, and at {own} "
                    f"in the sample; the sheet is of another sample: take the one beside sample.json"
                )
                break
        else:
            if text:
                yield number, text


def _csv_rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        text = read_bounded(file).decode("utf-8-sig")
    except (OSError, DamagedError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{file}: cannot be read ({error}); save it as CSV in UTF-8") from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)  # a spreadsheet of many countries writes semicolons
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    if not {"id", "label"} <= set(reader.fieldnames or ()):
        raise ExperimentError(f"{file}: lacks the columns id and label; take the sheet that the command wrote")
    try:
        for row in reader:
            yield f"line {reader.line_num}", row
    except csv.Error as error:
        raise ExperimentError(f"{file}: line {reader.line_num}: cannot be read ({error}); correct it") from error


def _gpkg_rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from pyogrio.errors import DataLayerError, DataSourceError
    from pyogrio.raw import read_arrow

    try:
        _, table = read_arrow(file, layer=LAYER, read_geometry=False)
    except (DataSourceError, DataLayerError, OSError) as error:
        said = " ".join(str(error).split())[:SHOWN]
        raise ExperimentError(
            f"{file}: cannot be read ({said}); close it in other programs, or delete it: the labels of the CSV are kept"
        ) from error
    if not {"id", "label"} <= set(table.column_names):
        raise ExperimentError(f"{file}: lacks the columns id and label; delete it: the next run writes it")
    for row in table.to_pylist():
        yield f"id {row['id']}", row


def _whole(value: object) -> int | None:
    text = str(value).strip()
    text = text.removesuffix(".0")
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _value(text: str, sample: MapSample, where: str, faults: list[str]) -> int | None:
    """Return the value of a label, a class's name or value; None for a point of which one cannot tell."""
    if text == UNSURE:
        return None
    names = {name.casefold(): value for value, name in sample.names.items()}
    if text.casefold() in names:
        return names[text.casefold()]
    if (number := _whole(text)) is not None and number in sample.names:
        return number
    known = {**dict.fromkeys(sample.names.values(), 0), UNSURE: 0}
    faults.append(f"{where}: {visible(text[:SHOWN])!r} is no class; {nearest(text[:SHOWN], known)}")
    return None


def _name(value: int | None, sample: MapSample) -> str:
    return UNSURE if value is None else sample.names[value]


def write_sheets(folder: Path, sample: MapSample, places: NDArray[np.float64], filled: Filled) -> None:
    """Write both sheets, with all labels that are known, where they do not hold them already.

    Args:
        folder: Where.
        sample: Its points.
        places: (N, 2) their coordinates, see ``ClassMaps.locate``.
        filled: What is known.

    Raises:
        ExperimentError: They cannot be written.
    """
    labels = {number: _name(value, sample) for number, value in filled.labels.items()}
    contents = {LABELS_FILE: json.dumps(labels), CSV_FILE: _csv(sample, places, labels)}
    for name, text in contents.items():
        path = folder / name
        temporary = path.with_name(f".{name}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise unwritable(path, error) from error
    path = folder / GPKG_FILE
    if not path.exists() or _labels_of(path) != labels:  # a program that shows it would show the old one
        batch = _batch(sample, places, labels)
        write_layer([batch], SCHEMA, path, layer=LAYER, geometry_type="Point", crs=sample.crs or "")


def _labels_of(path: Path) -> dict[int, str]:
    return {int(row["id"]): row["label"] for _, row in _gpkg_rows(path) if row["label"]}


def _csv(sample: MapSample, places: NDArray[np.float64], labels: Mapping[int, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "label", "pixel_column", "pixel_row", *(["x", "y"] if sample.crs else [])])
    for point, place in zip(sample.points, places.tolist(), strict=True):
        position = [repr(round(one, 9)) for one in place] if sample.crs else []
        writer.writerow([point.number, labels.get(point.number, ""), point.column, point.row, *position])
    return text.getvalue()


def _batch(sample: MapSample, places: NDArray[np.float64], labels: Mapping[int, str]) -> pa.RecordBatch:
    import shapely

    columns = [
        pa.array([one.number for one in sample.points], pa.int64()),
        pa.array([labels.get(one.number) for one in sample.points], pa.string()),
        pa.array([one.column for one in sample.points], pa.int64()),
        pa.array([one.row for one in sample.points], pa.int64()),
        pa.array(shapely.to_wkb(shapely.points(places)), type=pa.binary()),
    ]
    return pa.record_batch(columns, schema=SCHEMA)
