"""Polygons of CVAT's XML ("CVAT for images 1.1")."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, isfinite, radians, sin
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.painting import MaskCanvas
from sweep.patches.labels.shared import MAX_BYTES, LabelNames, as_polygon, by_image, check_size
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.documents import DamagedError, read_bounded
from trainables.errors import DataError

OF_NO_PLACE = frozenset(("label", "source", "occluded", "z_order", "group_id", "score"))
"""Attributes of a shape that do not change where it is; ``z_order`` is the order of painting."""
PLACE: Mapping[str, frozenset[str]] = MappingProxyType(
    {"polygon": frozenset(("points",)), "box": frozenset(("xtl", "ytl", "xbr", "ybr", "rotation"))}
)
"""Shapes that are areas, and the attributes that say where. Another attribute might say something else."""


class Cvat:
    """The ``image`` elements of a CVAT file: their polygons and boxes, in the order of ``z_order``, then of the file.

    Raises:
        DataError: Damaged, of another kind, with document types or shapes that are no area, or not of these images.
    """

    def __init__(self, path: Path, sources: Mapping[str, SourceRaster], names: LabelNames) -> None:
        self._path = path
        self._names = names
        try:
            text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
            if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can blow up; CVAT writes none
                raise DataError(f"{path}: defines XML entities, as CVAT never does; export it again")
            root = ElementTree.fromstring(text)
        except (OSError, ValueError, DamagedError, ElementTree.ParseError) as error:
            raise DataError(f"{path}: not readable as XML ({error}); export it again as CVAT for images 1.1") from error
        listed = [image.get("name", "") for image in root.findall("image")]
        if root.tag != "annotations" or not listed:
            raise DataError(f"{path}: holds no <annotations> with <image>; export it as CVAT for images 1.1")
        if others := sorted({str(one.tag) for one in root} - {"version", "meta", "image"}):
            raise DataError(f"{path}: holds <{others[0]}> beside its images; export it as CVAT for images 1.1")
        if any((flipped.text or "").strip().lower() == "true" for flipped in root.iterfind("meta//flipped")):
            raise DataError(f"{path}: its images were flipped for labelling, which they are not here; flip them first")
        images = {image.get("name", ""): image for image in root.findall("image")}
        self._images = {name: images[file] for name, file in by_image(listed, sources, path).items()}

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint a source's shapes, see ``Labels.rasterise``."""
        image = self._images[source.name]
        place = f"{self._path}, image {image.get('name')}"
        check_size(place, _number(image, "width", place), _number(image, "height", place), shape)
        canvas = MaskCanvas(shape, place)
        shapes = [one for one in image if one.tag != "tag"]
        for one in sorted(shapes, key=lambda shape: _number(shape, "z_order", place, 0)):
            canvas.paint(_outline(one, place), self._names.index(one.get("label", ""), place))
        return canvas.mask[area.rows, area.columns]


def _outline(shape: ElementTree.Element, place: str) -> NDArray[np.float64]:
    """Return the (N, 2) corners of a polygon or box, x and y in pixels.

    Raises:
        DataError: It is no area, or says something about its place that is not understood here.
    """
    known = PLACE.get(shape.tag)
    if known is None:
        raise DataError(f"{place}: holds a {shape.tag}, which is no polygon; convert or remove it")
    if unknown := sorted(set(shape.attrib) - known - OF_NO_PLACE):
        raise DataError(
            f"{place}: a {shape.tag} has {unknown[0]}={shape.get(unknown[0])!r}, which may change its place; draw it "
            f"as a polygon, or remove that"
        )
    if shape.tag == "polygon":
        return as_polygon([pair.split(",") for pair in shape.get("points", "").split(";")], place)
    left, top, right, bottom = (shape.get(side, "") for side in ("xtl", "ytl", "xbr", "ybr"))
    corners = as_polygon([[left, top], [right, top], [right, bottom], [left, bottom]], place)
    try:
        angle = radians(float(shape.get("rotation", "0")))
    except ValueError:
        angle = float("nan")
    if not isfinite(angle):
        raise DataError(f"{place}: rotation is {shape.get('rotation')!r}, not a number of degrees; export it again")
    return turn(corners, angle)


def turn(corners: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Turn corners about their mean as CVAT turns a box: clockwise as one sees it, y pointing down.

    Args:
        corners: (N, 2) x and y in pixels.
        angle: In radians.
    """
    centre = corners.mean(axis=0)
    turned = (corners - centre) @ np.array(((cos(angle), sin(angle)), (-sin(angle), cos(angle)))) + centre
    return corners if angle == 0.0 else turned


def _number(element: ElementTree.Element, name: str, place: str, default: int | None = None) -> int:
    text = element.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError as error:
        raise DataError(f"{place}: {name} is {text!r}, not a whole number; export it again") from error
