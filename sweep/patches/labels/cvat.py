"""Shapes of CVAT's XML ("CVAT for images 1.1")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline, Runs, box_corners, ellipse, turn
from sweep.patches.labels.shared import MAX_BYTES, MAX_COORDINATE, as_polygon
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from sweep.patches.splits.chosen import split_called
from trainables.documents import DamagedError, read_bounded
from trainables.errors import DataError, of_each

OF_NO_PLACE = frozenset(("label", "source", "occluded", "z_order", "group_id", "score"))
"""Attributes of a shape that do not change where it is; ``z_order`` is the order of painting."""
PLACE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "polygon": frozenset(("points",)),
        "box": frozenset(("xtl", "ytl", "xbr", "ybr", "rotation")),
        "ellipse": frozenset(("cx", "cy", "rx", "ry", "rotation")),
        "mask": frozenset(("rle", "left", "top", "width", "height")),
    }
)
"""Shapes that are areas, and the attributes that say where. Another attribute might say something else."""


def read_cvat(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read the ``image`` elements of a CVAT file: their shapes in the order of ``z_order``, then of the file.

    A project's images may have one name in several subsets; a subset called as a split is is one.

    Raises:
        DataError: Damaged, of another kind, with document types or shapes that are no area, or not of these images.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can blow up; CVAT writes none
            raise DataError(f"{path}: defines XML entities, as CVAT never does; export it again")
        root = ElementTree.fromstring(text)
    except (OSError, ValueError, DamagedError, ElementTree.ParseError) as error:
        raise DataError(f"{path}: not readable as XML ({error}); export it again as CVAT for images 1.1") from error
    listed = root.findall("image")
    if root.tag != "annotations" or not listed:
        raise DataError(f"{path}: holds no <annotations> with <image>; export it as CVAT for images 1.1")
    if others := sorted({str(one.tag) for one in root} - {"version", "meta", "image"}):
        raise DataError(f"{path}: holds <{others[0]}> beside its images; export it as CVAT for images 1.1")
    if any((flipped.text or "").strip().lower() == "true" for flipped in root.iterfind("meta//flipped")):
        raise DataError(f"{path}: its images were flipped for labelling, which they are not here; flip them first")
    images: dict[str, ElementTree.Element] = {}
    for image in listed:
        inside = "/".join(part for part in (image.get("subset"), image.get("name", "")) if part)
        if images.setdefault(inside, image) is not image:
            raise DataError(f"{path}: image {inside!r} is there twice; keep one")
    found = {name: images[file] for name, file in by_image(images, sources, path).items()}
    return of_each(found, lambda image: _image(image, path))


def _image(image: ElementTree.Element, path: Path) -> LabelledImage:
    place = f"{path}, image {image.get('name')}"
    shapes = sorted(
        (one for one in image if one.tag != "tag"),
        key=lambda shape: _whole(shape, "z_order", place, 0),
    )
    return LabelledImage(
        place=place,
        size=(_whole(image, "height", place), _whole(image, "width", place)),
        shapes=[LabelledShape(label=one.get("label", ""), parts=[_part(one, place)], place=place) for one in shapes],
        split=split_called(image.get("subset", "")),
    )


def _part(shape: ElementTree.Element, place: str) -> Outline | Runs:
    """Return the outline or the pixels of a shape.

    Raises:
        DataError: It is no area, or says something about its place that is not understood here.
    """
    known = PLACE.get(shape.tag)
    if known is None:
        raise DataError(
            f"{place}: holds a {shape.tag}, which covers no area; draw it as a polygon or a mask, or remove it"
        )
    if unknown := sorted(set(shape.attrib) - known - OF_NO_PLACE):
        raise DataError(
            f"{place}: a {shape.tag} has {unknown[0]}={shape.get(unknown[0])!r}, which may change its place; draw it "
            f"as a polygon, or remove that"
        )
    if shape.tag == "mask":
        return _mask(shape, place)
    if shape.tag == "polygon":
        ring = as_polygon([pair.split(",") for pair in shape.get("points", "").split(";")], place)
    elif shape.tag == "box":
        left, top, right, bottom = (_number(shape, side, place) for side in ("xtl", "ytl", "xbr", "ybr"))
        ring = turn(box_corners(left, top, right, bottom), _degrees(shape, place))
    else:
        x, y, across, down = (_number(shape, name, place) for name in ("cx", "cy", "rx", "ry"))
        ring = ellipse((x, y), (across, down), _degrees(shape, place))
    return Outline(ring=ring)


def _mask(shape: ElementTree.Element, place: str) -> Runs:
    """Return the pixels that a brush or SAM painted: run lengths along the rows of their box."""
    box = Area(**{side: _whole(shape, side, place) for side in ("top", "left", "height", "width")})
    lengths: Sequence[int] = ()
    try:
        lengths = [int(text) for text in shape.get("rle", "").split(",")]
    except ValueError as error:
        raise DataError(f"{place}: a mask's rle holds {str(error)[:60]}; export it again") from error
    runs = Runs.of_lengths(lengths, box, by_rows=True) if min(box.height, box.width) >= 0 else None
    if runs is None or max(abs(box.top), abs(box.left), box.height, box.width) > MAX_COORDINATE:
        raise DataError(f"{place}: a mask's run lengths do not fill its {box.width}x{box.height} box; export it again")
    return runs


def _degrees(shape: ElementTree.Element, place: str) -> float:
    text = shape.get("rotation", "0")
    try:
        angle = float(text)
    except ValueError:
        angle = float("nan")
    if not isfinite(angle):
        raise DataError(f"{place}: rotation is {text!r}, not a number of degrees; export it again")
    return angle


def _number(shape: ElementTree.Element, name: str, place: str) -> float:
    text = shape.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= MAX_COORDINATE:
        raise DataError(
            f"{place}: a {shape.tag}'s {name} is {text[:40]!r}, not a number up to {MAX_COORDINATE:,.0f}; fix it or "
            f"remove it"
        )
    return value


def _whole(element: ElementTree.Element, name: str, place: str, default: int | None = None) -> int:
    text = element.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError as error:
        raise DataError(f"{place}: {name} is {text!r}, not a whole number; export it again") from error
