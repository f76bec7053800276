"""What a planned trial says of its tiles."""

from __future__ import annotations

from dataclasses import replace

from tests.cases.experiments import trial_plan
from trainables.data.folds import Fold

ALL = ("t1", "t2", "t3", "t4")


def test_a_trial_names_the_train_tiles_that_it_sees() -> None:
    plan = trial_plan("unet")
    assert plan.train_names(ALL) == ALL
    assert replace(plan, tiles=("t4", "t2")).train_names(ALL) == ("t4", "t2")


def test_folds_name_the_tiles_that_any_of_them_trains_on() -> None:
    folds = (Fold(val=("t1", "t2")), Fold(val=("t3", "t4")))
    plan = replace(trial_plan("unet"), folds=folds)
    assert plan.train_names(ALL) == ALL
    drawn = (replace(folds[0], train=("t4",)), replace(folds[1], train=("t1",)))
    assert replace(plan, folds=drawn).train_names(ALL) == ("t1", "t4")
