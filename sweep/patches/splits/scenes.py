"""What is known of the scenes of a dataset's tiles when it is made or checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sweep.patches.rasters.georeference import Ground, find_touching
from sweep.patches.splits.chosen import split_called
from trainables.data.manifest import Manifest
from trainables.data.scenes import connect, count_scenes, group_names, scenes_of
from trainables.data.tiles import same_name
from trainables.escaping import visible

WINDOW = re.compile(r"(.+) x=(?P<x>\d+) y=(?P<y>\d+)")
"""How a manifest names the raster that a tile was cut from, and where."""

FROM_RASTERS = "from the rasters that tiles were cut from"


@dataclass(frozen=True, kw_only=True)
class KnownScenes:
    """Scenes that the manifest should name.

    Attributes:
        of: Tile name to scene; a tile whose scene is not known is missing.
        origin: How many there are and where they come from, as a sentence's end: ``5 from folders``.
    """

    of: Mapping[str, str]
    origin: str


def scenes_by_pattern(names: Sequence[str], pattern: str) -> KnownScenes:
    """Return the scenes that ``--group-by`` gives.

    Raises:
        DataError: The pattern does not fit the names.
    """
    return KnownScenes(of=group_names(names, pattern), origin=scenes_of(names, {}, pattern, ()).origin)


def source_scenes(folders: Mapping[str, str], grounds: Mapping[str, Ground | None]) -> tuple[dict[str, str], str]:
    """Return the scenes of sources, and whence they are known: from folders, else from their places on the ground.

    Args:
        folders: Name of every source to its folder, empty for none.
        grounds: Name of every source to the place of its tiles, None where it is not known.
    """
    if of := _of_folders(folders):
        return of, "from folders"
    placed = {name: ground for name, ground in grounds.items() if ground is not None}
    return connect(placed, find_touching(placed)), "from the georeference"


def scenes_of_tiles(
    sources: Mapping[str, str], folders: Mapping[str, str], grounds: Mapping[str, Ground | None]
) -> KnownScenes:
    """Return the scenes of tiles that are made: those of their sources, else the rasters that several were cut from.

    Args:
        sources: Name of every tile to that of its source.
        folders: Name of every source to its folder, empty for none.
        grounds: Name of every source to the place of its tiles, None where it is not known.
    """
    names = list(sources)
    of, whence = source_scenes(folders, grounds)
    if len(set(of.values())) < 2 and len(folders) < len(names):  # one scene says less than the rasters do
        of, whence = {name: visible(name) for name in folders}, FROM_RASTERS
    return _known({name: of[source] for name, source in sources.items() if source in of}, whence, names) or _unknown(
        names
    )


def scenes_of_manifest(names: Sequence[str], manifest: Manifest | None) -> KnownScenes:
    """Return the scenes of tiles that are there: as the manifest says, else as its sources show.

    Args:
        names: All tiles.
        manifest: What there is; of tiles that it does not know, nothing is known.
    """
    files = {PurePosixPath(path): entry for path, entry in (manifest.files if manifest else {}).items()}
    images = {same_name(path.stem): entry for path, entry in files.items() if path.parent.name == "images"}
    there = {name: images[name] for name in names if name in images}
    if recorded := {name: entry["scene"] for name, entry in there.items() if "scene" in entry}:
        return KnownScenes(of=recorded, origin=scenes_of(names, recorded, None, ()).origin)
    cut = {name: WINDOW.fullmatch(entry.get("source", "")) for name, entry in there.items()}
    rasters = {name: PurePosixPath(match[1]) for name, match in cut.items() if match}
    folders = {name: _folder(name, raster) for name, raster in rasters.items()}
    return (
        _known(_of_rasters(rasters, folders), FROM_RASTERS, names)
        or _known(_of_folders(folders), "from folders", names)
        or _unknown(names)
    )


def _folder(name: str, raster: PurePosixPath) -> str | None:
    """Return the folder of a tile that is called ``FOLDER_RASTER`` or ``RASTER``, as ``make`` calls them; else None."""
    stem = same_name(raster.stem)
    return "" if name == stem else name.removesuffix(f"_{stem}") if name.endswith(f"_{stem}") else None


def _of_rasters(rasters: Mapping[str, PurePosixPath], folders: Mapping[str, str | None]) -> dict[str, str]:
    """Return the scenes of tiles of which several were cut from one raster; ``make`` cuts one from each."""
    others = {name: raster for name, raster in rasters.items() if folders[name] is None}
    tiles = Counter(others.values())
    return {name: visible(raster.stem) for name, raster in others.items() if tiles[raster] > 1}


def _of_folders(folders: Mapping[str, str | None]) -> dict[str, str]:
    """Return the scenes of tiles whose sources are in several folders that are called as no split is."""
    of = {name: folder for name, folder in folders.items() if folder and not split_called(folder)}
    return of if len(set(of.values())) > 1 else {}


def _known(of: Mapping[str, str], whence: str, names: Sequence[str]) -> KnownScenes | None:
    return KnownScenes(of=of, origin=count_scenes(of, whence, len(names))) if of else None


def _unknown(names: Sequence[str]) -> KnownScenes:
    return KnownScenes(of={}, origin=scenes_of(names, {}, None, ()).origin)
