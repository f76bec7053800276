"""Which program wrote a JSON file, by what it holds at the top."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sweep.patches.labels.shared import read_labels

JsonKind = Literal["coco", "datumaro", "geojson", "labelme", "label studio", "supervisely", "via", "xview2", "other"]


def json_kind(path: Path) -> JsonKind:
    """Return what wrote a JSON file.

    Raises:
        DataError: Not readable, or no JSON.
    """
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
