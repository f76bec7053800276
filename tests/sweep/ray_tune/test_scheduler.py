"""ASHA by group: rivals are compared, strangers and lone trials never."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.schedulers import TrialScheduler

from sweep.planning.halving import Halving
from sweep.ray_tune.scheduler import GroupedASHA


class _Trial:
    """What the scheduler reads of a trial."""

    def __init__(self, trial_id: str, group: str, protected: bool = False) -> None:
        self.trial_id = f"tune-{trial_id}"  # Tune's own id, which does not outlive a resume
        self.config: dict[str, Any] = {"trial": {"group": group, "attempt": trial_id, "protected": protected}}


def _report(scheduler: GroupedASHA, trial: _Trial, epoch: int, iou: float) -> str:
    return scheduler.on_trial_result(None, trial, {"epoch": epoch, "best_val_iou": iou})  # type: ignore[arg-type]


def _halving(**changes: int) -> Halving:
    settings = {"max_epochs": 9, "grace_epochs": 1, "reduction_factor": 3, **changes}
    return Halving(pausing=False, **settings)


def test_the_worse_of_two_rivals_is_stopped_at_the_first_rung() -> None:
    scheduler = GroupedASHA(_halving())
    good, bad = _Trial("good", "unet"), _Trial("bad", "unet")
    assert _report(scheduler, good, 1, 0.8) == TrialScheduler.CONTINUE
    assert _report(scheduler, bad, 1, 0.2) == TrialScheduler.STOP


def test_a_slow_starter_of_another_group_survives() -> None:
    scheduler = GroupedASHA(_halving())
    fast, slow = _Trial("fast", "unet"), _Trial("slow", "sam_vit_b_conv")
    for epoch in range(1, 10):
        assert _report(scheduler, fast, epoch, 0.9) == TrialScheduler.CONTINUE
        assert _report(scheduler, slow, epoch, 0.1) == TrialScheduler.CONTINUE


def test_a_trial_alone_in_its_group_is_never_stopped_however_bad_it_gets() -> None:
    scheduler = GroupedASHA(_halving())
    lone = _Trial("lone", "lone")
    for epoch, iou in enumerate([0.9, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], start=1):
        assert _report(scheduler, lone, epoch, iou) == TrialScheduler.CONTINUE


def test_a_protected_trial_is_compared_with_and_never_stopped() -> None:
    scheduler = GroupedASHA(_halving())
    good, shared = _Trial("good", "unet"), _Trial("shared", "unet", protected=True)
    assert _report(scheduler, good, 1, 0.8) == TrialScheduler.CONTINUE
    assert _report(scheduler, shared, 1, 0.2) == TrialScheduler.CONTINUE
    assert _report(scheduler, _Trial("between", "unet"), 1, 0.5) == TrialScheduler.STOP


def test_rungs_that_start_with_known_curves_judge_the_first_trial() -> None:
    curve = dict.fromkeys(range(1, 10), 0.5)
    scheduler = GroupedASHA(_halving(), {"unet": {"phase1/unet": curve}})
    assert _report(scheduler, _Trial("worse", "unet"), 1, 0.4) == TrialScheduler.STOP
    assert _report(scheduler, _Trial("better", "unet"), 1, 0.6) == TrialScheduler.CONTINUE
    assert _report(scheduler, _Trial("stranger", "sam_vit_b_conv"), 1, 0.1) == TrialScheduler.CONTINUE


def test_a_trial_that_reports_again_after_a_resume_is_not_judged_anew() -> None:
    scheduler = GroupedASHA(_halving(), {"unet": {"first": {1: 0.5}, "second": {1: 0.6}, "third": {1: 0.9}}})
    assert _report(scheduler, _Trial("first", "unet"), 1, 0.5) == TrialScheduler.CONTINUE


@given(
    values=st.lists(st.integers(0, 100), min_size=6, max_size=20, unique=True),
    cut=st.integers(0, 19),
)
def test_decisions_do_not_change_when_the_rungs_are_rebuilt_from_curves(values: list[int], cut: int) -> None:
    """One trial at a time: a scheduler that heard everything, and one that a resume rebuilds in the middle."""

    def decide(scheduler: GroupedASHA, number: int) -> tuple[list[str], dict[int, float]]:
        trial, curve = _Trial(f"t{number}", "unet"), {}
        decisions = []
        for epoch in range(1, 10):
            curve[epoch] = values[number] / 100
            decisions.append(_report(scheduler, trial, epoch, curve[epoch]))
            if decisions[-1] == TrialScheduler.STOP:
                break
        return decisions, curve

    unbroken = GroupedASHA(_halving())
    expected = [decide(unbroken, number)[0] for number in range(len(values))]
    first = GroupedASHA(_halving())
    cut = min(cut, len(values) - 1)
    curves = {}
    got = []
    for number in range(cut):
        decisions, curves[f"t{number}"] = decide(first, number)
        got.append(decisions)
    second = GroupedASHA(_halving(), {"unet": curves})
    got += [decide(second, number)[0] for number in range(cut, len(values))]
    assert got == expected


@pytest.mark.parametrize("group", ["unet", "sam_vit_b_conv"])
def test_rungs_are_described_by_group(group: str) -> None:
    scheduler = GroupedASHA(_halving())
    _report(scheduler, _Trial("a", group), 1, 0.5)
    assert scheduler.debug_string().startswith(f"{group}: ")
