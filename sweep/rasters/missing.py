"""Where a virtual raster shows files that are not there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sweep.rasters.orientation import Spans


def missing_areas(dataset: Any, missing: Sequence[str]) -> tuple[Spans, ...]:
    """Tell by a virtual raster's own list of sources where it shows nothing.

    GDAL (3.10) is not asked: after some virtual raster that shows another one was read in the same process, it reads a
    missing file as black without an error.

    Args:
        dataset: An open rasterio dataset.
        missing: Files that it shows and that are not there.

    Returns:
        Rows and columns of the pixels that it shows of them; all of it where it does not say which these are.
    """
    if not missing:
        return ()
    whole: Spans = ((0, dataset.height), (0, dataset.width))
    root = ElementTree.fromstring(dataset.tags(ns="xml:VRT")["xml:VRT"])  # as GDAL writes what it has read
    found: dict[str, dict[Spans, None]] = {_absolute(Path(file)): {} for file in missing}
    for file, place in _sources(root, Path(dataset.name).parent):
        if file in found:
            found[file][_area(place) or whole] = None
    if not all(found.values()):
        return (whole,)
    return tuple(dict.fromkeys(area for areas in found.values() for area in areas))


def _sources(root: ElementTree.Element, folder: Path) -> Iterator[tuple[str, ElementTree.Element | None]]:
    for source in root.iter():
        name = source.find("SourceFilename")
        if name is not None and name.text:
            relative = name.get("relativeToVRT") == "1"
            yield _absolute(folder / name.text if relative else Path(name.text)), source.find("DstRect")


def _absolute(file: Path) -> str:
    return str(file.resolve())


def _area(place: ElementTree.Element | None) -> Spans | None:
    """Return every pixel that a rectangle touches."""
    if place is None:
        return None
    left, top, width, height = (float(place.get(name, "nan")) for name in ("xOff", "yOff", "xSize", "ySize"))
    if not all(map(math.isfinite, (left, top, width, height))):
        return None
    return (math.floor(top), math.ceil(top + height)), (math.floor(left), math.ceil(left + width))
