"""Annotations of Datumaro: a JSON file per subset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from sweep.patches.labels.coco import flat_ring, run_lengths
from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline, Runs, box_corners
from sweep.patches.labels.shared import as_points, json_files, read_labels, size_of
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.splits.chosen import split_called
from trainables.errors import DataError, of_each

OF_IMAGES = ("label", "caption")
"""Annotations of an image as a whole."""


class _Label(TypedDict):
    name: str


class _Labels(TypedDict):
    labels: list[_Label]


class _Categories(TypedDict):
    label: _Labels


class _Media(TypedDict):
    path: NotRequired[str]
    size: NotRequired[list[int]]


class _Annotation(TypedDict):
    type: str
    label_id: NotRequired[int | None]
    points: NotRequired[Any]
    bbox: NotRequired[Any]
    rle: NotRequired[Any]
    z_order: NotRequired[int]


class _Item(TypedDict):
    id: str
    annotations: list[_Annotation]
    image: NotRequired[_Media]


class _DatumaroFile(TypedDict):
    categories: _Categories
    items: list[_Item]


def read_datumaro(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read the annotations of Datumaro's own format, in the order of ``z_order``, then of the file.

    Args:
        path: A file, or a folder with one for each subset, which is called as its file.
        sources: Name to image.

    Raises:
        DataError: Damaged, not of these images, or annotations that are no area.
    """
    found: dict[str, tuple[Path, _Item, Sequence[str]]] = {}
    for file in json_files(path).values() if path.is_dir() else (path,):
        values = read_labels(file, _DatumaroFile, "Datumaro file")
        names = [one["name"] for one in values["categories"]["label"]["labels"]]
        for item in values["items"]:
            inside = f"{file.stem}/{item.get('image', {}).get('path') or item['id']}"
            if inside in found:
                raise DataError(f"{file}: image {inside!r} is there twice; keep one")
            found[inside] = (file, item, names)
    images = by_image(found, sources, path)
    return of_each({name: found[inside] for name, inside in images.items()}, _image)


def _image(found: tuple[Path, _Item, Sequence[str]]) -> LabelledImage:
    file, item, names = found
    place = f"{file}, item {item['id']}"
    height, width = [*item.get("image", {}).get("size", ()), None, None][:2]
    size = size_of(place, width, height)
    shapes = []
    for one in sorted(item["annotations"], key=lambda annotation: annotation.get("z_order", 0)):
        if one["type"] in OF_IMAGES:
            continue
        number = one.get("label_id")
        if number is None or not 0 <= number < len(names):
            raise DataError(f"{place}: a {one['type'][:40]} has label {number}, which is not listed; export it again")
        shapes.append(LabelledShape(label=names[number], parts=[_part(one, size, place)], place=place))
    return LabelledImage(place=place, shapes=shapes, size=size, split=split_called(file.stem))


def _part(one: _Annotation, size: tuple[int, int], place: str) -> Outline | Runs:
    if one["type"] == "polygon":
        return Outline(ring=flat_ring(one.get("points"), place))
    if one["type"] == "mask":
        return run_lengths(one.get("rle"), size, place)
    if one["type"] == "bbox":
        values = one.get("bbox")
        box = as_points([values[:2], values[2:]] if isinstance(values, list) and len(values) == 4 else None, place)
        return Outline(ring=box_corners(*box[0], *(box[0] + box[1])))
    raise DataError(f"{place}: holds a {one['type'][:40]}, which covers no area; draw it as a polygon, or remove it")
