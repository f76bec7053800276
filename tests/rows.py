"""Trials with an outcome, and rows of a leaderboard, that nobody trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sweep.records.trial_result import TrialResult
from sweep.records.trials import TrialRecord
from sweep.results.rows import LeaderboardRow, Means
from sweep.results.statistics import Interval
from tests.reports import plan_of
from trainables.recipe import Recipe

DATA = {"name": "d", "synthetic": False, "fingerprint": "f", "train": ["a", "b"], "val": ["c"]}


def result_of(attempt: str = "unet", val_iou: float | None = None, **changes: Any) -> TrialResult:
    """Return a trial: finished with a score, failed without one.

    Args:
        attempt: Its name.
        val_iou: Its final score.
        changes: Other fields, and fields of its recipe.
    """
    recipe = Recipe(**{name: changes.pop(name) for name in [*changes] if name in Recipe.__dataclass_fields__})
    record = TrialRecord(plan=plan_of(attempt, recipe=recipe))
    status = "failed" if val_iou is None else "finished"
    found = TrialResult.of_record(record, {"data": DATA}, [])
    return replace(found, **{"val_iou": val_iou, "status": status, **changes})


def row_of(
    attempt: str = "unet", val: Interval | None = None, test: Interval | None = None, **changes: Any
) -> LeaderboardRow:
    """Return a contender of one training.

    Args:
        attempt: The training's name.
        val: Its val IoU, and its F1.
        test: Its test IoU, and its F1.
        changes: Other fields, and fields of its recipe.
    """
    on_val, on_test = Means(iou=val, f1=val), Means(iou=test, f1=test)
    usual = {
        "attempts": (attempt,),
        "repeats": 1,
        "repeats_failed": 0,
        "unranked": "",
        "collapsed": "",
        "collapsed_trainings": 0,
        "test_readings": 0,
        "test_trainings": 0,
        "val": on_val,
        "test": on_test,
        **on_val.plain("val"),
        **on_test.plain("test"),
    }
    recipe = {name: changes.pop(name) for name in [*changes] if name in Recipe.__dataclass_fields__}
    return LeaderboardRow.of_trial(result_of(attempt, 0.0, **recipe), **{**usual, **changes})
