"""Objects of Supervisely: a JSON file per image, in ``DATASET/ann``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NotRequired

import numpy as np
from typing_extensions import TypedDict

from sweep.patches.labels.bitmaps import decode_picture
from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline, Runs, box_corners
from sweep.patches.labels.shared import as_points, as_polygon, json_files, read_labels, size_of
from sweep.patches.layouts.listing import ENDINGS
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.splits.chosen import split_called
from trainables.errors import DataError, of_each

ANNOTATIONS = "ann"
"""The folder with the files, where there is one; beside it are meta.json and others that hold no objects."""


class _Size(TypedDict):
    height: int
    width: int


class _Points(TypedDict):
    exterior: list[Any]
    interior: NotRequired[list[Any]]


class _Bitmap(TypedDict):
    data: str
    origin: list[int]


class _Object(TypedDict):
    classTitle: str
    geometryType: NotRequired[str | None]
    points: NotRequired[_Points | None]
    bitmap: NotRequired[_Bitmap | None]


class _SuperviselyFile(TypedDict):
    size: _Size
    objects: list[_Object]


def read_supervisely(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read a project of Supervisely: ``DATASET/ann/NAME.png.json`` for ``DATASET/img/NAME.png``, in order.

    Whole numbers are pixels, as its exports have them: an outline covers those that it goes through, and a rectangle
    reaches to the end of its last one. Numbers with decimals are places, as elsewhere.

    Args:
        path: The project, a data set of it, or a folder of files.
        sources: Name to image.

    Raises:
        DataError: Images without a file, damaged files, or objects that are no area.
    """
    files = json_files(path)
    inside = {name: file for name, file in files.items() if file.parent.name == ANNOTATIONS} or files
    named = {_image_name(name): file for name, file in inside.items()}
    found = by_image(named, sources, path)
    return of_each({name: named[file] for name, file in found.items()}, _image)


def _image_name(file: str) -> str:
    """Return the image's name: ``a.png.json`` is of ``a.png``, and ``a.json``, as older exports have it, of ``a``."""
    name = PurePosixPath(file).with_suffix("")
    return str(name) if name.suffix.lower() in ENDINGS else file


def _image(path: Path) -> LabelledImage:
    values = read_labels(path, _SuperviselyFile, "Supervisely file")
    size = size_of(str(path), values["size"]["width"], values["size"]["height"])
    shapes = []
    for number, one in enumerate(values["objects"], start=1):
        place = f"{path}, object {number}"
        shapes.append(LabelledShape(label=one["classTitle"], parts=[_part(one, size, place)], place=place))
    data_set = path.parent.parent.name if path.parent.name == ANNOTATIONS else path.parent.name
    return LabelledImage(place=str(path), shapes=shapes, size=size, split=split_called(data_set))


def _part(one: _Object, size: tuple[int, int], place: str) -> Outline | Runs:
    points, bitmap = one.get("points"), one.get("bitmap")
    kind = one.get("geometryType") or ("bitmap" if bitmap else "polygon")
    if kind == "bitmap" and bitmap:
        (origin,) = as_points([bitmap["origin"]], place).astype(int).tolist()
        pixels = decode_picture(bitmap["data"], place, most=size, deflated=True)
        return Runs.of_pixels(pixels, left=origin[0], top=origin[1])
    if kind == "polygon" and points:
        ring = as_polygon(points["exterior"], place)
        holes = [as_polygon(hole, place) for hole in points.get("interior", ())]
        return Outline(ring=ring, holes=holes, touched=_whole([points["exterior"], *points.get("interior", ())]))
    if kind == "rectangle" and points and len(points["exterior"]) == 2:
        corners = as_points(points["exterior"], place)
        (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
        more = int(_whole([points["exterior"]]))
        return Outline(ring=box_corners(left, top, right + more, bottom + more))
    raise DataError(f"{place}: is a {kind[:40]}, which covers no area; draw it as a polygon or a mask, or remove it")


def _whole(rings: Sequence[Sequence[Sequence[Any]]]) -> bool:
    return all(float(value).is_integer() for ring in rings for point in ring for value in point)
