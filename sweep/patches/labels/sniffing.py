"""Which program wrote a JSON file, by what it holds at the top."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from sweep.patches.labels.shared import read_labels
from trainables.errors import DataError

JsonKind = Literal["coco", "datumaro", "geojson", "labelme", "label studio", "supervisely", "via", "xview2", "other"]


OF_NO_LABELS = ("meta.json", "notes.json", "obj_class_to_machine_color.json", "key_id_map.json", "dataset.json")
"""What programs write beside their labels."""
SNIFFED = 4
"""JSON files of a folder that are looked into; where there are more, they are a file per image."""


def files_of_kind(files: Iterable[Path], kind: JsonKind) -> list[Path]:
    """Return which JSON files are of a kind; of many files only the first ones are looked into."""
    found = []
    for file in [file for file in files if file.name not in OF_NO_LABELS][:SNIFFED]:
        try:
            if json_kind(file) == kind:
                found.append(file)
        except DataError:  # damaged, or some other program's; whoever opens it says so
            continue
    return found


def json_kind(path: Path) -> JsonKind:
    """Return what wrote a JSON file.

    Raises:
        DataError: Not readable, or no JSON.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); allow it, or export it again") from error
    return _kind_of(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=32)
def _kind_of(path: Path, changed: int, size: int) -> JsonKind:
    """Remember large files between formats."""
    values = read_labels(path, object, "JSON file")
    if isinstance(values, list):
        return "label studio" if all(isinstance(one, dict) and "id" in one for one in values) else "other"
    if not isinstance(values, dict):
        return "other"
    return _kind(values)


def _kind(values: dict[str, Any]) -> JsonKind:
    keys = set(values)
    features = values.get("features")
    if values.get("type") in ("FeatureCollection", "Feature"):
        return "geojson"
    if isinstance(features, dict) and "xy" in features:
        return "xview2"
    if "shapes" in keys:
        return "labelme"
    if {"categories", "items"} <= keys:
        return "datumaro"
    if {"images", "annotations"} & keys or "categories" in keys:
        return "coco"
    if {"size", "objects"} <= keys:
        return "supervisely"
    if "_via_img_metadata" in keys or (keys and all(isinstance(v, dict) and "regions" in v for v in values.values())):
        return "via"
    return "other"
