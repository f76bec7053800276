"""Temperatures: one that is known is given back, and a threshold decides as before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.calibration import CalibrationCounts, error_of_bins
from trainables.task import IGNORE_INDEX
from trainables.temperature import (
    LARGEST,
    SMALLEST,
    TileSample,
    best_temperature,
    best_threshold,
    calibrated_threshold,
    mean_ious,
    pixels_of_a_tile,
    raw_threshold,
)


def honest(channels: int, seed: int, side: int = 128) -> tuple[torch.Tensor, np.ndarray]:
    """Return (C, H, W) logits that mean what they say, and classes that were drawn by them."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(channels, side, side, generator=generator)
    if channels == 1:
        truth = torch.rand(side, side, generator=generator) < logits[0].sigmoid()
    else:
        truth = torch.multinomial(logits.softmax(0).flatten(1).T, 1, generator=generator).reshape(side, side)
    return logits, truth.numpy().astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("known", [0.4, 1.0, 2.5, 6.0])
def test_a_known_temperature_is_given_back_and_the_error_goes(channels: int, known: float) -> None:
    samples = [TileSample.of(known * logits, truth) for logits, truth in (honest(channels, seed) for seed in range(4))]
    found = best_temperature(samples)
    assert found == pytest.approx(known, rel=0.03)
    before, after = (error_of_bins(sum(one.bins(heat) for one in samples)) for heat in (1.0, found))
    assert after < 0.012
    assert (before > 4 * after) == (known != 1.0)


def test_what_is_never_wrong_has_the_lowest_temperature_and_what_knows_nothing_the_highest() -> None:
    logits, _ = honest(1, 0)
    assert best_temperature([TileSample.of(logits, (logits[0] > 0).numpy().astype(np.uint8))]) == SMALLEST
    assert best_temperature([TileSample.of(logits, (logits[0] < 0).numpy().astype(np.uint8))]) == LARGEST


def test_pixels_that_do_not_count_decide_nothing() -> None:
    logits, truth = honest(1, 1)
    wrong = truth.copy()
    wrong[:40] = IGNORE_INDEX
    loud = logits.clone()
    loud[:, :40] = 100
    there, alone = TileSample.of(loud, wrong), TileSample.of(logits[:, 40:], truth[40:])
    assert best_temperature([there]) == best_temperature([alone])
    assert np.array_equal(there.bins(2.0), alone.bins(2.0)) and np.array_equal(mean_ious([there]), mean_ious([alone]))


def test_of_a_large_tile_every_few_pixels_are_kept_and_its_iou_is_of_all() -> None:
    logits, truth = honest(1, 2)
    some = TileSample.of(logits, truth, most=1024)
    assert some.bins(1.0)[0].sum() == 32 * 32
    assert torch.equal(some.logits, logits[:, ::4, ::4].flatten(1))
    assert np.array_equal(mean_ious([some]), mean_ious([TileSample.of(logits, truth)]))


def test_error_and_iou_are_those_of_the_calibration_counts() -> None:
    logits, truth = honest(1, 3)
    counts, sample = CalibrationCounts(), TileSample.of(logits, truth)
    counts.add(logits, truth)
    expected = counts.result()
    assert error_of_bins(sample.bins(1.0)) == pytest.approx(expected.calibration_error)
    assert mean_ious([sample])[512] == expected.iou_at_half
    assert best_threshold([sample]) == expected.threshold


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.95])
@pytest.mark.parametrize("temperature", [SMALLEST, 1.0, 3.0, LARGEST])
def test_a_threshold_of_calibrated_probabilities_decides_as_that_of_the_others(
    threshold: float, temperature: float
) -> None:
    then = calibrated_threshold(threshold, temperature)
    assert 0 < then < 1
    logits = torch.linspace(-4, 4, 1000, dtype=torch.float64)
    assert torch.equal((logits / temperature).sigmoid() >= then, logits.sigmoid() >= threshold)
    if temperature >= 1:
        assert raw_threshold(then, temperature) == pytest.approx(threshold)


def test_many_tiles_fit_into_memory_with_fewer_pixels_each() -> None:
    assert pixels_of_a_tile(24, 1) == 2**16 and pixels_of_a_tile(2**12, 8) == 2**11
