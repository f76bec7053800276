"""Regions of Label Studio: its JSON, whole or "min"."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from sweep.patches.labels.brushes import decode_brush
from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline, Runs, box_corners, ellipse, turn
from sweep.patches.labels.shared import as_points, as_polygon, json_files, read_labels, size_of
from sweep.patches.layouts.listing import ENDINGS
from sweep.patches.layouts.sources import SourceRaster
from trainables.data.tiles import same_name
from trainables.errors import DataError, of_each

logger = logging.getLogger(__name__)

UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts in front of the names of uploaded files."""
OF_IMAGES = ("choices", "textarea", "rating", "number", "taxonomy", "datetime", "pairwise", "relation")
"""Answers that are no regions."""
ENDING = "labels"
"""Of the key of a region's classes: polygonlabels, brushlabels, or labels where shapes and names are apart."""
ELLIPSE, BOX = (("x", "y"), ("radiusX", "radiusY")), (("x", "y"), ("width", "height"))
Values = Mapping[str, Any]


def read_label_studio(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read the regions of Label Studio's tasks, in their order: polygons, boxes, ellipses and brush masks.

    An image is known by the name of its file, with or without the eight digits that uploading put in front. Of several
    annotations of a task the one marked as ground truth counts, else the newest.

    Args:
        path: The export, or a folder that holds it.
        sources: Name to image.

    Raises:
        DataError: Damaged, not of these images, or regions that are no area.
    """
    file = _only(path) if path.is_dir() else path
    tasks = read_labels(file, list[dict[str, Any]], "Label Studio file")
    known = {same_name(part) for one in sources.values() for part in (one.image.name, one.image.stem)}
    images: dict[str, tuple[Values, Sequence[Values]]] = {}
    for task in tasks:
        results = _results(task, file)
        name = _image_name(task, known)
        if name is None or results is None:
            continue
        if name in images:
            raise DataError(f"{file}: image {name!r} is in two tasks; keep one")
        images[name] = (task, results)
    found = by_image(images, sources, file)
    return of_each({name: images[inside] for name, inside in found.items()}, partial(_image, path=file))


def refuse_brush_pictures(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Refuse an export of brush masks as PNG: their names hold the numbers of tasks, and nothing says of which images.

    Raises:
        DataError: Always, with the export that says it.
    """
    raise DataError(
        f"{path}: holds Label Studio's brush masks as PNG, which do not say of which image they are; export the "
        f"project as JSON, which has the same masks with their images, and give that: --labels project.json"
    )


def _only(path: Path) -> Path:
    files = list(json_files(path).values())
    if len(files) != 1:
        raise DataError(f"{path}: holds {len(files)} JSON files; name the export itself by --labels")
    return files[0]


def _image_name(task: Values, known: set[str]) -> str | None:
    """Return the name of a task's image: of the texts that may be it, the one that an image of ours has."""
    data = task.get("data")
    values = [task.get("file_upload"), *(data if isinstance(data, dict) else task).values()]
    names = [name for value in values if isinstance(value, str) and (name := _file_name(value))]
    for name in names:
        folder, _, last = name.rpartition("/")
        for form in (last, UPLOADED.sub("", last, count=1)):
            if same_name(form) in known or same_name(PurePosixPath(form).stem) in known:
                return f"{folder}/{form}" if folder else form
    return next((name for name in names if PurePosixPath(name).suffix.lower() in ENDINGS), None)


def _file_name(address: str) -> str:
    """Return the path that an address ends in; of local files it is the query ``d``."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    local = parse_qs(parts.query).get("d")
    return local[0] if local else unquote(parts.path)


def _results(task: Values, path: Path) -> Sequence[Values] | None:
    """Return a task's regions; None for a task that nobody has annotated."""
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None:
        return list(_of_min(task))
    valid = [one for one in annotations if isinstance(one, dict)] if isinstance(annotations, list) else []
    done = [one for one in valid if not one.get("was_cancelled")]
    if not done:
        return None
    best = max(done, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at") or "")))
    if len(done) > 1:
        how = "the ground truth" if best.get("ground_truth") else "the newest"
        logger.warning("%s: task %s has %d annotations; %s is taken", path, task.get("id"), len(done), how)
    results = best.get("result")
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise DataError(f"{path}: task {task.get('id')} has no list of results; export it again")
    return results


def _of_min(task: Values) -> Iterator[Values]:
    """Yield the regions of a task of the "min" form, which holds lists of them by the names of tags."""
    for values in task.values():
        for one in values if isinstance(values, list) else ():
            if isinstance(one, dict) and (kind := next((key for key in one if key.endswith(ENDING)), None)):
                yield {**one, "type": kind, "value": one}


def _image(found: tuple[Values, Sequence[Values]], path: Path) -> LabelledImage:
    task, results = found
    place = f"{path}, task {task.get('id')}"
    named = {str(one.get("id")) for one in results if str(one.get("type", "")).endswith(ENDING)}
    shapes: list[LabelledShape] = []
    sizes: set[tuple[int, int]] = set()
    for one in results:
        kind = str(one.get("type"))
        if kind in OF_IMAGES or (not kind.endswith(ENDING) and str(one.get("id")) in named):
            continue
        here = f"{place}, region {one.get('id')}"
        size = size_of(here, one.get("original_width"), one.get("original_height"))
        if one.get("image_rotation"):
            raise DataError(f"{here}: was drawn on a turned image; turn it back in Label Studio and export again")
        value = one.get("value")
        if not isinstance(value, dict):
            raise DataError(f"{here}: has no value; export it again")
        shapes.append(
            LabelledShape(label=_label(value, kind, here), parts=[_part(value, kind, size, here)], place=here)
        )
        sizes.add(size)
    if len(sizes) > 1:
        raise DataError(f"{place}: has regions of images of {len(sizes)} sizes; label it again")
    return LabelledImage(place=place, shapes=shapes, size=sizes.pop() if sizes else None)


def _label(value: Values, kind: str, place: str) -> str:
    names = value.get(kind) if kind.endswith(ENDING) else None
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        count = len(names) if isinstance(names, list) else 0
        raise DataError(f"{place}: a {kind[:40]} has {count} labels; give it one")
    return names[0]


def _part(value: Values, kind: str, size: tuple[int, int], place: str) -> Outline | Runs:
    """Return what a region covers; its numbers are percent of the image's width and height."""
    percent = np.array((size[1], size[0])) / 100.0
    if "rle" in value:
        return decode_brush(value["rle"], size, place)
    if kind.startswith(("keypoint", "vector", "video")) or value.get("closed") is False:
        raise DataError(f"{place}: is a {kind[:40]}, which covers no area; draw it as a polygon, or remove it")
    if "points" in value:
        return Outline(ring=as_polygon(value["points"], place) * percent)
    degrees = float(as_points([[value.get("rotation") or 0.0, 0.0]], place)[0, 0])
    if "radiusX" in value:
        centre, radii = as_points([[value.get(name) for name in pair] for pair in ELLIPSE], place) * percent
        return Outline(ring=ellipse((float(centre[0]), float(centre[1])), (float(radii[0]), float(radii[1])), degrees))
    if "width" in value:
        corner, sides = as_points([[value.get(name) for name in pair] for pair in BOX], place) * percent
        ring = turn(box_corners(*corner, *(corner + sides)), degrees, (float(corner[0]), float(corner[1])))
        return Outline(ring=ring)
    raise DataError(f"{place}: is a {kind[:40]}, which is not read; draw it as a polygon or by brush, or remove it")
