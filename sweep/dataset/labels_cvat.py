"""Polygons of CVAT's XML ("CVAT for images 1.1")."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from sweep.dataset.labels import LabelNames, as_polygon, by_image, check_size, paint
from sweep.dataset.sources import Source
from trainables.errors import DataError


class Cvat:
    """The ``image`` elements of a CVAT file: their polygons and boxes, in the order of ``z_order``, then of the file.

    Args:
        path: The XML file.
        sources: Name to image.
        names: What index a label paints.

    Raises:
        DataError: Damaged, of another kind, with document types or shapes that are no area, or not of these images.
    """

    def __init__(self, path: Path, sources: Mapping[str, Source], names: LabelNames) -> None:
        self._path = path
        self._names = names
        try:
            text = path.read_text(encoding="utf-8")
            if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can blow up; CVAT writes none
                raise DataError(f"{path}: defines XML entities, as CVAT never does; export it again")
            root = ElementTree.fromstring(text)
        except (OSError, ValueError, ElementTree.ParseError) as error:
            raise DataError(f"{path}: not readable as XML ({error}); export it again as CVAT for images 1.1") from error
        images = {image.get("name", ""): image for image in root.iter("image")}
        if root.tag != "annotations" or not images:
            raise DataError(f"{path}: holds no <annotations> with <image>; export it as CVAT for images 1.1")
        found = by_image((image.get("name", "") for image in root.iter("image")), sources, path)
        self._images = {name: images[file] for name, file in found.items()}

    def rasterise(self, source: Source, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Paint a source's shapes, see ``Labels.rasterise``."""
        image = self._images[source.name]
        place = f"{self._path}, image {image.get('name')}"
        check_size(place, _number(image, "width", place), _number(image, "height", place), shape)
        mask = np.zeros(shape, np.uint8)
        shapes = [one for one in image if one.tag != "tag"]
        for one in sorted(shapes, key=lambda shape: _number(shape, "z_order", place, 0)):
            value = self._names.index(one.get("label", ""), place)
            if one.tag == "polygon":
                points = [pair.split(",") for pair in one.get("points", "").split(";")]
            elif one.tag == "box":
                left, top, right, bottom = (one.get(side, "") for side in ("xtl", "ytl", "xbr", "ybr"))
                points = [[left, top], [right, top], [right, bottom], [left, bottom]]
            else:
                raise DataError(f"{place}: holds a {one.tag}, which is no polygon; convert or remove it")
            paint(mask, as_polygon(points, place), value)
        return mask


def _number(element: ElementTree.Element, name: str, place: str, default: int | None = None) -> int:
    text = element.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError as error:
        raise DataError(f"{place}: {name} is {text!r}, not a whole number; export it again") from error
