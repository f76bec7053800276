"""Which labelled file is which image of ``--src``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from sweep.patches.layouts.sources import SourceRaster
from trainables.data.tiles import same_name
from trainables.errors import DataError

logger = logging.getLogger(__name__)

OF_NO_MEANING = frozenset(("images", "imgs", "img", "labels", "ann", "annotations"))
"""Folders that say which kind of file they hold, not which image it is."""


def by_image(
    files: Iterable[str],
    sources: Mapping[str, SourceRaster],
    path: Path,
    *,
    complete: bool = True,
) -> dict[str, str]:
    """Find which labelled file each source is: by its name, else by its name without ending.

    Where several have that name, the folders decide: ``train/a.png`` is ``data/images/train/a.jpg`` rather than
    ``data/images/val/a.jpg``.

    Args:
        files: Names as the labels have them; macOS writes an umlaut as two characters, others as one.
        sources: Name to image.
        path: The labels, which errors name.
        complete: Whether an image without labels is a fault.

    Returns:
        Source name to the labels' own file name.

    Raises:
        DataError: A file name twice, one that several images fit, or images without labels.
    """
    whole: dict[str, list[str]] = {}
    stems: dict[str, list[str]] = {}
    for file in files:
        name = _parts(file)[-1]
        whole.setdefault(name, []).append(file)
        stems.setdefault(Path(name).stem, []).append(file)
    found: dict[str, str] = {}
    owners: dict[str, SourceRaster] = {}
    faults = []
    for name, source in sources.items():
        image = source.image
        alike = whole.get(same_name(image.name)) or stems.get(same_name(image.stem), [])
        best = _nearest(alike, image)
        if len(best) == 1:
            found[name] = best[0]
            if (twin := owners.setdefault(best[0], source)) is not source:
                faults.append(f"{image}: {path} has labels of {best[0]!r}, which may be {twin.image}, too; rename one")
        elif len(set(best)) == 1:
            faults.append(f"{path}: image {best[0]!r} is there twice; keep one")
        elif best:
            faults.append(f"{image}: has labels in {path} as {best[0]!r} and as {best[1]!r}; keep one")
        elif complete:
            faults.append(f"{image}: has no labels in {path}; label it (an empty list counts), or move it away")
    if faults:
        raise DataError(dict.fromkeys(faults))
    listed = dict.fromkeys(file for alike in whole.values() for file in alike)
    if beside := [file for file in listed if file not in owners]:
        logger.warning(
            "%s: labels %d images, of which %d are not in --src and are left out: %s",
            *(path, len(listed), len(beside), ", ".join(beside[:3]) + (", ..." if len(beside) > 3 else "")),
        )
    return found


def _nearest(files: Sequence[str], image: Path) -> list[str]:
    """Return those of the files that share most folders with an image."""
    if len(files) < 2:
        return list(files)
    folders = _folders(image.as_posix())
    shared = [_shared(_folders(file), folders) for file in files]
    return [file for file, count in zip(files, shared, strict=True) if count == max(shared)]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


def _folders(file: str) -> list[str]:
    """Return the folders of a file that say which one it is, in lower case: CVAT calls a subset Train."""
    return [part.lower() for part in _parts(file)[:-1] if part.lower() not in OF_NO_MEANING]


def _parts(file: str) -> Sequence[str]:
    return PurePosixPath(same_name(file.replace("\\", "/"))).parts or ("",)
