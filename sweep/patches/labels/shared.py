"""Labels in place of masks: what all formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.names import LabelMeaning, LabelNames
from sweep.patches.labels.painting import MaskCanvas, bounds
from sweep.patches.labels.shapes import LabelledImage, Outline, Runs
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.errors import DataError

MAX_BYTES = 512 * MIB
"""Of a file with labels; COCO's own training set has 450 MB."""
MAX_COORDINATE = 1e6
"""In pixels."""
MAX_SIDE = 1_000_000
"""Of an image that labels are of, in pixels."""

Schema = TypeVar("Schema")


class Labels(Protocol):
    """The labelled outlines of some images."""

    meaning: LabelMeaning
    """What their names mean."""

    @property
    def splits(self) -> Mapping[str, str]:
        """Source name to the split that the labels put it into, of those that they do."""
        ...

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint a source's outlines, later ones over earlier ones.

        Args:
            source: An image that was among the sources.
            shape: The image's height and width.
            area: Which part of it.

        Returns:
            (H, W) uint8 class indices of the area; the first class where nothing is painted, 255 for what does not
            count.

        Raises:
            DataError: What is wrong with the labels of this image.
        """
        ...


class DrawnLabels:
    """Shapes in pixels of their images, as labelling programs write them.

    Args:
        path: The labels.
        images: Source name to its annotations.
        names: What a person says of their names.

    Raises:
        DataError: Labels that have no meaning.
    """

    def __init__(self, path: Path, images: Mapping[str, LabelledImage], names: LabelNames) -> None:
        self._images = images
        shapes = [shape for image in images.values() for shape in image.shapes]
        counts = Counter(shape.label for shape in shapes if not shape.ignored)
        self.meaning = names.meaning(counts, path, ignored=sum(shape.ignored for shape in shapes))
        self._ready: dict[str, _Ready] = {}

    @property
    def splits(self) -> Mapping[str, str]:
        """Source name to split, see ``Labels.splits``."""
        return {name: image.split for name, image in self._images.items() if image.split}

    def rasterise(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Paint a source's annotations, see ``Labels.rasterise``."""
        image = self._images[source.name]
        if image.size and image.size != shape:
            raise DataError(
                f"{image.place}: was labelled at {image.size[1]}x{image.size[0]}, but the image is "
                f"{shape[1]}x{shape[0]}; label the same image"
            )
        if source.name not in self._ready:
            self._ready[source.name] = _Ready.of(image, shape, self.meaning)
        ready = self._ready[source.name]
        canvas = MaskCanvas(shape, area, image.place)
        for number in ready.meeting(area):
            canvas.paint(ready.parts[number], ready.values[number])
        return canvas.mask


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """What is painted of an image, in its order.

    Attributes:
        parts: In pixels.
        values: Of each part.
        boxes: (N, 4) top, left, bottom and right of each part.
    """

    parts: Sequence[Outline | Runs]
    values: Sequence[int]
    boxes: NDArray[np.int64]

    @classmethod
    def of(cls, image: LabelledImage, shape: tuple[int, int], meaning: LabelMeaning) -> _Ready:
        parts: list[Outline | Runs] = []
        values: list[int] = []
        for one in image.shapes:
            value = meaning.ignored if one.ignored else meaning.values.get(one.label)
            if value is not None:
                parts += [_scaled(part, shape) if image.shares else part for part in one.parts]
                values += [value] * len(one.parts)
        boxes = [(box.top, box.left, box.rows.stop, box.columns.stop) for box in map(bounds, parts)]
        return cls(parts=parts, values=values, boxes=np.array(boxes, np.int64).reshape(-1, 4))

    def meeting(self, area: Area) -> list[int]:
        """Return which parts may be in an area."""
        top, left, bottom, right = self.boxes.T
        meets = (top < area.rows.stop) & (bottom > area.top) & (left < area.columns.stop) & (right > area.left)
        found: list[int] = np.flatnonzero(meets).tolist()
        return found


def _scaled(part: Outline | Runs, shape: tuple[int, int]) -> Outline | Runs:
    """Return an outline in pixels whose coordinates are shares of the image."""
    if isinstance(part, Runs):
        return part
    by = np.array((shape[1], shape[0]), np.float64)
    return replace(part, ring=part.ring * by, holes=[hole * by for hole in part.holes])


EMPTY = "empty, 0 bytes"
"""What is wrong with a file of labels that holds nothing; where an image has no objects, files say so, too."""


def read_labels(path: Path, schema: type[Schema], kind: str) -> Schema:
    """Read a JSON file with labels.

    Raises:
        DataError: Not readable, too large, or of another kind.
    """
    try:
        if not (data := read_bounded(path, MAX_BYTES)):
            raise DamagedError(EMPTY)
        return parse_json(data, schema, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); allow it, or export it again") from error
    except DamagedError as error:
        raise DataError(f"{path}: is no {kind} ({error}); export it again") from error


def as_points(points: Any, place: str) -> NDArray[np.float64]:
    """Return (N, 2) x and y in pixels.

    Raises:
        DataError: Something else, or none.
    """
    if (found := _points(points)) is None:
        raise DataError(f"{place}: points that are not two numbers each, up to {MAX_COORDINATE:,.0f}; fix or remove it")
    return found


def as_polygon(points: Any, place: str) -> NDArray[np.float64]:
    """Return (N, 2) x and y in pixels.

    Raises:
        DataError: Something else, or fewer than three.
    """
    found = _points(points)
    if found is None or len(found) < 3:
        raise DataError(
            f"{place}: a polygon without three points of two numbers, up to {MAX_COORDINATE:,.0f} pixels; fix it or "
            f"remove it"
        )
    return found


def _points(points: Any) -> NDArray[np.float64] | None:
    try:
        found = np.array(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    fits = found.ndim == 2 and found.shape[1] == 2 and bool((np.abs(found) <= MAX_COORDINATE).all())
    return found if fits else None


def size_of(place: str, width: object, height: object) -> tuple[int, int]:
    """Return the height and width that a file says of its image.

    Raises:
        DataError: It does not say them.
    """
    if (
        type(width) is not int
        or type(height) is not int
        or not 0 <= min(width, height) <= max(width, height) <= MAX_SIDE
    ):
        raise DataError(f"{place}: does not say the size of its image; export it again with width and height")
    return height, width


def json_files(path: Path) -> dict[str, Path]:
    """Return the JSON files of a folder, at any depth, by their names in it; names that begin with a dot are left out.

    macOS writes ``._NAME.json`` beside ``NAME.json``.
    """
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() == ".json" and one.is_file())
    return {one.relative_to(path).as_posix(): one for one in found if not one.name.startswith(".")}
