"""Drawing a synthetic dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sweep.patches.folders import write_tile
from sweep.patches.splits.chosen import numbered_split
from sweep.patches.synthetic import ROAD_CLASSES, ROAD_COLOURS, SCENE_KINDS, draw_road_scene, draw_scene
from trainables.data.tiles import SPLITS
from trainables.task import Task

LICENCE = "CC0-1.0"
STUDY_COUNTS = (24, 6, 6)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of synthetic dataset.

    Attributes:
        size: Side of a tile in pixels where nothing else is said.
        task: What the masks mean.
        origin: Where the tiles come from, in a sentence.
        ground_sample_distance_m: Metres a pixel; None for a perspective.
    """

    size: int
    task: Task
    origin: str
    ground_sample_distance_m: float | None


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "roofs": Kind(
            size=1024,
            task=Task(),
            origin=(
                "Synthetic: drawn by tilesweep's seeded generator at 0.3 m per pixel "
                "(python -m sweep.patches synthesize). No photograph and no real place."
            ),
            ground_sample_distance_m=0.3,
        ),
        "roads": Kind(
            size=256,
            task=Task(kind="multiclass", classes=ROAD_CLASSES, colours=ROAD_COLOURS),
            origin=(
                "Synthetic: road scenes drawn by tilesweep's seeded generator "
                "(python -m sweep.patches synthesize --kind roads). No photograph and no real place."
            ),
            ground_sample_distance_m=None,
        ),
    }
)


def split_names(counts: tuple[int, ...]) -> Mapping[str, list[str]]:
    """Name the tiles: the study's split for 24, 6 and 6, else consecutive numbers."""
    if counts == STUDY_COUNTS:
        return numbered_split("synth")
    ends = [sum(counts[: index + 1]) for index in range(len(counts))]
    return {
        split: [f"synth{number}" for number in range(end - count + 1, end + 1)]
        for split, count, end in zip(SPLITS, counts, ends, strict=True)
    }


def draw_tiles(
    root: Path, splits: Mapping[str, list[str]], *, size: int, seed: int, kind: str = "roofs"
) -> dict[str, str]:
    """Draw every tile; each split of roofs runs through all densities, every road scene shows all classes.

    Args:
        root: The dataset's folder.
        splits: Split to names that end in a number.
        size: Side of a tile in pixels.
        seed: Moves all scenes, at least 0.
        kind: One of ``KINDS``.

    Returns:
        Name to how it was drawn, for the manifest.
    """
    sources = {}
    for split, names in splits.items():
        for index, name in enumerate(names):
            scene_seed = 1000 * seed + int(name.removeprefix("synth"))
            if kind == "roads":
                image, mask = draw_road_scene(scene_seed, size=size)
                sources[name] = f"synthetic road scene, seed {scene_seed}"
            else:
                density = SCENE_KINDS[index % len(SCENE_KINDS)]
                image, mask = draw_scene(scene_seed, size=size, kind=density)
                sources[name] = f"synthetic scene, kind {density}, seed {scene_seed}"
            write_tile(root, split, name, image, mask, KINDS[kind].task)
    return sources
