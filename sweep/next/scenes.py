"""Which scene a chosen window belongs to, so that folds and splits keep neighbours together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sweep.next.windows import Unlabelled


def scenes_of_rasters(rasters: Sequence[Unlabelled], known: Collection[str]) -> Mapping[str, str]:
    """Return each raster's scene by its name.

    The folder that a raster is in is its scene where the dataset has a scene of that name, or where rasters come from
    several folders that hold several each; else a raster is a scene of its own.

    Args:
        rasters: All that were named.
        known: The dataset's scenes.
    """
    sizes = Counter(one.folder for one in rasters)
    by_folder = len(sizes) > 1 and min(sizes.values()) > 1
    return {one.name: one.folder if one.folder and (by_folder or one.folder in known) else one.name for one in rasters}


def held_out_scenes(
    rasters: Sequence[str], scenes: Mapping[str, str], known: Mapping[str, Collection[str]]
) -> list[str]:
    """Return the scenes of chosen windows that val or test shows, too.

    Args:
        rasters: Names of those that windows were chosen of.
        scenes: Raster's name to scene.
        known: The dataset's scenes to the splits that show them.
    """
    mine = dict.fromkeys(scenes[name] for name in rasters)
    return [scene for scene in mine if {"val", "test"} & set(known.get(scene, ()))]
