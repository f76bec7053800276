"""Polygons and run lengths of COCO: a JSON file, or several in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from typing_extensions import TypedDict

from sweep.patches.labels.matching import by_image
from sweep.patches.labels.painting import parse_runs
from sweep.patches.labels.shapes import Floats, LabelledImage, LabelledShape, Outline, Runs
from sweep.patches.labels.shared import as_polygon, json_files, read_labels, size_of
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from sweep.patches.splits.chosen import split_called
from trainables.errors import DataError

INSTANCES = "instances_"
"""What COCO's own files of outlines begin with; those beside them say the same images again, as captions or joints."""


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


def read_coco(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read the annotations of COCO files: polygons, and run lengths, in the order of the file.

    A crowd (``iscrowd``) is of its category like any other annotation: nobody counts objects here. One with ``ignore``
    is of pixels that do not count.

    Args:
        path: A file, or a folder with files, at any depth; an image may be in one of them only. Where several images
            have one name, ``train.json`` is of those in ``train/``.
        sources: Name to image.

    Raises:
        DataError: Damaged, of another kind, or not of these images.
    """
    images: dict[str, tuple[Path, _Image]] = {}
    files = {file: _read(file) for file in coco_files(path)}
    for file, values in files.items():
        folder = "" if file == path else f"{file.relative_to(path).parent / file.stem.removeprefix(INSTANCES)}/"
        for image in values["images"]:
            inside = f"{folder}{image['file_name']}"
            if images.setdefault(inside, (file, image))[1] is not image:
                raise DataError(f"{file}: image {image['file_name']!r} is there twice; keep one")
    found = by_image(images, sources, path)
    return _labelled({name: images[inside] for name, inside in found.items()}, files)


def coco_files(path: Path) -> list[Path]:
    """Return the COCO files of a folder, or the file itself."""
    if not path.is_dir():
        return [path]
    found = list(json_files(path).values())
    return [one for one in found if one.name.startswith(INSTANCES)] or found


def _read(path: Path) -> _CocoFile:
    values = read_labels(path, _CocoFile, "COCO file")
    images = {one["id"] for one in values["images"]}
    categories = {one["id"] for one in values["categories"]}
    if len(images) < len(values["images"]):
        raise DataError(f"{path}: two of its images have the same id; export it again")
    for one in values["annotations"]:
        place = f"{path}, annotation {one.get('id')}"
        if one["image_id"] not in images:
            raise DataError(f"{place}: belongs to image {one['image_id']!r}, which is not listed; export it again")
        if one["category_id"] not in categories:
            raise DataError(f"{place}: has category {one['category_id']!r}, which is not listed; export it again")
    return values


def _labelled(images: Mapping[str, tuple[Path, _Image]], files: Mapping[Path, _CocoFile]) -> dict[str, LabelledImage]:
    """Read the annotations of the images of each source."""
    wanted = {(file, image["id"]): name for name, (file, image) in images.items()}
    shapes: dict[str, list[LabelledShape]] = {name: [] for name in images}
    sizes = {
        name: size_of(f"{file}, image {image['file_name']}", image.get("width"), image.get("height"))
        for name, (file, image) in images.items()
    }
    for file, values in files.items():
        categories = {one["id"]: one["name"] for one in values["categories"]}
        for one in values["annotations"]:
            if (name := wanted.get((file, one["image_id"]))) is not None:
                place = f"{file}, annotation {one.get('id')}"
                shapes[name].append(
                    LabelledShape(
                        label=categories[one["category_id"]],
                        parts=_parts(one.get("segmentation"), sizes[name], place),
                        place=place,
                        ignored=bool(one.get("ignore")),
                    )
                )
    return {
        name: LabelledImage(
            place=f"{file}, image {image['file_name']}",
            shapes=shapes[name],
            size=sizes[name],
            split=split_called(file.stem.removeprefix(INSTANCES)),
        )
        for name, (file, image) in images.items()
    }


def _parts(segmentation: Any, size: tuple[int, int], place: str) -> Sequence[Outline | Runs]:
    if isinstance(segmentation, list) and segmentation:
        return [Outline(ring=flat_ring(numbers, place)) for numbers in segmentation]
    return [run_lengths(segmentation, size, place)]


def flat_ring(numbers: Any, place: str) -> Floats:
    """Return (N, 2) of x, y, x, y, ..."""
    flat = isinstance(numbers, list) and all(isinstance(one, int | float) for one in numbers) and len(numbers) % 2 == 0
    return as_polygon(np.array(numbers, dtype=object).reshape(-1, 2).tolist() if flat else None, place)


def run_lengths(segmentation: Any, size: tuple[int, int], place: str) -> Runs:
    """Read the run lengths of an image, which may be compressed.

    Args:
        segmentation: ``{"size": [height, width], "counts": ...}``.
        size: Of the image, height and width.
        place: What errors name.

    Raises:
        DataError: They are damaged, or of an image of another size.
    """
    if not isinstance(segmentation, dict) or segmentation.get("size") != list(size):
        raise DataError(f"{place}: neither polygons nor run lengths of the image's size; export it again")
    counts = segmentation.get("counts")
    lengths: Sequence[int] | None = None
    if isinstance(counts, str) and counts.isascii():
        lengths = parse_runs(counts.encode())
    elif isinstance(counts, list) and all(type(one) is int for one in counts):
        lengths = counts
    runs = None if lengths is None else Runs.of_lengths(lengths, Area.whole(size), by_rows=False)
    if runs is None:
        raise DataError(f"{place}: run lengths that do not fill the image; export it again")
    return runs
