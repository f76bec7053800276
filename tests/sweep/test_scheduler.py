"""ASHA by group: rivals are compared, strangers and lone trials never."""

from __future__ import annotations

from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from sweep.engine.scheduler import GroupedASHA


class _Trial:
    """What the scheduler reads of a trial."""

    def __init__(self, trial_id: str, group: str) -> None:
        self.trial_id = trial_id
        self.config: dict[str, Any] = {"trial": {"group": group}}


def _report(scheduler: GroupedASHA, trial: _Trial, epoch: int, iou: float) -> str:
    return scheduler.on_trial_result(None, trial, {"training_iteration": epoch, "val_iou": iou})  # type: ignore[arg-type]


def _add(scheduler: GroupedASHA, *trials: _Trial) -> None:
    for trial in trials:
        scheduler.on_trial_add(None, trial)  # type: ignore[arg-type]


def test_the_worse_of_two_rivals_is_stopped_at_the_first_rung() -> None:
    scheduler = GroupedASHA(max_epochs=9, grace_epochs=1, reduction_factor=3)
    good, bad = _Trial("good", "unet"), _Trial("bad", "unet")
    _add(scheduler, good, bad)
    assert _report(scheduler, good, 1, 0.8) == TrialScheduler.CONTINUE
    assert _report(scheduler, bad, 1, 0.2) == TrialScheduler.STOP


def test_a_slow_starter_of_another_group_survives() -> None:
    scheduler = GroupedASHA(max_epochs=9)
    fast, slow = _Trial("fast", "unet"), _Trial("slow", "sam_vit_b_conv")
    _add(scheduler, fast, slow)
    for epoch in range(1, 10):
        assert _report(scheduler, fast, epoch, 0.9) == TrialScheduler.CONTINUE
        assert _report(scheduler, slow, epoch, 0.1) == TrialScheduler.CONTINUE


def test_a_trial_alone_in_its_group_is_never_stopped_however_bad_it_gets() -> None:
    scheduler = GroupedASHA(max_epochs=9)
    lone = _Trial("lone", "lone")
    _add(scheduler, lone)
    for epoch, iou in enumerate([0.9, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], start=1):
        assert _report(scheduler, lone, epoch, iou) == TrialScheduler.CONTINUE


def test_another_metric_than_the_one_it_maximises_is_refused() -> None:
    scheduler = GroupedASHA(max_epochs=9)
    assert scheduler.set_search_properties("val_iou", "max")
    assert not scheduler.set_search_properties("loss", "min")


def test_a_grace_period_beyond_the_maximum_is_cut() -> None:
    scheduler = GroupedASHA(max_epochs=2, grace_epochs=5)
    trial = _Trial("a", "g")
    _add(scheduler, trial)
    assert _report(scheduler, trial, 1, 0.5) == TrialScheduler.CONTINUE


@pytest.mark.parametrize("group", ["unet", "sam_vit_b_conv"])
def test_rungs_are_described_by_group(group: str) -> None:
    scheduler = GroupedASHA(max_epochs=9)
    _add(scheduler, _Trial("a", group))
    assert scheduler.debug_string().startswith(f"{group}: ")
