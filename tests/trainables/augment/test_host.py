"""The presets: shapes, exact masks, determinism, and what they must not contain."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.augment import by_opencv
from trainables.augment.presets import PRESETS, operations
from trainables.errors import RecipeError


def _view(size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
    mask = np.zeros((size, size), dtype=np.uint8)
    mask[10:30, 20:50] = 1
    return image, mask


@pytest.mark.parametrize("preset", PRESETS)
def test_shapes_and_types_stay_and_masks_stay_binary(preset: str) -> None:
    image, mask = _view()
    augment = by_opencv(preset)
    for seed in range(30):
        new_image, new_mask = augment(image, mask, seed)
        assert new_image.shape == image.shape and new_image.dtype == np.uint8
        assert new_mask.shape == mask.shape and new_mask.dtype == np.uint8
        assert set(np.unique(new_mask)) <= {0, 1}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("value", [0, 1])
def test_uniform_masks_survive(preset: str, value: int) -> None:
    image, mask = _view()
    augment = by_opencv(preset)
    for seed in range(20):
        assert (augment(image, np.full_like(mask, value), seed)[1] == value).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_seed_alone_decides(preset: str) -> None:
    image, mask = _view()
    first, second = by_opencv(preset), by_opencv(preset)
    second(image, mask, 99)  # a different past
    for seed in (0, 1, 2**31 - 1):
        a, b = first(image, mask, seed), second(image, mask, seed)
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])


def test_light_is_the_eight_symmetries_equally_often() -> None:
    image, mask = _view(32)
    augment = by_opencv("LIGHT")
    turns = [np.rot90(image, k) for k in range(4)]
    symmetries = {view.tobytes(): 0 for turn in turns for view in (turn, turn[:, ::-1])}
    for seed in range(800):
        symmetries[augment(image, mask, seed)[0].tobytes()] += 1
    assert min(symmetries.values()) > 60


def test_image_and_mask_move_together() -> None:
    _, mask = _view()
    image = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    augment = by_opencv("LIGHT")
    for seed in range(16):
        new_image, new_mask = augment(image, mask, seed)
        assert np.array_equal(new_image[..., 0] // 255, new_mask)


def test_no_preset_blurs_or_adds_noise() -> None:
    names = {type(step).__name__.lower() for step in operations("EXTREME")}
    assert not [name for name in names if "blur" in name or "noise" in name]


def test_each_of_the_study_s_presets_contains_the_one_before() -> None:
    study = ("LIGHT", "MEDIUM", "HEAVY", "EXTREME")
    steps = [[type(step).__name__ for step in operations(name)] for name in study]
    for smaller, larger in itertools.pairwise(steps):
        assert larger[: len(smaller)] == smaller and len(larger) > len(smaller)


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match="'MEDIUM'"):
        by_opencv("MEDUIM")
