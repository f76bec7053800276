"""Polygons of COCO (one JSON file) and of LabelMe (a JSON file an image)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.dataset.labels import LabelNames, as_polygon, by_image, check_size, paint, read_json
from sweep.dataset.sources import Source
from trainables.errors import DataError


class Coco:
    """The annotations of a COCO file: polygons and run lengths, decoded by pycocotools, in the order of the file.

    Args:
        path: The JSON file.
        sources: Name to image.
        names: What index a category paints.

    Raises:
        DataError: Damaged, of another kind, or not of these images.
    """

    def __init__(self, path: Path, sources: Mapping[str, Source], names: LabelNames) -> None:
        self._path = path
        values = read_json(path)
        try:
            categories = {one["id"]: str(one["name"]) for one in values["categories"]}
            images = {str(one["file_name"]): one for one in values["images"]}
            listed = [str(one["file_name"]) for one in values["images"]]
            annotations: dict[Any, list[dict[str, Any]]] = {one["id"]: [] for one in values["images"]}
            for one in values["annotations"]:
                annotations[one["image_id"]].append(one)
            self._values = {one["category_id"]: 0 for one in values["annotations"]}
            for number in self._values:
                self._values[number] = names.index(categories[number], str(path))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: is no COCO file ({type(error).__name__}: {error}); it holds images, annotations, categories"
            ) from error
        self._images = {name: images[file] for name, file in by_image(listed, sources, path).items()}
        self._annotations = annotations

    def rasterise(self, source: Source, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Paint a source's annotations, see ``Labels.rasterise``."""
        image = self._images[source.name]
        check_size(f"{self._path}, image {image['file_name']}", image.get("width"), image.get("height"), shape)
        mask = np.zeros(shape, np.uint8)
        for one in self._annotations[image["id"]]:
            place = f"{self._path}, annotation {one.get('id')}"
            segmentation, value = one.get("segmentation"), self._values[one["category_id"]]
            if isinstance(segmentation, list) and segmentation:
                for ring in segmentation:
                    paint(mask, _ring(ring, place), value)
            else:
                mask[_decode(segmentation, shape, place)] = value
        return mask


def _ring(numbers: Any, place: str) -> NDArray[np.float64]:
    """Return (N, 2) of x, y, x, y, ..."""
    flat = isinstance(numbers, list) and all(isinstance(one, int | float) for one in numbers) and len(numbers) % 2 == 0
    return as_polygon(list(zip(numbers[::2], numbers[1::2], strict=True)) if flat else None, place)


def _decode(segmentation: Any, shape: tuple[int, int], place: str) -> NDArray[np.bool_]:
    """Return (H, W) bool of run lengths, compressed or not."""
    from pycocotools import mask as coco

    height, width = shape
    if isinstance(segmentation, dict) and segmentation.get("size") == [height, width]:
        counts = segmentation.get("counts")
        listed = counts if isinstance(counts, list) and all(type(one) is int and one >= 0 for one in counts) else []
        if listed and sum(listed) == height * width:
            runs = coco.frPyObjects(segmentation, height, width)
        elif isinstance(counts, str) and counts.isascii() and _pixels(counts) == height * width:
            runs = {"size": [height, width], "counts": counts.encode()}
        else:
            raise DataError(f"{place}: run lengths that do not fill the image; export it again")
    else:
        raise DataError(f"{place}: neither polygons nor run lengths of the image's size; export it again")
    return np.asarray(coco.decode(runs)).astype(bool)


def _pixels(counts: str) -> int:
    """Return how many pixels compressed run lengths cover; -1 for damaged ones, on which the decoder writes anywhere.

    Source: rleFrString of pycocotools: five bits a character from 48 on, the sixth says that more follow, and from
    the fourth run on a difference to the run before the last.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for character in counts:
        code = ord(character) - 48
        if not 0 <= code < 64:
            return -1
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    return -1 if shift or any(run < 0 for run in runs) else sum(runs)


class LabelMe:
    """A folder of LabelMe files, ``NAME.json`` for image ``NAME``: their polygons and rectangles in the file's order.

    Args:
        path: The folder.
        sources: Name to image.
        names: What index a label paints.

    Raises:
        DataError: Images without a file.
    """

    def __init__(self, path: Path, sources: Mapping[str, Source], names: LabelNames) -> None:
        self._names = names
        files = {one.name: one for one in sorted(path.iterdir()) if one.suffix.lower() == ".json" and one.is_file()}
        self._files = {name: files[file] for name, file in by_image(files, sources, path).items()}

    def rasterise(self, source: Source, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Paint a source's shapes, see ``Labels.rasterise``."""
        path = self._files[source.name]
        values = read_json(path)
        shapes = values.get("shapes")
        if not isinstance(shapes, list) or not all(isinstance(one, dict) for one in shapes):
            raise DataError(f"{path}: holds no list of shapes; save it with LabelMe again")
        check_size(str(path), values.get("imageWidth"), values.get("imageHeight"), shape)
        mask = np.zeros(shape, np.uint8)
        for one in shapes:
            value = self._names.index(str(one.get("label")), str(path))
            kind, points = one.get("shape_type", "polygon"), one.get("points")
            if kind == "rectangle" and isinstance(points, list) and len(points) == 2:
                first, second = as_polygon([*points, points[0]], str(path))[:2]
                points = [first, (second[0], first[1]), second, (first[0], second[1])]
            elif kind != "polygon":
                raise DataError(f"{path}: holds a {kind}, which is no polygon; convert or remove it")
            paint(mask, as_polygon(points, str(path)), value)
        return mask
