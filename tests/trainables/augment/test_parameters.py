"""What is drawn for a view: independent operations, and the distributions that albumentations documents."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from benchmarks.augment import by_albumentations, by_opencv
from trainables.augment.host import _offsets, augment
from trainables.augment.parameters import Sampler, ViewParameters
from trainables.augment.presets import ROTATE_LIMIT_DEGREES, operations, seed_operations

DRAWS = 1000
SIDE = 64
PROBABILITIES: dict[str, tuple[Callable[[ViewParameters], object], float]] = {
    "affine": (lambda one: one.affine is not None, 0.7),
    "contrast": (lambda one: one.contrast is not None, 0.5),
    "hsv": (lambda one: one.hsv is not None, 0.3),
    "shadows": (lambda one: bool(one.shadows), 0.3),
    "gamma": (lambda one: one.gamma is not None, 0.3),
    "clahe": (lambda one: one.clahe is not None, 0.2),
    "jpeg": (lambda one: one.jpeg is not None, 0.3),
    "displacement": (lambda one: one.displacement is not None, 0.2),
    "holes": (lambda one: one.holes is not None, 0.3),
    "fog": (lambda one: one.fog is not None, 0.1),
}


@cache
def _drawn() -> list[ViewParameters]:
    sample = Sampler("EXTREME")
    return [sample(seed, SIDE) for seed in range(DRAWS)]


@pytest.mark.parametrize("name", PROBABILITIES)
def test_each_operation_acts_as_often_as_its_preset_says(name: str) -> None:
    acts, probability = PROBABILITIES[name]
    share = np.mean([bool(acts(one)) for one in _drawn()])
    assert abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / DRAWS)


def test_operations_are_independent_of_each_other() -> None:
    acts = np.array([[bool(acts(one)) for acts, _ in PROBABILITIES.values()] for one in _drawn()], dtype=float)
    correlations = np.corrcoef(acts.T) - np.eye(len(PROBABILITIES))
    assert np.abs(correlations).max() < 0.16  # 5 deviations of 1 / sqrt(1000)


def test_the_eight_symmetries_are_equally_frequent() -> None:
    _, counts = np.unique([one.symmetry for one in _drawn()], return_counts=True)
    assert len(counts) == 8 and counts.min() > 80


def test_affine_maps_have_the_ranges_of_the_preset() -> None:
    maps = np.array([one.affine for one in _drawn() if one.affine is not None])
    scales = np.hypot(maps[:, 0, 0], maps[:, 0, 1])
    angles = np.degrees(np.arctan2(maps[:, 0, 1], maps[:, 0, 0]))
    middle = np.array([(SIDE - 1) / 2, (SIDE - 1) / 2, 1])
    shifts = (maps @ middle - middle)[:, :2] / SIDE
    for values, limits in (
        (scales, (0.7, 1.3)),
        (angles, (-ROTATE_LIMIT_DEGREES, ROTATE_LIMIT_DEGREES)),
        (shifts[:, 0], (-0.2, 0.2)),
        (shifts[:, 1], (-0.2, 0.2)),
    ):
        _assert_uniform(values, *limits)


def _assert_uniform(values: np.ndarray, low: float, high: float) -> None:
    width = high - low
    slack = 0.02 * width  # whole pixels of shift
    assert low - slack <= values.min() and values.max() <= high + slack
    assert abs(values.mean() - (low + high) / 2) < 5 * width / np.sqrt(12 * len(values)) + slack
    assert abs(values.std() - width / np.sqrt(12)) < 0.1 * width


def test_colour_values_have_the_ranges_of_the_preset() -> None:
    drawn = _drawn()
    contrast = np.array([one.contrast for one in drawn if one.contrast])
    hsv = np.array([one.hsv for one in drawn if one.hsv])
    for values, low, high in (
        (contrast[:, 0], 0.7, 1.3),
        (contrast[:, 1], -0.2 * 255, 0.2 * 255),
        (hsv[:, 0], -10, 10),
        (hsv[:, 1], -15, 15),
        (hsv[:, 2], -15, 15),
        (np.array([one.gamma for one in drawn if one.gamma]), 0.8, 1.2),
        (np.array([one.clahe for one in drawn if one.clahe]), 1.0, 2.0),
        (np.array([one.jpeg for one in drawn if one.jpeg], dtype=float), 70, 95),
        (np.array([shadow.darkness for one in drawn for shadow in one.shadows]), 0.5, 0.7),
    ):
        _assert_uniform(values, low, high)


def test_the_displacement_is_as_strong_and_as_smooth_as_the_library_s() -> None:
    side = 256
    (elastic,) = [step for step in operations("EXTREME") if type(step).__name__ == "ElasticTransform"]
    grid = np.arange(side, dtype=np.float32)
    ours, theirs = [], []
    sample = Sampler("EXTREME")
    for seed in range(200):
        drawn = sample(seed, side).displacement
        if drawn is not None:
            ours.append(_offsets(drawn, side)[..., 0])
    shape = np.broadcast_to(np.uint8(0), (side, side, 3))
    for seed in range(len(ours)):
        elastic.set_random_seed(seed)
        params = elastic.get_params_dependent_on_data({"shape": shape.shape}, {"image": shape})
        theirs.append(params["map_x"] - grid)
    ours_array, theirs_array = np.array(ours), np.array(theirs)
    middle = np.s_[:, 64:192, 64:192]
    assert ours_array[middle].std() == pytest.approx(theirs_array[middle].std(), rel=0.05)
    assert ours_array.std() == pytest.approx(theirs_array.std(), rel=0.08)
    for lag in (4, 8, 16):
        ours_lagged, theirs_lagged = (
            np.corrcoef(fields[:, :, :-lag].ravel(), fields[:, :, lag:].ravel())[0, 1]
            for fields in (ours_array, theirs_array)
        )
        assert ours_lagged == pytest.approx(theirs_lagged, abs=0.03)


def test_fog_is_as_dense_as_the_library_s() -> None:
    """Of a black view of one size: how bright it becomes, over many fogs, in the middle and at the edge."""
    side, view = 128, np.zeros((128, 128, 3), dtype=np.uint8)
    (fog,) = [step for step in operations("EXTREME") if type(step).__name__ == "RandomFog"]
    sample = Sampler("EXTREME")
    drawn = [one.fog for seed in range(900) if (one := sample(seed, side)).fog is not None]
    ours = [augment(view, view[..., 0], ViewParameters(fog=one))[0] for one in drawn]
    fog.p = 1.0
    theirs = []
    for seed in range(len(ours)):
        seed_operations([fog], seed)
        theirs.append(fog(image=view)["image"])
    for place in (np.s_[:, 48:80, 48:80], np.s_[:, :16, :16]):
        first, second = np.array(ours)[place].mean((1, 2, 3)), np.array(theirs)[place].mean((1, 2, 3))
        error = np.hypot(first.std(), second.std()) / np.sqrt(len(first))
        assert abs(first.mean() - second.mean()) < 4 * error
        assert first.std() == pytest.approx(second.std(), rel=0.35)


def test_views_have_the_same_moments_as_the_library_s() -> None:
    """Means and deviations of pixels over 1,000 draws; fog and elastic are drawn differently, the rest alike."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    mask = (image[..., 0] > 128).astype(np.uint8)
    ours, theirs = by_opencv("EXTREME"), by_albumentations("EXTREME")
    rows = []
    for way in (ours, theirs):
        views = [way(image, mask, seed) for seed in range(DRAWS)]
        rows.append([[one.mean(), one.std(), labels.mean()] for one, labels in views])
    first, second = np.array(rows)
    error = np.sqrt((first.var(0) + second.var(0)) / DRAWS)
    assert (np.abs(first.mean(0) - second.mean(0)) < 3 * error).all()
    assert np.allclose(first.std(0), second.std(0), rtol=0.06)
