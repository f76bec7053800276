"""Shapes of LabelMe and X-AnyLabeling: a JSON file per image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from sweep.patches.labels.painting import MaskCanvas
from sweep.patches.labels.shared import LabelNames, as_polygon, by_image, check_size, read_labels
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.errors import DataError


class _Shape(TypedDict):
    label: str | None
    points: NotRequired[list[Any] | None]
    shape_type: NotRequired[str | None]


class _LabelMeFile(TypedDict):
    shapes: list[_Shape]
    imageWidth: NotRequired[int | None]
    imageHeight: NotRequired[int | None]


class LabelMe:
    """A folder of LabelMe files, ``NAME.json`` for image ``NAME``: their polygons and rectangles in the file's order.

    A rectangle has two opposite corners, or all four, as X-AnyLabeling writes it; so has its ``rotation``.

    Args:
        path: The folder; names that begin with a dot, such as macOS's ``._NAME.json``, are left out.
        sources: Name to image.
        names: What index a label paints.

    Raises:
        DataError: Images without a file.
    """

    def __init__(self, path: Path, sources: Mapping[str, SourceRaster], names: LabelNames) -> None:
        self._names = names
        files = {
            one.name: one
            for one in sorted(path.iterdir())
            if one.suffix.lower() == ".json" and one.is_file() and not one.name.startswith(".")
        }
        self._files = {name: files[file] for name, file in by_image(files, sources, path).items()}

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint a source's shapes, see ``Labels.rasterise``."""
        path = self._files[source.name]
        values = read_labels(path, _LabelMeFile, "LabelMe file")
        check_size(str(path), values.get("imageWidth"), values.get("imageHeight"), shape)
        canvas = MaskCanvas(shape, str(path))
        for one in values["shapes"]:
            value = self._names.index(str(one["label"]), str(path))
            kind, points = one.get("shape_type") or "polygon", one.get("points") or []
            corners = len(points)
            if kind == "rectangle" and corners == 2:
                first, second = as_polygon([*points, points[0]], str(path))[:2]
                points = [first, (second[0], first[1]), second, (first[0], second[1])]
            elif kind != "polygon" and not (kind in ("rectangle", "rotation") and corners == 4):
                raise DataError(f"{path}: holds a {kind}, which is no polygon; convert or remove it")
            canvas.paint(as_polygon(points, str(path)), value)
        return canvas.mask[area.rows, area.columns]
