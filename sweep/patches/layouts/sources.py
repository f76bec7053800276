"""Finds source rasters of any size and their masks in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from trainables.data.tiles import same_name
from trainables.errors import DataError
from trainables.task import Task

IMAGE_FOLDERS, MASK_FOLDERS = ("imgs", "images"), ("msks", "masks")
ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
LISTED = 6
"""Names that an error lists."""


@dataclass(frozen=True, kw_only=True)
class SourceRaster:
    """An image raster and what its truth is read from: its mask raster, or a file of polygons.

    Attributes:
        name: What its tile is called.
        image: The image.
        mask: Its mask, or what holds its polygons.
        folder: Which of several folders with images and masks it is from; empty where there is one.
        split: The split that its publisher put it into; empty where none is published.
    """

    name: str
    image: Path
    mask: Path
    folder: str = ""
    split: str = ""


ReadTruth = Callable[[SourceRaster, tuple[int, int], Area], NDArray[np.uint8]]
"""Gives an area's (H, W) uint8 class indices, 255 for pixels that do not count; takes the source, and the
height and width of its image."""


@dataclass(frozen=True, kw_only=True)
class SourceSet:
    """The images of a folder, with their truth.

    Attributes:
        layout: What the folder was taken for, in words.
        sources: Name to source.
        truth: Reads a part of a source's truth.
        task: What the values mean that ``truth`` gives.
    """

    layout: str
    sources: Mapping[str, SourceRaster]
    truth: ReadTruth
    task: Task


def find_images(folder: Path, labels: Path) -> dict[str, SourceRaster]:
    """Find the image rasters of a folder whose truth is in polygons.

    Args:
        folder: Holds ``imgs/`` (or ``images/``), or the images themselves.
        labels: The polygons' file or folder, which errors name.

    Raises:
        DataError: No such folder, no image in it, or two of one name.
    """
    if not folder.is_dir():
        raise DataError(f"--src {folder}: no such folder; it holds the images")
    place = _child(folder, IMAGE_FOLDERS) or folder
    faults: list[str] = []
    found = {name: SourceRaster(name=name, image=path, mask=labels) for name, path in _rasters(place, faults).items()}
    if faults:
        raise DataError(faults)
    if not found:
        raise DataError(
            f"--src {folder}: holds no image ({', '.join(ENDINGS)}), but {_content(place)}; put the labelled images "
            f"there"
        )
    return found


def find_sources(folder: Path) -> dict[str, SourceRaster]:
    """Find the rasters of a folder, or of the scene folders in it.

    Args:
        folder: Holds ``imgs/`` (or ``images/``) and ``msks/`` (or ``masks/``), or folders that do; the tiles of a scene
            folder are called ``SCENE_NAME``.

    Returns:
        Name to source.

    Raises:
        DataError: Images without mask, masks without image, two files of one name, or nothing at all.
    """
    if not folder.is_dir():
        raise DataError(f"--src {folder}: no such folder; it holds imgs/ and msks/")
    scenes = {"": folder}
    if not _child(folder, IMAGE_FOLDERS):
        scenes = {same_name(path.name): path for path in sorted(folder.iterdir()) if path.is_dir()}
    found: dict[str, SourceRaster] = {}
    faults: list[str] = []
    for scene, place in scenes.items():
        images, masks = _child(place, IMAGE_FOLDERS), _child(place, MASK_FOLDERS)
        if not images or not masks:
            continue
        image_files, mask_files = _rasters(images, faults), _rasters(masks, faults)
        faults += _lonely(image_files, mask_files, masks, "mask") + _lonely(mask_files, image_files, images, "image")
        for name in image_files.keys() & mask_files.keys():
            tile = f"{scene}_{name}" if scene else name
            source = SourceRaster(name=tile, image=image_files[name], mask=mask_files[name], folder=scene)
            if (twin := found.setdefault(source.name, source)) is not source:
                faults.append(f"{source.image}: makes the same name {source.name!r} as {twin.image}; rename one")
    if faults:
        raise DataError(sorted(faults))
    if not found:
        raise DataError(
            f"--src {folder}: holds no imgs/NAME.tif with msks/NAME.tif, but {_content(folder)}; call the folders of "
            f"images images/ and those of masks masks/, and give both files of a pair one name"
        )
    return found


def _child(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _rasters(folder: Path, faults: list[str]) -> Mapping[str, Path]:
    """List a folder's rasters by name; two of one name, and names that no program can be given, are faults."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in ENDINGS or path.name.startswith("."):  # macOS writes ._NAME beside NAME
            continue
        if not path.name.isprintable():
            faults.append(f"{str(path)!r}: its name has unprintable letters; rename it")
        elif (twin := found.setdefault(same_name(path.stem), path)) != path:
            faults.append(f"{path}: same name as {twin.name}, and only one can be meant; move the other away")
    return found


def _lonely(files: Mapping[str, Path], others: Mapping[str, Path], folder: Path, kind: str) -> list[str]:
    """Say which files have no counterpart, and where one of that name is there, but of an ending that is not read."""
    lonely = files.keys() - others.keys()
    unread = {same_name(path.stem): path.name for path in folder.iterdir()} if lonely else {}
    return [
        f"{files[name]}: has no {kind} in {folder}"
        + (f", only {unread[name]}, which is not read; save it as {name}.png" if name in unread else "; add it")
        for name in lonely
    ]


def _content(folder: Path) -> str:
    """Say what a folder holds."""
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    folders = [f"{path.name}/" for path in entries if path.is_dir()]
    endings = Counter(path.suffix or "no ending" for path in entries if path.is_file())
    shown = folders[:LISTED] + (["..."] if len(folders) > LISTED else [])
    shown += [f"{count} files of {ending}" for ending, count in endings.most_common(LISTED)]
    return ", ".join(shown) or "nothing"
