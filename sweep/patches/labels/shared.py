"""Polygons in place of masks: what all formats share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from trainables.data.tiles import same_name
from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.errors import DataError, nearest
from trainables.task import IGNORE, IGNORE_INDEX, Task

MAX_BYTES = 512 * MIB
"""Of a file with labels; COCO's own training set has 450 MB."""
MAX_COORDINATE = 1e6
"""In pixels."""

Schema = TypeVar("Schema")


class Labels(Protocol):
    """The labelled outlines of some images."""

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


@dataclass(frozen=True)
class LabelNames:
    """What index a label's name paints.

    Attributes:
        task: What the masks will mean; None paints every label as foreground.
    """

    task: Task | None

    def index(self, name: str, place: str) -> int:
        """Return a label's class index, 255 for ``ignore``.

        Raises:
            DataError: The task has no class of this name.
        """
        if self.task is None:
            return 1
        ignore = (IGNORE,) if self.task.ignores_pixels else ()
        if name in ignore:
            return IGNORE_INDEX
        if name not in self.task.classes:
            known = nearest(name, (*self.task.classes, *ignore))
            raise DataError(f"{place}: label {name!r} is no class of --task; add it there, {known}")
        return self.task.classes.index(name)

    def ignored(self, place: str) -> int:
        """Return what pixels are painted with that are to count neither as one class nor as another.

        Raises:
            DataError: The task knows no such pixels.
        """
        if self.task is None or not self.task.ignores_pixels:
            raise DataError(f'{place}: is marked to be ignored; give a --task with "ignores": true, or remove it')
        return IGNORE_INDEX


def read_labels(path: Path, schema: type[Schema], kind: str) -> Schema:
    """Read a JSON file with labels.

    Raises:
        DataError: Not readable, too large, or of another kind.
    """
    try:
        return parse_json(read_bounded(path, MAX_BYTES), schema, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); allow it, or export it again") from error
    except DamagedError as error:
        raise DataError(f"{path}: is no {kind} ({error}); export it again") from error


def as_polygon(points: Any, place: str) -> NDArray[np.float64]:
    """Return (N, 2) x and y in pixels.

    Raises:
        DataError: Something else, or fewer than three.
    """
    try:
        found = np.array(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros(0)
    if found.ndim != 2 or found.shape[1] != 2 or len(found) < 3 or not (np.abs(found) <= MAX_COORDINATE).all():
        raise DataError(
            f"{place}: a polygon without three points of two numbers, up to {MAX_COORDINATE:,.0f} pixels; fix it or "
            f"remove it"
        )
    return found


def check_size(place: str, width: Any, height: Any, shape: tuple[int, int]) -> None:
    """Refuse labels that were drawn on an image of another size.

    Raises:
        DataError: They differ.
    """
    if width is None or height is None:
        raise DataError(f"{place}: does not say the size of its image; export it again with width and height")
    if (height, width) != shape:
        raise DataError(
            f"{place}: was labelled at {width}x{height}, but the image is {shape[1]}x{shape[0]}; label the same image"
        )


def by_image(files: Iterable[str], sources: Mapping[str, SourceRaster], path: Path) -> dict[str, str]:
    """Find which labelled file each source is, by its name without folders, then without its ending.

    Args:
        files: Names as the labels have them; macOS writes an umlaut as two characters, others as one.
        sources: Name to image.
        path: The labels, which errors name.

    Returns:
        Source name to the labels' own file name.

    Raises:
        DataError: A file name twice, or images without labels.
    """
    whole: dict[str, str] = {}
    stems: dict[str, list[str]] = {}
    for file in files:
        name = same_name(file.replace("\\", "/").rpartition("/")[2])
        if name in whole:
            raise DataError(f"{path}: image {name!r} is there twice; keep one")
        whole[name] = file
        stems.setdefault(Path(name).stem, []).append(file)
    found = {}
    faults = []
    for name, source in sources.items():
        alike = stems.get(same_name(source.image.stem), [])
        if labelled := whole.get(same_name(source.image.name)):
            found[name] = labelled
        elif len(alike) == 1:
            found[name] = alike[0]
        elif alike:
            faults.append(f"{source.image}: has labels in {path} as {alike[0]!r} and as {alike[1]!r}; keep one")
        else:
            faults.append(f"{source.image}: has no labels in {path}; label it (an empty list counts), or move it away")
    if faults:
        raise DataError(faults)
    return found
