"""Polygons in place of masks: which kind a file holds, and what all kinds share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sweep.dataset.sources import Source
from trainables.errors import DataError, nearest
from trainables.task import IGNORE, IGNORE_INDEX, Task

KINDS = "CVAT XML, COCO JSON, a folder of LabelMe JSON, GeoJSON or GeoPackage"

MAX_COORDINATE = 1e6
"""In pixels; the decoder takes memory for every pixel of an outline."""


class Labels(Protocol):
    """The labelled outlines of some images."""

    def rasterise(self, source: Source, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Paint a source's outlines, later ones over earlier ones.

        Args:
            source: An image that was among the sources.
            shape: The image's height and width.

        Returns:
            (H, W) uint8 class indices; the first class where nothing is painted, 255 for what does not count.

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

        Args:
            name: As the file says it.
            place: What errors name.

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


def open_labels(path: Path, sources: Mapping[str, Source], task: Task | None) -> Labels:
    """Open a file or folder of polygons.

    Args:
        path: CVAT XML, COCO JSON, a folder of LabelMe JSON, GeoJSON or GeoPackage.
        sources: Name to image; every one must have labels, if only an empty list, but for vector files of the ground.
        task: Whose classes label names are; None paints every label as foreground. What nothing covers is the first
            class.

    Raises:
        DataError: Not one of these kinds, damaged, or not of these images.
    """
    names = LabelNames(task)
    if task and task.remap:
        raise DataError("--task: remap is about values of masks, and --labels has names; leave remap out")
    if path.is_dir():
        from sweep.dataset.labels_json import LabelMe

        _require_coco(path)
        return LabelMe(path, sources, names)
    if not path.is_file():
        raise DataError(f"--labels {path}: no such file or folder; give {KINDS}")
    ending = path.suffix.lower()
    if ending == ".xml":
        _require_coco(path)
        from sweep.dataset.labels_cvat import Cvat

        return Cvat(path, sources, names)
    if ending == ".json" and not _is_geojson(path):
        from sweep.dataset.labels_json import Coco

        _require_coco(path)
        return Coco(path, sources, names)
    if ending in (".json", ".geojson", ".gpkg"):
        from sweep.dataset.labels_geo import Footprints

        return Footprints(path, sources, names)
    raise DataError(f"--labels {path}: is of no known kind; give {KINDS}")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DataError: Not readable, or something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); export it again") from error
    if not isinstance(values, dict):
        raise DataError(f"{path}: holds no JSON object; export it again")
    return values


def as_polygon(points: Any, place: str) -> NDArray[np.float64]:
    """Return (N, 2) x and y in pixels.

    Args:
        points: Pairs of numbers.
        place: What errors name.

    Raises:
        DataError: Something else, or fewer than three.
    """
    try:
        found = np.array(points, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 2 or found.shape[1] != 2 or len(found) < 3 or not (np.abs(found) <= MAX_COORDINATE).all():
        raise DataError(f"{place}: a polygon without three points of two numbers in pixels; mend or remove it")
    return found


def paint(mask: NDArray[np.uint8], polygon: NDArray[np.float64], value: int) -> None:
    """Paint a polygon into a mask by pycocotools: the pixels whose centre it holds.

    Coordinates follow CVAT, COCO and LabelMe: the upper left pixel reaches from 0 to 1, its centre is at 0.5. OpenCV
    and Pillow would also paint every pixel that the outline touches.

    Args:
        mask: (H, W) uint8, changed in place.
        polygon: (N, 2) x and y in pixels; it may leave the mask.
        value: What to paint.
    """
    from pycocotools import mask as coco

    height, width = mask.shape
    left, top = np.clip(np.floor(polygon.min(0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(polygon.max(0)), 0, (width, height)).astype(int)
    if left < right and top < bottom:
        ring = (polygon - (left, top)).ravel().tolist()
        runs = coco.frPyObjects([ring], int(bottom - top), int(right - left))
        mask[top:bottom, left:right][coco.decode(runs)[..., 0].astype(bool)] = value


def check_size(place: str, width: Any, height: Any, shape: tuple[int, int]) -> None:
    """Refuse labels that were drawn on an image of another size.

    Args:
        place: What errors name.
        width: As the labels say it.
        height: As the labels say it.
        shape: The image's height and width.

    Raises:
        DataError: They differ.
    """
    if (height, width) != shape:
        raise DataError(
            f"{place}: was labelled at {width}x{height}, but the image is {shape[1]}x{shape[0]}; label the same image"
        )


def by_image(files: Iterable[str], sources: Mapping[str, Source], path: Path) -> dict[str, str]:
    """Find which labelled file each source is, by its name without folders, then without its ending.

    Args:
        files: Names as the labels have them.
        sources: Name to image.
        path: The labels, which errors name.

    Returns:
        Source name to the labels' own file name.

    Raises:
        DataError: A file name twice, or images without labels.
    """
    whole: dict[str, str] = {}
    stems: dict[str, str] = {}
    for file in files:
        name = file.replace("\\", "/").rpartition("/")[2]
        if name in whole:
            raise DataError(f"{path}: image {name!r} is there twice; keep one")
        whole[name] = file
        stems[Path(name).stem] = file
    found = {}
    faults = []
    for name, source in sources.items():
        if labelled := whole.get(source.image.name) or stems.get(source.image.stem):
            found[name] = labelled
        else:
            faults.append(f"{source.image}: has no labels in {path}; label it (an empty list counts), or move it away")
    if faults:
        raise DataError(faults)
    return found


def _require_coco(path: Path) -> None:
    if find_spec("pycocotools") is None:
        raise DataError(f"--labels {path}: needs pycocotools; install it with: pip install 'tilesweep[labels]'")


def _is_geojson(path: Path) -> bool:
    return read_json(path).get("type") in ("FeatureCollection", "Feature")
