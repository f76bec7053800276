"""Regions of the VGG Image Annotator, version 2: an export as JSON, or a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import degrees
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import Floats, LabelledImage, LabelledShape, Outline, box_corners, ellipse
from sweep.patches.labels.shared import as_points, as_polygon, read_labels
from sweep.patches.layouts.sources import SourceRaster
from trainables.documents import DamagedError, check
from trainables.errors import DataError, of_each

PROJECT = "_via_img_metadata"
NAMED = ("class", "label", "category", "type", "name")
"""Attributes that name a class, the likeliest first, where regions have several."""
UNNAMED = "region"
"""The label of regions that have no attribute at all."""


class _Region(TypedDict):
    shape_attributes: dict[str, Any]
    region_attributes: dict[str, Any]


class _File(TypedDict):
    filename: str
    regions: list[_Region] | dict[str, _Region]


def read_via(path: Path, sources: Mapping[str, SourceRaster], attribute: str = "") -> dict[str, LabelledImage]:
    """Read the regions of a VIA file, in its order; VIA does not say the size of an image.

    Args:
        path: The file.
        sources: Name to image.
        attribute: Which attribute of a region names its class; empty for the only one, or the first of ``NAMED``.

    Raises:
        DataError: Damaged, not of these images, regions that are no area, or no attribute that names the class.
    """
    values = read_labels(path, dict[str, Any], "VIA file")
    try:
        files = check(values.get(PROJECT, values), dict[str, _File])
    except DamagedError as error:
        raise DataError(f"{path}: is no VIA file ({error}); export the annotations as JSON") from error
    images: dict[str, Sequence[_Region]] = {}
    for one in files.values():
        regions = one["regions"]
        if one["filename"] in images:
            raise DataError(f"{path}: image {one['filename']!r} is there twice; keep one")
        images[one["filename"]] = list(regions.values()) if isinstance(regions, dict) else regions
    found = by_image(images, sources, path)
    used = {file: images[file] for file in found.values()}
    chosen = attribute or _class_attribute([region for regions in used.values() for region in regions], path)
    read = partial(_image, images=used, attribute=chosen, path=path)
    return of_each(found, read)


def _class_attribute(regions: Sequence[_Region], path: Path) -> str:
    """Return the attribute that names the class; empty where regions have none."""
    names = dict.fromkeys(name for region in regions for name in region["region_attributes"])
    if len(names) < 2:
        return next(iter(names), "")
    for name in NAMED:
        for spelled in names:
            if spelled.lower() == name and all(region["region_attributes"].get(spelled) for region in regions):
                return spelled
    raise DataError(
        f"{path}: its regions have the attributes {', '.join(names)}; say which of them names the class: "
        f"--class-attribute {next(iter(names))}"
    )


def _image(file: str, images: Mapping[str, Sequence[_Region]], attribute: str, path: Path) -> LabelledImage:
    shapes = []
    for number, region in enumerate(images[file], start=1):
        place = f"{path}, image {file}, region {number}"
        label = _label(region["region_attributes"].get(attribute), attribute, place) if attribute else UNNAMED
        ring = _ring(region["shape_attributes"], place)
        shapes.append(LabelledShape(label=label, parts=[Outline(ring=ring)], place=place))
    return LabelledImage(place=f"{path}, image {file}", shapes=shapes, size=None)


def _label(value: Any, attribute: str, place: str) -> str:
    """Return an attribute's value: text, or what is ticked."""
    ticked = [name for name, on in value.items() if on] if isinstance(value, dict) else [value]
    if len(ticked) != 1 or not isinstance(ticked[0], str) or not ticked[0].strip():
        raise DataError(f"{place}: its {attribute!r} names {len(ticked)} classes or none; give it one")
    return ticked[0].strip()


def _ring(shape: Mapping[str, Any], place: str) -> Floats:
    kind = shape.get("name")
    if kind == "polygon":
        across, down = shape.get("all_points_x"), shape.get("all_points_y")
        whole = isinstance(across, list) and isinstance(down, list) and len(across) == len(down)
        return as_polygon(list(zip(across, down, strict=True)) if whole and across and down else None, place)
    if kind == "rect":
        left, top, width, height = _numbers(shape, ("x", "y", "width", "height"), place)
        return box_corners(left, top, left + width, top + height)
    if kind == "circle":
        x, y, radius = _numbers(shape, ("cx", "cy", "r"), place)
        return ellipse((x, y), (radius, radius))
    if kind == "ellipse":
        x, y, across_, down_ = _numbers(shape, ("cx", "cy", "rx", "ry"), place)
        (angle,) = _numbers({"theta": 0.0} | dict(shape), ("theta",), place)
        return ellipse((x, y), (across_, down_), degrees(angle))
    raise DataError(f"{place}: is a {str(kind)[:40]}, which covers no area; draw it as a polygon, or remove it")


def _numbers(shape: Mapping[str, Any], names: Sequence[str], place: str) -> list[float]:
    values = [shape.get(name) for name in names]
    return [float(value) for value in as_points([[value, 0] for value in values], place)[:, 0]]
