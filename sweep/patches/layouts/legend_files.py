"""Files beside the masks that say what their colours and values mean."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.split_lists import MAX_BYTES, read_lines
from trainables.documents import parse_json, read_bounded
from trainables.errors import DataError
from trainables.task import IGNORE, MAX_CLASSES, Colour, Task, parse_value
from trainables.wording import counted

LEGENDS = ("class_dict.csv", "label_colors.txt", "labelmap.txt", "classes.json")
BACKGROUND = ("background", "_background_", "other")
UNLABELLED = ("void", "unlabelled", "unlabeled", "unknown", "ignore", "ignored")
"""Names of what was not labelled, in lower case."""

Entry = tuple[str, Colour]


def read_colours(listing: Listing, path: str) -> Task:
    """Read a legend of colours; what is called void, unlabelled or the like is ignored.

    Args:
        listing: What there is.
        path: ``class_dict.csv`` (name, r, g, b), ``label_colors.txt`` (r g b name), CVAT's ``labelmap.txt``
            (name:r,g,b:parts:actions) or ``classes.json`` with titles and colours, as Supervisely writes it.

    Raises:
        DataError: None of those, or more classes than a task has.
    """
    file = listing.files[path]
    readers = {"class_dict.csv": _class_dict, "label_colors.txt": _label_colors, "labelmap.txt": _labelmap}
    name = path.rpartition("/")[2]
    entries = list(_classes_json(listing, path) if name == "classes.json" else readers[name](read_lines(listing, path)))
    known = [one for one in entries if one[0].lower() not in UNLABELLED]
    if len(known) == 2:
        known.sort(key=lambda one: one[0].lower() not in BACKGROUND and any(one[1]))
    return _task(
        file,
        classes=tuple(name for name, _ in known),
        colours=tuple(colour for _, colour in known),
        remap={_text(colour): IGNORE for name, colour in entries if name.lower() in UNLABELLED},
    )


def read_values(listing: Listing, path: str) -> Task:
    """Read Roboflow's ``_classes.csv``: a pixel's value and its class.

    Raises:
        DataError: Something else.
    """
    file = listing.files[path]
    rows = [[cell.strip() for cell in row] for row in csv.reader(read_lines(listing, path))]
    named = {
        int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdecimal() and len(row[0]) <= 3 and row[1]
    }
    names = tuple(name for _, name in sorted(named.items()))
    moved = {str(value): name for index, (value, name) in enumerate(sorted(named.items())) if value != index}
    return _task(file, classes=names, remap=moved)


def names_all(legend: Task, colours: AbstractSet[Colour]) -> bool:
    """Whether a legend says what each of some colours means."""
    return colours <= {*legend.colours, *map(parse_value, legend.remap)}


def legend_or_faults(
    read: Callable[[Listing, str], Task], listing: Listing, path: str
) -> tuple[Task | None, Sequence[str]]:
    """Return what a legend says, or why it cannot be taken."""
    try:
        return read(listing, path), ()
    except DataError as error:
        return None, error.faults


def find_legend(listing: Listing) -> str:
    """Return the path of a legend of colours right in the folder; empty for none."""
    return next((name for name in LEGENDS if name in listing.files), "")


def _task(file: Path, *, classes: tuple[str, ...], colours: tuple[Colour, ...] = (), remap: Mapping[str, str]) -> Task:
    """Return a task of one logit for two classes, of several for more."""
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise DataError(
            f"{file}: names {counted(len(classes), 'class', 'classes')}, not 2 to {MAX_CLASSES}; say what masks hold "
            f"by --task FILE"
        )
    kind: Literal["binary", "multiclass"] = "binary" if len(classes) == 2 else "multiclass"
    try:
        return Task(kind=kind, classes=classes, colours=colours, remap=remap)
    except DataError as error:
        raise DataError(f"{file}: {fault.removeprefix('task: ')}" for fault in error.faults) from error


def _class_dict(lines: Iterable[str]) -> Iterator[Entry]:
    for row in csv.reader(lines):
        if len(row) >= 4 and (colour := _colour(row[1:4])):
            yield row[0].strip(), colour


def _label_colors(lines: Iterable[str]) -> Iterator[Entry]:
    for line in lines:
        parts = line.split(None, 3)
        if len(parts) == 4 and (colour := _colour(parts[:3])):
            yield parts[3].strip(), colour


def _labelmap(lines: Iterable[str]) -> Iterator[Entry]:
    for line in lines:
        parts = line.split(":")
        if not line.startswith("#") and len(parts) >= 2 and (colour := _colour(parts[1].split(","))):
            yield parts[0].strip(), colour


def _classes_json(listing: Listing, path: str) -> Iterator[Entry]:
    values = parse_json(read_bounded(listing.files[path], MAX_BYTES), dict[str, object], MAX_BYTES)
    classes = values.get("classes")
    for one in classes if isinstance(classes, list) else []:
        if isinstance(one, dict):
            matched = re.fullmatch(r"#([0-9a-fA-F]{6})", str(one.get("color", "")))
            if matched:
                red, green, blue = bytes.fromhex(matched[1])
                yield str(one.get("title", "")), (red, green, blue)


def _colour(parts: Iterable[str]) -> Colour | None:
    texts = [part.strip() for part in parts]
    if len(texts) != 3 or not all(text.isdecimal() and len(text) <= 3 and int(text) <= 255 for text in texts):
        return None
    red, green, blue = map(int, texts)
    return red, green, blue


def _text(colour: Colour) -> str:
    return ",".join(map(str, colour))
