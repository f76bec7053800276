"""Shapes of LabelMe and X-AnyLabeling: a JSON file per image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from typing_extensions import TypedDict

from sweep.patches.labels.bitmaps import decode_picture
from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline, Runs, ellipse
from sweep.patches.labels.shared import as_points, as_polygon, json_files, read_labels, size_of
from sweep.patches.layouts.sources import SourceRaster
from trainables.errors import DataError, of_each

IGNORED = "__ignore__"
"""The label whose pixels LabelMe's own converters leave out."""


class _Shape(TypedDict):
    label: str | None
    points: NotRequired[list[Any] | None]
    shape_type: NotRequired[str | None]
    mask: NotRequired[str | None]


class _LabelMeFile(TypedDict):
    shapes: list[_Shape]
    imageWidth: NotRequired[int | None]
    imageHeight: NotRequired[int | None]


def read_labelme(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read a folder of LabelMe files, ``NAME.json`` for image ``NAME``, at any depth: their shapes in order.

    A rectangle has two opposite corners, or all four, as X-AnyLabeling writes it; so has its ``rotation``. A circle has
    its centre and a point of it, a ``mask`` two corners and a PNG.

    Args:
        path: The folder; names that begin with a dot, such as macOS's ``._NAME.json``, are left out.
        sources: Name to image.

    Raises:
        DataError: Images without a file, damaged files, or shapes that are no area.
    """
    files = json_files(path)
    return of_each({name: files[file] for name, file in by_image(files, sources, path).items()}, _image)


def _image(path: Path) -> LabelledImage:
    values = read_labels(path, _LabelMeFile, "LabelMe file")
    shapes = []
    for one in values["shapes"]:
        label = str(one["label"])
        part = _part(one, f"{path}, a shape {label[:40]!r}")
        shapes.append(LabelledShape(label=label, parts=[part], place=str(path), ignored=label == IGNORED))
    size = size_of(str(path), values.get("imageWidth"), values.get("imageHeight"))
    return LabelledImage(place=str(path), shapes=shapes, size=size)


def _part(shape: _Shape, place: str) -> Outline | Runs:
    kind, points = shape.get("shape_type") or "polygon", shape.get("points") or []
    corners = len(points)
    if kind == "mask":
        return _mask(shape, place)
    if kind == "circle" and corners == 2:
        centre, edge = as_points(points, place)
        radius = float(np.hypot(*(edge - centre)))
        return Outline(ring=ellipse((float(centre[0]), float(centre[1])), (radius, radius)))
    if kind == "rectangle" and corners == 2:
        (left, top), (right, bottom) = as_points(points, place)
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    elif kind != "polygon" and not (kind in ("rectangle", "rotation") and corners == 4):
        raise DataError(f"{place}: is a {kind}, which covers no area; draw it as a polygon, or remove it")
    return Outline(ring=as_polygon(points, place))


def _mask(shape: _Shape, place: str) -> Runs:
    """Return the pixels of an AI mask: a PNG whose first and last pixel are at the two points."""
    points = as_points(shape.get("points"), place)
    if len(points) != 2:
        raise DataError(f"{place}: is a mask without two points; export it again")
    (left, top), (right, bottom) = np.floor(points).astype(int).tolist()
    pixels = decode_picture(shape.get("mask") or "", place, most=(bottom - top + 2, right - left + 2))
    if not (abs(pixels.shape[0] - (bottom - top + 1)) <= 1 and abs(pixels.shape[1] - (right - left + 1)) <= 1):
        raise DataError(f"{place}: its mask is {pixels.shape[1]}x{pixels.shape[0]}, not what is between its points")
    return Runs.of_pixels(pixels, top=top, left=left)
