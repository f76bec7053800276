"""IoU and F1 on masks small enough to count by eye."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.metrics import SplitScore, score_mask

TRUTH = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.uint8)
EMPTY = np.zeros((4, 4), dtype=np.uint8)


def test_identical_masks_score_one() -> None:
    score = score_mask("a", TRUTH, TRUTH)
    assert (score.iou, score.f1) == (1.0, 1.0)


def test_half_overlap() -> None:
    predicted = np.roll(TRUTH, 1, axis=1)  # two pixels found, two false, two missed
    score = score_mask("a", predicted, TRUTH)
    assert score.confusion == ((TRUTH.size - 6, 2), (2, 2))
    assert score.iou == pytest.approx(2 / 6)
    assert score.f1 == pytest.approx(4 / 8)


def test_disjoint_masks_score_zero() -> None:
    score = score_mask("a", np.rot90(TRUTH, 2), TRUTH)
    assert (score.iou, score.f1) == (0.0, 0.0)


def test_empty_truth_is_one_when_nothing_is_predicted_and_zero_otherwise() -> None:
    assert score_mask("a", EMPTY, EMPTY).iou == 1.0
    assert score_mask("a", EMPTY, EMPTY).f1 == 1.0
    assert score_mask("a", TRUTH, EMPTY).iou == 0.0
    assert score_mask("a", EMPTY, TRUTH).f1 == 0.0


def test_means_count_every_tile_the_same() -> None:
    large = np.ones((64, 64), dtype=np.uint8)
    split = SplitScore(tiles=(score_mask("good", large, large), score_mask("bad", EMPTY, TRUTH, loss=2.0)))
    assert split.iou == pytest.approx(0.5)
    assert split.f1 == pytest.approx(0.5)
    assert split.loss == pytest.approx(1.0)


def test_worst_tile_is_the_lowest_and_then_the_first_by_name() -> None:
    tiles = tuple(score_mask(name, EMPTY, TRUTH) for name in ("b", "a"))
    assert SplitScore(tiles=tiles).worst.name == "a"
