"""Which candidate of a contest wins, and when it has not been decided."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.records.trial_result import TrialResult
from sweep.records.winners import winners
from tests.rows import result_of


def training(attempt: str, val_iou: float | None, **changes: Any) -> TrialResult:
    return result_of(attempt, val_iou, contest="unet", **changes)


def won(*trials: TrialResult) -> list[str]:
    return [one.attempt for one in winners(trials).get("unet", [])]


def test_the_best_val_iou_wins_and_of_two_equals_the_earlier_one() -> None:
    assert won(training("a", 0.5), training("b", 0.7), training("c", 0.7)) == ["b"]


@pytest.mark.parametrize("status", ["waiting", "unfinished", "stopped", "failed"])
def test_only_what_has_finished_can_win(status: str) -> None:
    assert won(training("a", 0.9, status=status), training("b", 0.1)) == ["b"]
    assert won(training("a", None, status=status)) == []


def test_a_candidate_wins_by_the_mean_of_its_trainings_with_all_of_them() -> None:
    lucky = [training(f"a{seed}", iou, candidate="a") for seed, iou in enumerate((0.9, 0.1))]
    steady = [training(f"b{seed}", iou, candidate="b") for seed, iou in enumerate((0.6, 0.7))]
    assert won(*lucky, *steady) == ["b0", "b1"]


def test_a_failed_training_is_not_averaged_away() -> None:
    broken = [training(f"a{seed}", iou, candidate="a") for seed, iou in enumerate((0.9, None))]
    whole = [training(f"b{seed}", iou, candidate="b") for seed, iou in enumerate((0.6, 0.5))]
    assert won(*broken, *whole) == ["b0", "b1"]
    assert won(*broken) == ["a0"]


def test_nothing_is_decided_while_a_candidate_is_still_trained() -> None:
    rows = [training(f"a{seed}", 0.9, candidate="a") for seed in range(2)]
    assert won(*rows, training("b0", 0.5, candidate="b"), training("b1", None, candidate="b", status="waiting")) == []


def test_a_preliminary_trial_never_wins() -> None:
    assert won(training("a", 0.9, preliminary=True), training("b", 0.1)) == ["b"]
