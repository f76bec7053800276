"""Buildings of xView2 (xBD): a JSON file for each image, with polygons in its pixels and how damaged each is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline
from sweep.patches.labels.shared import as_polygon, json_files, read_labels, size_of
from sweep.patches.layouts.sources import SourceRaster
from trainables.errors import DataError

BEFORE = "_pre_disaster"
"""In the names of images before the disaster; where no others are asked for, files of after it are passed over."""


class _Properties(TypedDict):
    feature_type: str
    subtype: NotRequired[str | None]


class _Feature(TypedDict):
    properties: _Properties
    wkt: str


class _Features(TypedDict):
    xy: list[_Feature]


class _Metadata(TypedDict):
    width: NotRequired[int | None]
    height: NotRequired[int | None]


class _XView2File(TypedDict):
    features: _Features
    metadata: _Metadata


def read_xview2(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read a folder of such files, ``NAME.json`` for image ``NAME``, at any depth.

    A polygon's label is its ``subtype``, the damage, which images taken after the disaster have (``no-damage``,
    ``minor-damage``, ``major-damage``, ``destroyed``, ``un-classified``), else its ``feature_type``, ``building``.

    Args:
        path: The folder; names that begin with a dot are left out.
        sources: Name to image.

    Raises:
        DataError: Images without a file, damaged files, or shapes that are no area.
    """
    files = json_files(path)
    if all(BEFORE in source.image.stem for source in sources.values()):
        files = {name: file for name, file in files.items() if BEFORE in name}
    return {name: _image(files[file]) for name, file in by_image(files, sources, path).items()}


def _image(path: Path) -> LabelledImage:
    found = read_labels(path, _XView2File, "xView2 file")
    shapes = []
    for one in found["features"]["xy"]:
        label = one["properties"].get("subtype") or one["properties"]["feature_type"]
        place = f"{path}, a polygon {label[:40]!r}"
        shapes.append(LabelledShape(label=label, parts=_outlines(one["wkt"], place), place=str(path)))
    size = size_of(str(path), found["metadata"].get("width"), found["metadata"].get("height"))
    return LabelledImage(place=str(path), shapes=shapes, size=size)


def _outlines(text: str, place: str) -> list[Outline]:
    import shapely
    from shapely.errors import ShapelyError

    try:
        shape = shapely.force_2d(shapely.from_wkt(text))
    except ShapelyError as error:
        raise DataError(f"{place}: is no WKT ({error}); replace the file") from error
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise DataError(f"{place}: is a {shape.geom_type}, which covers no area; remove it")

    def points(ring: Any) -> Any:
        return as_polygon(shapely.get_coordinates(ring)[:-1], place)

    return [
        Outline(ring=points(part.exterior), holes=[points(hole) for hole in part.interiors])
        for part in shapely.get_parts(shape)
        if not part.is_empty
    ]
