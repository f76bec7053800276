"""Drawing a synthetic dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sweep.dataset.folders import write_tile
from sweep.dataset.splits import numbered_split
from trainables.data.synthetic import SCENE_KINDS, draw_scene
from trainables.data.tiles import SPLITS
from trainables.errors import DataError
from trainables.task import Task

ORIGIN = (
    "Synthetic: drawn by tilesweep's seeded generator at 0.3 m a pixel (python -m sweep.patches synthesize). "
    "No photograph and no real place."
)
LICENCE = "CC0-1.0"
GROUND_SAMPLE_DISTANCE_M = 0.3
STUDY_COUNTS = (24, 6, 6)


def split_names(counts: tuple[int, ...]) -> Mapping[str, list[str]]:
    """Name the tiles: the study's split for 24, 6 and 6, else consecutive numbers.

    Raises:
        DataError: Not three counts of at least 1.
    """
    if len(counts) != len(SPLITS) or min(counts) < 1:
        raise DataError(f"--tiles {','.join(map(str, counts))}: give three counts of at least 1, such as 24,6,6")
    if counts == STUDY_COUNTS:
        return numbered_split("synth")
    ends = [sum(counts[: index + 1]) for index in range(len(counts))]
    return {
        split: [f"synth{number}" for number in range(end - count + 1, end + 1)]
        for split, count, end in zip(SPLITS, counts, ends, strict=True)
    }


def draw_tiles(root: Path, splits: Mapping[str, list[str]], *, size: int, seed: int) -> dict[str, str]:
    """Draw every tile; each split runs through all densities.

    Args:
        root: The dataset's folder.
        splits: Split to names that end in a number.
        size: Side of a tile in pixels.
        seed: Moves all scenes, at least 0.

    Returns:
        Name to how it was drawn, for the manifest.
    """
    sources = {}
    for split, names in splits.items():
        for index, name in enumerate(names):
            scene_seed = 1000 * seed + int(name.removeprefix("synth"))
            kind = SCENE_KINDS[index % len(SCENE_KINDS)]
            image, mask = draw_scene(scene_seed, size=size, kind=kind)
            write_tile(root, split, name, image, mask, Task())
            sources[name] = f"synthetic scene, kind {kind}, seed {scene_seed}"
    return sources
