"""Folders of satellites' products, whose bands are files of their own; and what else a folder without images may be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from trainables.data.tiles import natural_order
from trainables.errors import ExperimentError
from trainables.wording import counted

MOST_FILES = 100_000
"""Below a folder that is searched."""
PICTURES = "IMG_DATA"
"""The folder of a Sentinel-2 product that holds its bands; elsewhere are masks and previews that are called alike."""
RESOLUTION = re.compile(r"R(\d+)m")
"""Folders of a Sentinel-2 product of level 2A, which has most bands in several resolutions."""
COLOURS = ("B04", "B03", "B02")
"""Sentinel-2's red, green and blue."""
BY_ADDRESS = (".nc", ".hdf", ".h5", ".he5", ".hdf5")
"""Endings of files that hold several pictures, mostly, each with an address of its own."""


def rasters_below(place: Path, endings: Sequence[str]) -> list[Path]:
    """List the rasters below a folder; of a Sentinel-2 product those that are bands.

    Args:
        place: The folder.
        endings: Of rasters, in small letters.
    """
    files = [path for path in islice(place.rglob("*"), MOST_FILES) if path.suffix.lower() in endings]
    files = [path for path in files if not path.name.startswith(".")]
    bands = [path for path in files if PICTURES in path.relative_to(place).parts]
    return sorted(bands or files, key=lambda one: natural_order(str(one)))


def finest(names: Iterable[str], matchers: Sequence[Callable[[str], bool]]) -> list[str] | None:
    """Return the files of the finest resolution that has one for each matcher; None where there is none, or two.

    Args:
        names: Paths within a product.
        matchers: One per band.
    """
    folders: dict[Path, list[str]] = {}
    for name in names:
        if RESOLUTION.fullmatch(Path(name).parent.name):
            folders.setdefault(Path(name).parent, []).append(name)
    whole: dict[int, list[list[str]]] = {}
    for folder, inside in folders.items():
        found = [[name for name in inside if matches(name)] for matches in matchers]
        if all(len(one) == 1 for one in found):
            metres = int(folder.name[1:-1])
            whole.setdefault(metres, []).append([one[0] for one in found])
    best = whole[min(whole)] if whole else []
    return best[0] if len(best) == 1 else None


def require_images(folder: Path, endings: Sequence[str], band_flag: str = "") -> None:
    """Refuse a folder that holds no image itself: say what it is, and what to name instead.

    Args:
        folder: As the user named it.
        endings: Of images, in small letters.
        band_flag: The command's flag that names bands in files of their own; empty where it has none.

    Raises:
        ExperimentError: As said.
    """
    below = rasters_below(folder, endings)
    if below and PICTURES in below[0].relative_to(folder).parts:
        fix = f"name those that the model sees, such as {band_flag} {','.join(COLOURS)} for red, green and blue"
        if not band_flag:
            files = " ".join(f"*_{band}*.jp2" for band in COLOURS)
            fix = f"put them together first: gdalbuildvrt -separate {folder.stem}.vrt {files}"
        raise ExperimentError(f"{folder}: is a Sentinel-2 product, whose bands are files of their own; {fix}")
    if below:
        raise ExperimentError(
            f"{folder}: holds no image itself, but {counted(len(below), 'image')} in folders below; name one of these, "
            f"such as {below[0].parent}"
        )
    names = f"holds no image ({', '.join(endings)})"
    others = Counter(path.suffix.lower() for path in folder.iterdir() if path.suffix.lower() in BY_ADDRESS)
    if others:
        counts = ", ".join(f"{count} {ending}" for ending, count in others.items())
        raise ExperimentError(f"{folder}: {names}, but {counts}; name such a file itself, or a picture in it")
    raise ExperimentError(f"{folder}: {names}; name another folder")
