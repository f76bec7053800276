"""Drawn scenes of roads, of several classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweep.patches.synthetic import ROAD_CLASSES, draw_road_scene
from tests.sweep.patches.test_patches import _refused, _run
from trainables.data.manifest import Manifest
from trainables.data.tiles import TuningData
from trainables.errors import DataError


def test_road_scenes_are_a_function_of_their_seed_and_show_all_classes() -> None:
    for size in (64, 256):
        image, mask = draw_road_scene(5, size=size)
        assert image.shape == (size, size, 3) and mask.shape == (size, size)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1, 2, 3}
        again = draw_road_scene(5, size=size)
        assert np.array_equal(again[0], image) and np.array_equal(again[1], mask)
    assert not np.array_equal(draw_road_scene(6)[0], draw_road_scene(5)[0])
    shares = np.mean([np.bincount(draw_road_scene(seed)[1].ravel(), minlength=4) for seed in range(8)], 0) / 256**2
    assert shares[0] > 0.4 and shares[1] > 0.2 and shares[2] > 0.01 and shares[3] > 0.004
    assert draw_road_scene(1)[1][128:].mean() > draw_road_scene(1)[1][:64].mean()  # the road is below
    for size, seed in ((100, 0), (32, 0), (64, -1)):
        with pytest.raises(DataError):
            draw_road_scene(seed, size=size)


def test_colours_alone_do_not_tell_the_classes_of_a_road_scene_apart() -> None:
    """The best class for each of 4,096 colours, fitted on eight scenes, is no solution for eight others."""

    def codes(seed: int) -> tuple[np.ndarray, np.ndarray]:
        image, mask = draw_road_scene(seed)
        return (image.astype(int) >> 4) @ (256, 16, 1), mask

    counts = np.zeros((4096, 4))
    for seed in range(8):
        np.add.at(counts, codes(seed), 1)
    rule = counts.argmax(1)
    hits, unions = np.zeros(4), np.zeros(4)
    for seed in range(8, 16):
        colours, mask = codes(seed)
        for value in range(4):
            hits[value] += ((rule[colours] == value) & (mask == value)).sum()
            unions[value] += ((rule[colours] == value) | (mask == value)).sum()
    ious = hits / unions
    assert ious.mean() < 0.45 and ious[2] < 0.2 and ious[3] < 0.2


@pytest.mark.parametrize(("counts", "size"), [("4,1,1", 128), ("24,6,6", 64)])
def test_synthesized_roads_are_a_sound_dataset(counts: str, size: int, tmp_path: Path) -> None:
    arguments = ("synthesize", "--kind", "roads", "--counts", counts, "--size", size, "--dst")
    assert _run(*arguments, tmp_path / "one") == _run(*arguments, tmp_path / "two") == 0
    manifest, again = Manifest.read(tmp_path / "one"), Manifest.read(tmp_path / "two")
    assert manifest is not None and again is not None and manifest.files == again.files
    assert manifest.name == "synthetic-roads" and manifest.synthetic and manifest.ground_sample_distance_m is None
    assert manifest.task.classes == ROAD_CLASSES and len(manifest.task.colours) == 4
    assert all(set(np.unique(tile.mask)) == {0, 1, 2, 3} for tile in TuningData.read(tmp_path / "one").train)


def test_synthesize_refuses(tmp_path: Path) -> None:
    common = ("synthesize", "--dst", tmp_path / "out", "--kind", "roads")
    _refused("--seed -1", *common, "--seed", "-1")
    _refused("--size 100", *common, "--size", "100")
    _refused("--counts 4,0,1", *common, "--counts", "4,0,1")
    _refused("rivers", "synthesize", "--dst", tmp_path / "out", "--kind", "rivers")
