"""Footprints of a vector file over georeferenced images: one file for all of them, or one for each."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.areas import GroundAreas, GroundPlace, describe_mismatch, place_of
from sweep.patches.labels.names import LabelMeaning, LabelNames
from sweep.patches.labels.vector_files import CLASS_COLUMN, VectorChoices, VectorFile, open_vector, read_areas, written
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.data.tiles import same_name
from trainables.errors import DataError

logger = logging.getLogger(__name__)

AREA = "area"
"""The label of an area where no attribute names one."""
NO_VALUE = "(no value)"
"""The label of an area whose attribute is empty."""
DATA_WORDS = frozenset(("geojson", "json", "buildings", "building", "roads", "speed", "footprints", "labels", "geo"))
PICTURE_WORDS = frozenset(("3band", "8band", "rgb", "ps", "ms", "mul", "pan", "pansharpen"))
"""Parts of SpaceNet's names that say what a file is, and not of which place."""


class Footprints:
    """The areas of a vector file, reprojected to each image and painted where they hold a pixel's centre.

    Args:
        path: The vector file.
        sources: Name to georeferenced image; one that no area touches is all first class.
        names: What index an area's class paints.
        choices: Which layer and attribute.

    Raises:
        DataError: The file is damaged, has several layers with areas, no CRS, no area, or no attribute that names the
            classes; or no area is on an image.
    """

    def __init__(
        self, path: Path, sources: Mapping[str, SourceRaster], names: LabelNames, choices: VectorChoices
    ) -> None:
        file = open_vector(path, choices.layer)
        attribute = _class_attribute(file, names, choices)
        table = read_areas(file, [attribute] if attribute else [], choices.crs)
        if not len(table):
            raise DataError(f"{path}: holds no areas; export the footprints as polygons")
        labels = _labels(table, attribute)
        self.meaning = names.meaning(Counter(labels), path)
        self._areas = _painting(path, table, labels, self.meaning)
        faults: list[str] = []
        self._places: dict[str, GroundPlace] = {}
        missed: list[str] = []
        for name, source in sources.items():
            try:
                place = place_of(source.image, choices.crs)
                if not self._areas.is_on(place):
                    missed.append(name)
            except DataError as error:
                faults += error.faults
            else:
                self._places[name] = place
        if faults:
            raise DataError(faults)
        if len(missed) == len(self._places):
            described = describe_mismatch(self._areas, self._places[missed[0]], missed[0])
            raise DataError(f"{path}: none of its areas is on an image: {described}")
        if missed:
            logger.warning(
                "%s: no area of it is on %d of %d images, which become background everywhere: %s",
                path,
                len(missed),
                len(self._places),
                ", ".join(missed[:5]) + (" and more" if len(missed) > 5 else ""),
            )

    @property
    def splits(self) -> Mapping[str, str]:
        """Source name to split, see ``Labels.splits``: a vector file knows none."""
        return {}

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint the areas that touch a source, see ``Labels.rasterise``."""
        return self._areas.paint(self._places[source.name], area)


class FootprintsByImage:
    """A folder with a GeoJSON for each image, as SpaceNet publishes them; an empty one is all first class.

    Args:
        path: The folder.
        sources: Name to georeferenced image.
        names: What index an area's class paints.
        choices: Which attribute.

    Raises:
        DataError: Images without a file.
    """

    def __init__(
        self, path: Path, sources: Mapping[str, SourceRaster], names: LabelNames, choices: VectorChoices
    ) -> None:
        files = [one for one in sorted(path.rglob("*")) if one.suffix.lower() == ".geojson" and one.name[0] != "."]
        self._choices = choices
        self._files: dict[str, tuple[VectorFile, str]] = {}
        counts: Counter[str] = Counter()
        for name, file in _match(files, sources, path).items():
            vector = open_vector(file)
            bare = not vector.attributes and not len(vector.read(most=1))
            attribute = "" if bare else _class_attribute(vector, names, choices)
            counts.update(_labels(vector.read([attribute], geometry=False), attribute) if attribute else [])
            self._files[name] = (vector, attribute)
        self.meaning = names.meaning(counts or {AREA: len(self._files)}, path)
        self._opened: tuple[str, GroundPlace, GroundAreas | None] | None = None

    @property
    def splits(self) -> Mapping[str, str]:
        """Source name to split, see ``Labels.splits``: such files know none."""
        return {}

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint the areas of a source's file, see ``Labels.rasterise``."""
        if self._opened is None or self._opened[0] != source.name:
            self._opened = (source.name, *self._open(source))
        _, place, areas = self._opened
        return np.zeros((area.height, area.width), np.uint8) if areas is None else areas.paint(place, area)

    def _open(self, source: SourceRaster) -> tuple[GroundPlace, GroundAreas | None]:
        file, attribute = self._files[source.name]
        place = place_of(source.image, self._choices.crs)
        table = read_areas(file, [attribute] if attribute else [], self._choices.crs)
        if not len(table):
            return place, None
        areas = _painting(file.path, table, _labels(table, attribute), self.meaning)
        if not areas.is_on(place):
            described = describe_mismatch(areas, place, source.name)
            raise DataError(f"{file.path}: none of its areas is on {source.image}: {described}")
        return place, areas


def _class_attribute(file: VectorFile, names: LabelNames, choices: VectorChoices) -> str:
    """Return which attribute names the classes; empty where nobody asks for any."""
    asked = names.task or names.classes or choices.class_attribute or CLASS_COLUMN in file.attributes
    return file.class_attribute(choices.class_attribute) if asked else ""


def _labels(table: Any, attribute: str) -> list[str]:
    """Return the label of each feature."""
    if not attribute:
        return [AREA] * len(table)
    return [
        NO_VALUE if empty else written(one)
        for one, empty in zip(table[attribute], table[attribute].isna(), strict=True)
    ]


def _painting(path: Path, table: Any, labels: list[str], meaning: LabelMeaning) -> GroundAreas:
    """Return the areas whose labels paint something."""
    kept = [label in meaning.values for label in labels]
    values = [meaning.values[label] for label in labels if label in meaning.values]
    return GroundAreas(path, table[kept], np.array(values, np.uint8))


def _match(files: list[Path], sources: Mapping[str, SourceRaster], folder: Path) -> dict[str, Path]:
    """Find each source's file: of its name, or of its name but for the words that say what a file is.

    Raises:
        DataError: Sources without a file, or with two.
    """
    whole = {same_name(file.stem): file for file in files}
    places: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        places.setdefault(_place_words(file.stem), []).append(file)
    found, faults = {}, []
    for name, source in sources.items():
        stem = same_name(source.image.stem)
        alike = [whole[stem]] if stem in whole else places.get(_place_words(stem), [])
        if len(alike) == 1:
            found[name] = alike[0]
        elif alike:
            faults.append(f"{source.image}: has labels as {alike[0].name} and as {alike[1].name}; keep one")
        else:
            faults.append(f"{source.image}: has no GeoJSON in {folder}; add it (one without features counts)")
    if faults:
        raise DataError(faults)
    return found


def _place_words(stem: str) -> tuple[str, ...]:
    words = re.split(r"[_\-.]", same_name(stem).lower())
    return tuple(word for word in words if word not in DATA_WORDS | PICTURE_WORDS)
