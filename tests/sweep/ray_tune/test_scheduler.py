"""What Tune hears of a group's decisions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from sweep.planning.policy import Decision
from sweep.ray_tune.scheduler import PolicyScheduler
from sweep.ray_tune.searcher import outcome_of


@pytest.mark.parametrize(
    ("decision", "said", "outcome"),
    [
        (Decision.CONTINUE, TrialScheduler.CONTINUE, "finished"),
        (Decision.PAUSE, TrialScheduler.STOP, "paused"),
        (Decision.STOP, TrialScheduler.STOP, "stopped"),
    ],
)
def test_a_trial_that_pauses_ends_for_tune_and_says_so(decision: Decision, said: str, outcome: str) -> None:
    asked = []

    def decide(trial_id: str, result: Any) -> Decision:
        asked.append((trial_id, result["epoch"]))
        return decision

    scheduler = PolicyScheduler(decide)
    trial: Any = SimpleNamespace(trial_id="a", last_result={"epoch": 1, "finished": outcome == "finished"})
    assert scheduler.on_trial_result(None, trial, {"epoch": 1}) == said
    scheduler.on_trial_complete(None, trial, {})
    assert outcome_of(trial.last_result) == outcome and asked == [("a", 1)]
