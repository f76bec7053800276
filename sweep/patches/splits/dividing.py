"""Who is train, val and test: as a file, a publisher or the study says, else by scene, else by strips of rasters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.options import Make
from sweep.patches.splits.automatic import divide_sources
from sweep.patches.splits.chosen import AUSTIN, numbered_split, origin_of, published_split, read_split
from sweep.patches.splits.parts import RasterPart
from sweep.patches.splits.scenes import KnownScenes
from sweep.patches.tiling.window import Window
from trainables.data.manifest import SplitOrigin
from trainables.data.scenes import connect, guess_scenes
from trainables.data.tiles import SPLITS, natural_order

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class SplitChoice:
    """Who is in which split.

    Attributes:
        parts: Split to parts of sources, in natural order.
        origin: Who decided.
        how: The same in words.
    """

    parts: Mapping[str, Sequence[RasterPart]]
    origin: SplitOrigin
    how: str

    @property
    def splits(self) -> int:
        """How many splits have tiles."""
        return sum(map(bool, self.parts.values()))


def known_division(sources: Mapping[str, SourceRaster], options: Make) -> SplitChoice | None:
    """Return the split that is known before any tile is: a file's, the publisher's, the study's; None for none.

    Raises:
        DataError: What is wrong with the file.
    """
    published = {name: published_split(source) for name, source in sources.items()}
    if options.split == AUTO and options.add is not None:
        return _whole({"train": list(sources)}, "chosen", "all into train, where tiles are added")
    if options.split == AUTO:
        if len(kept := {split for split in published.values() if split}) > 1 and "train" in kept:
            names = {split: [name for name, its in published.items() if its == split] for split in SPLITS}
            return _whole(names, "published", "as published")
        austin = numbered_split(AUSTIN)
        if {name for names in austin.values() for name in names} == set(sources):
            return _whole(austin, "chosen", "as in the study of Austin")
        return None
    parts = read_split(options.split, sources)
    origin = origin_of({split: [part.source for part in found] for split, found in parts.items()}, published)
    return SplitChoice(parts=parts, origin=origin, how=f"as {options.split} says")


def divide_by_scene(
    windows: Mapping[str, Sequence[Window]],
    tiles: Mapping[str, str],
    scenes: KnownScenes,
    shares: Mapping[str, float],
    seed: int,
) -> SplitChoice:
    """Divide whole sources, at least as many as there are splits; one without tiles goes to train.

    Args:
        windows: Source to its tiles, in natural order.
        tiles: Tile name to the name of its source.
        scenes: What is known of the scenes of the tiles; else they are guessed from the sources' names.
        shares: Split to its wanted share.
        seed: Decides among equals.
    """
    used = {source: found for source, found in windows.items() if found}
    of, whence = scenes.of, scenes.origin
    if not of and (guessed := guess_scenes(list(used))):
        of = {name: guessed[source] for name, source in tiles.items()}
        whence = f"{len(set(of.values()))} guessed from their names"
    units = connect(used, _together(tiles, of))
    count = len(set(units.values()))
    how = f"by scene ({whence})" if of else "by raster"
    if count < len(shares):
        units = {name: name for name in used}
        how = (
            f"by raster: {count} scene{'s' if count > 1 else ''} ({whence}) cannot make {len(shares)} splits, so "
            f"neighbours may be in different ones and scores may flatter"
        )
    found = divide_sources(used, units, shares, seed)
    found["train"] += [source for source in windows if source not in used]
    return _whole(found, "automatic", f"automatic, {how}, seed {seed}")


def _together(tiles: Mapping[str, str], scenes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return pairs of sources that have a scene in common."""
    first: dict[str, str] = {}
    return [(first.setdefault(scenes[name], source), source) for name, source in tiles.items() if name in scenes]


def _whole(names: Mapping[str, Sequence[str]], origin: SplitOrigin, how: str) -> SplitChoice:
    parts = {
        split: [RasterPart(source=name) for name in sorted(names.get(split, ()), key=natural_order)] for split in SPLITS
    }
    return SplitChoice(parts=parts, origin=origin, how=how)
