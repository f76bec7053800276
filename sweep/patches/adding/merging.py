"""What the manifest of a dataset's next version says of its tiles: the old ones' own words, and those of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweep.patches.adding.earlier import EarlierDataset
from sweep.patches.rasters.georeference import manifest_ground
from sweep.patches.splits.scenes import KnownScenes, scenes_by_pattern, scenes_of_manifest
from sweep.patches.tiling.plan import TilePlan
from sweep.patches.tiling.saying import source_of
from sweep.records.choice import Choice, ChosenWindow
from trainables.data.scenes import count_scenes
from trainables.data.tiles import same_name
from trainables.errors import DataError

GROUND = ("transform", "crs", "metres_per_pixel")


@dataclass(frozen=True, kw_only=True)
class MergedTiles:
    """What is known of all tiles.

    Attributes:
        sources: Tile name to where it comes from.
        places: Tile name to its row and column among its raster's.
        grounds: Tile name to where it is on the ground, as a manifest holds it.
        scenes: Of all tiles.
        added: Names of the new ones.
    """

    sources: Mapping[str, str]
    places: Mapping[str, tuple[int, int]]
    grounds: Mapping[str, Mapping[str, Any]]
    scenes: KnownScenes
    added: tuple[str, ...]


def merge(earlier: EarlierDataset, plan: TilePlan, choice: Choice | None, group_by: str | None) -> MergedTiles:
    """Bring together what is known of old and new tiles.

    Args:
        earlier: The old ones.
        plan: The new ones.
        choice: Where the new ones come from, if ``sweep.next`` chose them.
        group_by: ``--group-by``.

    Raises:
        DataError: A new tile is called like an old one.
    """
    names = earlier.names
    faults = [
        f"{tile.name}: {earlier.root} has a tile of this name; rename {plan.images.files[tile.source].path}, or remove "
        f"it if it is that tile"
        for tile in plan.tiles
        if tile.name in names
    ]
    if faults:
        raise DataError(faults)
    entries = earlier.entries
    sources = {name: entry.get("source", "") for name, entry in entries.items()}
    places = {name: (entry["row"], entry["column"]) for name, entry in entries.items() if "row" in entry}
    grounds: dict[str, Mapping[str, Any]] = {
        name: {key: entry[key] for key in GROUND if key in entry} for name, entry in entries.items()
    }
    scenes = dict(scenes_of_manifest(list(entries), earlier.manifest).of)
    windows = {same_name(one["name"]): one for one in choice["windows"]} if choice else {}
    for tile in plan.tiles:
        image = plan.images.files[tile.source]
        chosen = windows.get(same_name(image.path.stem))
        sources[tile.name] = chosen["source"] if chosen else source_of(plan, tile)
        grounds[tile.name] = _ground(chosen) if chosen else manifest_ground(image, tile.window.area)
        if plan.tiling.grid:
            places[tile.name] = (tile.window.row, tile.window.column)
        if scene := chosen["scene"] if chosen else plan.scenes.of.get(tile.name):
            scenes[tile.name] = scene
    every = [*entries, *(tile.name for tile in plan.tiles)]
    if group_by is not None:
        known = scenes_by_pattern(every, group_by)
    else:
        origin = count_scenes(scenes, "of the dataset and of the new tiles", len(every)) if scenes else "not known"
        known = KnownScenes(of=scenes, origin=origin)
    return MergedTiles(
        sources=sources,
        places=places,
        grounds=grounds,
        scenes=known,
        added=tuple(tile.name for tile in plan.tiles),
    )


def _ground(chosen: ChosenWindow) -> Mapping[str, Any]:
    """Return where a chosen window is on the ground; its tile is the whole of it."""
    return {key: value for key, value in chosen.items() if key in GROUND}
