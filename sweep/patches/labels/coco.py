"""Polygons and run lengths of COCO: one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from sweep.patches.labels.painting import MaskCanvas, parse_runs
from sweep.patches.labels.shared import LabelNames, as_polygon, by_image, check_size, read_labels
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.errors import DataError


class _Category(TypedDict):
    id: int | str
    name: str


class _Image(TypedDict):
    id: int | str
    file_name: str
    width: NotRequired[int]
    height: NotRequired[int]


class _Annotation(TypedDict):
    id: NotRequired[int | str]
    image_id: int | str
    category_id: int | str
    segmentation: NotRequired[Any]
    ignore: NotRequired[Any]


class _CocoFile(TypedDict):
    categories: list[_Category]
    images: list[_Image]
    annotations: list[_Annotation]


class Coco:
    """The annotations of a COCO file: polygons and run lengths, decoded by pycocotools, in the order of the file.

    A crowd (``iscrowd``) is of its category like any other annotation: nobody counts objects here. One with ``ignore``
    is painted as pixels that do not count.

    Raises:
        DataError: Damaged, of another kind, or not of these images.
    """

    def __init__(self, path: Path, sources: Mapping[str, SourceRaster], names: LabelNames) -> None:
        self._path = path
        self._names = names
        values = read_labels(path, _CocoFile, "COCO file")
        categories = {one["id"]: one["name"] for one in values["categories"]}
        images = {one["file_name"]: one for one in values["images"]}
        self._annotations: dict[int | str, list[_Annotation]] = {one["id"]: [] for one in values["images"]}
        if len(self._annotations) < len(values["images"]):
            raise DataError(f"{path}: two of its images have the same id; export it again")
        for one in values["annotations"]:
            place = f"{path}, annotation {one.get('id')}"
            if one["image_id"] not in self._annotations:
                raise DataError(f"{place}: belongs to image {one['image_id']!r}, which is not listed; export it again")
            if one["category_id"] not in categories:
                raise DataError(f"{place}: has category {one['category_id']!r}, which is not listed; export it again")
            self._annotations[one["image_id"]].append(one)
        used = {one["category_id"] for one in values["annotations"] if not one.get("ignore")}
        self._values = {number: names.index(name, str(path)) for number, name in categories.items() if number in used}
        listed = by_image([one["file_name"] for one in values["images"]], sources, path)
        self._images = {name: images[file] for name, file in listed.items()}

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint a source's annotations, see ``Labels.rasterise``."""
        image = self._images[source.name]
        place = f"{self._path}, image {image['file_name']}"
        check_size(place, image.get("width"), image.get("height"), shape)
        canvas = MaskCanvas(shape, place)
        for one in self._annotations[image["id"]]:
            place = f"{self._path}, annotation {one.get('id')}"
            value = self._names.ignored(place) if one.get("ignore") else self._values[one["category_id"]]
            segmentation = one.get("segmentation")
            if isinstance(segmentation, list) and segmentation:
                for ring in segmentation:
                    canvas.paint(_ring(ring, place), value)
            else:
                canvas.paint_runs(_runs(segmentation, shape, place), value)
        return canvas.mask[area.rows, area.columns]


def _ring(numbers: Any, place: str) -> NDArray[np.float64]:
    """Return (N, 2) of x, y, x, y, ..."""
    flat = isinstance(numbers, list) and all(isinstance(one, int | float) for one in numbers) and len(numbers) % 2 == 0
    return as_polygon(list(zip(numbers[::2], numbers[1::2], strict=True)) if flat else None, place)


def _runs(segmentation: Any, shape: tuple[int, int], place: str) -> Sequence[int]:
    """Return the run lengths of an image, which may be compressed.

    Raises:
        DataError: They are damaged, or of an image of another size.
    """
    if not isinstance(segmentation, dict) or segmentation.get("size") != list(shape):
        raise DataError(f"{place}: neither polygons nor run lengths of the image's size; export it again")
    counts = segmentation.get("counts")
    runs: Sequence[int] | None = None
    if isinstance(counts, str) and counts.isascii():
        runs = parse_runs(counts.encode())
    elif isinstance(counts, list) and all(type(one) is int and one >= 0 for one in counts):
        runs = counts
    if runs is None or sum(runs) != shape[0] * shape[1]:
        raise DataError(f"{place}: run lengths that do not fill the image; export it again")
    return runs
