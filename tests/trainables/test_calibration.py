"""Thresholds and calibration error, by hand and against a brute-force sweep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainables.calibration import THRESHOLDS, Calibration, CalibrationCounts, logit
from trainables.metrics import SplitScore, score_mask


def _calibrate(*tiles: tuple[list[float], list[int]]) -> Calibration:
    """Calibrate on rows of probabilities and their truths."""
    counts = CalibrationCounts()
    for probabilities, truth in tiles:
        counts.add(torch.logit(torch.tensor([probabilities])), np.array([truth], dtype=np.uint8))
    return counts.result()


def test_the_threshold_lies_between_what_is_foreground_and_what_is_not() -> None:
    found = _calibrate(([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]))
    assert found.iou == 1 and found.iou_at_half == 0
    assert found.threshold == 307 / 1024  # the multiple of 1/1024 nearest to 0.5 that is at most 0.3
    high = _calibrate(([0.6, 0.7, 0.8, 0.9], [0, 0, 1, 1]))
    assert high.iou == 1 and high.iou_at_half == 0.5
    assert high.threshold == 717 / 1024  # the first one above 0.7


def test_half_wins_among_equals() -> None:
    assert _calibrate(([0.1, 0.9], [0, 1])).threshold == 0.5


def test_each_tile_counts_the_same_whatever_its_size() -> None:
    # At 0.5 the first tile scores 1/3 (one of three found), the second 1.
    found = _calibrate(([0.6, 0.4, 0.4, 0.1], [1, 1, 1, 0]), ([0.9], [1]))
    assert found.iou_at_half == pytest.approx((1 / 3 + 1) / 2)
    assert found.iou == 1 and found.tiles == 2


def test_a_tile_that_is_empty_in_both_scores_one() -> None:
    assert _calibrate(([0.2, 0.3], [0, 0])).iou_at_half == 1
    assert _calibrate(([0.2, 0.7], [0, 0])).iou_at_half == 0


def test_the_sign_of_the_logit_decides_at_half() -> None:
    counts = CalibrationCounts()
    counts.add(torch.tensor([[0.0, -1e-30]]), np.array([[1, 0]], dtype=np.uint8))
    assert counts.result().iou_at_half == 1


def test_the_calibration_error_by_hand() -> None:
    # Bin 3 of 15, [0.2, 0.267): two pixels of mean 0.25, half of them foreground: 0.25 off, weight 1/2.
    # Bin 11, [0.733, 0.8): two pixels of mean 0.75, all foreground: 0.25 off, weight 1/2.
    assert _calibrate(([0.25, 0.25, 0.75, 0.75], [0, 1, 1, 1])).calibration_error == pytest.approx(0.25)
    # One bin cancels out: 0.25 is right for one in four.
    assert _calibrate(([0.25] * 4, [0, 1, 0, 0])).calibration_error == pytest.approx(0)
    # A certain, wrong model: 1 in the last bin, which takes p = 1 in.
    counts = CalibrationCounts()
    counts.add(torch.full((2, 2), 100.0), np.zeros((2, 2), dtype=np.uint8))
    assert counts.result().calibration_error == 1


def test_the_error_weighs_pixels_and_the_iou_weighs_tiles() -> None:
    # Three pixels are 0.5 off and one is 0 off, whichever tile they are in.
    found = _calibrate(([0.5, 0.5, 0.5], [1, 1, 1]), ([0.001], [0]))
    assert found.calibration_error == pytest.approx((3 * 0.5 + 0.001) / 4)


@given(
    tiles=st.lists(
        st.tuples(
            arrays(np.float32, (3, 4), elements=st.floats(-12, 12, width=32)),
            arrays(np.uint8, (3, 4), elements=st.integers(0, 1)),
        ),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=40)
def test_it_is_the_best_of_all_thresholds(tiles: list[tuple[np.ndarray, np.ndarray]]) -> None:
    counts = CalibrationCounts()
    for logits, truth in tiles:
        counts.add(torch.tensor(logits), truth)
    found = counts.result()

    def score(threshold: float) -> float:
        masks = [
            logits >= 0 if threshold == 0.5 else torch.tensor(logits).sigmoid().numpy() >= np.float32(threshold)
            for logits, _ in tiles
        ]
        scores = [score_mask("t", mask.astype(np.uint8), truth) for mask, (_, truth) in zip(masks, tiles, strict=True)]
        return SplitScore(tiles=tuple(scores)).iou

    swept = [score(place / THRESHOLDS) for place in range(1, THRESHOLDS)]
    assert found.iou == pytest.approx(max(swept)) and found.iou == pytest.approx(score(found.threshold))
    assert found.iou_at_half == pytest.approx(score(0.5))


def test_the_logit_of_a_threshold() -> None:
    assert logit(0.5) == 0
    assert torch.sigmoid(torch.tensor(logit(0.25))).item() == pytest.approx(0.25)
