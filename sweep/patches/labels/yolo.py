"""Outlines of Ultralytics YOLO: a text file per image, a line per object, in shares of the image."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sweep.patches.labels.matching import by_image
from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline
from sweep.patches.labels.shared import MAX_BYTES
from sweep.patches.layouts.sources import SourceRaster
from trainables.documents import MIB, DamagedError, read_bounded
from trainables.errors import DataError, of_each

logger = logging.getLogger(__name__)

LISTS = ("classes.txt", "train.txt", "val.txt", "test.txt", "autosplit_train.txt", "autosplit_val.txt")
"""Text files that hold no objects; so does every one whose name begins with README, as Roboflow writes it."""
SHEETS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
"""What names the classes; else classes.txt, as Label Studio writes it."""
FARTHEST = 2.0
"""Shares that a point may be at; a little over 1 comes of rounding and of shapes over the border."""


def read_yolo(path: Path, sources: Mapping[str, SourceRaster]) -> dict[str, LabelledImage]:
    """Read the labels of a data set of Ultralytics: ``labels/train/NAME.txt`` for ``images/train/NAME.jpg``.

    A line is a class's number, then x and y of each corner. An image without a file is all background, as Ultralytics
    means it. A line of five numbers is a box of a detector, which says nothing of pixels, and is refused.

    Args:
        path: ``data.yaml``, its folder, or a folder with the text files.
        sources: Name to image.

    Raises:
        DataError: No image has a file, or what is wrong with any of the files.
    """
    root = path if path.is_dir() else path.parent
    found = {name: twin for name, source in sources.items() if (twin := label_file(source.image)).is_file()}
    if not found:
        files = _text_files(root)
        alike = by_image(files, sources, path, complete=False)
        found = {name: files[file] for name, file in alike.items()}
    missing = sorted(sources.keys() - found.keys())
    if not found:
        image = sources[missing[0]].image
        raise DataError(f"{path}: none of its text files is of {image}; it is labelled by {label_file(image)}")
    if missing:
        logger.warning(
            "%s: %d of %d images have no text file and are background everywhere: %s",
            *(path, len(missing), len(sources), ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")),
        )
    read = partial(_image, names=class_names(path))
    empty = {name: LabelledImage(place=str(sources[name].image), shapes=(), size=None) for name in missing}
    return of_each(found, read) | empty


def label_file(image: Path) -> Path:
    """Return where Ultralytics looks for an image's labels: its last folder ``images`` is called ``labels``."""
    parts = list(image.parts)
    for index in reversed(range(len(parts) - 1)):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _text_files(root: Path) -> dict[str, Path]:
    found = sorted(one for one in root.rglob("*.txt") if one.is_file())
    kept = [one for one in found if one.name not in LISTS and not one.name.upper().startswith(("README", "."))]
    return {one.relative_to(root).as_posix(): one for one in kept}


def class_names(path: Path) -> Mapping[int, str] | None:
    """Return the names of the classes by their numbers; None where no file names them.

    Args:
        path: ``data.yaml``, or a folder, in or above which it or ``classes.txt`` is.

    Raises:
        DataError: A file that should and does not.
    """
    if path.is_file():
        return _from_sheet(path)
    for folder in (path, path.parent, path.parent.parent):
        sheets = sorted(one for one in folder.glob("*.y*ml") if one.is_file())
        if named := [one for one in sheets if one.name in SHEETS] or sheets[:1]:
            return _from_sheet(named[0])
        if (listed := folder / "classes.txt").is_file():
            return dict(enumerate(line.strip() for line in _text(listed).splitlines() if line.strip()))
    return None


def _from_sheet(path: Path) -> Mapping[int, str]:
    import yaml

    try:
        values: Any = yaml.safe_load(_text(path, MIB))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{path}: not readable as YAML ({' '.join(str(error).split())[:100]}); correct it") from error
    names = values.get("names") if isinstance(values, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(type(one) is int for one in names):
        raise DataError(f"{path}: has no names, a list of the classes or one by number; add it")
    return {number: str(name) for number, name in names.items()}


def _image(path: Path, names: Mapping[int, str] | None) -> LabelledImage:
    shapes = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if words := line.split():
            shapes.append(_shape(words, f"{path}, line {number}", names))
    return LabelledImage(place=str(path), shapes=shapes, size=None, shares=True)


def _shape(words: Sequence[str], place: str, names: Mapping[int, str] | None) -> LabelledShape:
    if len(words) == 5:
        raise DataError(f"{place}: is a box, not an outline; export polygons (YOLO segmentation), or remove the line")
    try:
        number, ring = int(words[0]), np.array([float(word) for word in words[1:]], np.float64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{place}: is no class and coordinates ({' '.join(words)[:40]!r}); export it again") from error
    if len(ring) < 6 or len(ring) % 2:
        raise DataError(f"{place}: has {len(ring)} coordinates, not two for each corner; export it again")
    if not (np.abs(ring) <= FARTHEST).all():
        raise DataError(f"{place}: has coordinates that are no shares of the image, from 0 to 1; divide by its size")
    if names is not None and number not in names:
        raise DataError(f"{place}: is of class {number}, which data.yaml or classes.txt does not name; add it there")
    label = str(number) if names is None else names[number]
    return LabelledShape(label=label, parts=[Outline(ring=ring.reshape(-1, 2))], place=place)


def _text(path: Path, limit: int = MAX_BYTES) -> str:
    try:
        return read_bounded(path, limit).decode("utf-8-sig")
    except (OSError, DamagedError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as text ({error}); export it again") from error
