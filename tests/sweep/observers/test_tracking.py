"""Experiment tracking: refusals before the first trial, secrets, and what is written of a trial."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from sweep.cli.options import SweepOptions
from sweep.observers import tracking
from sweep.session.resolve import trackers_of
from tests.commands import Run, assert_refused
from tests.reports import epoch_of, final_of, plan_of
from trainables.errors import ExperimentError
from trainables.models.weights import Weights
from trainables.recipe import Recipe


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed")
def test_a_missing_package_is_named_with_its_extra(dataset: Path, tmp_path: Path, here: Run) -> None:
    done = here("phase1", "--profile", "smoke", "--patches", dataset, "--storage", tmp_path, "--wandb", "roofs")
    assert_refused(done, "pip install 'tilesweep[wandb]'")


def test_an_mlflow_that_does_not_answer_is_said_before_any_trial_and_without_its_password() -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(ExperimentError, match=r"--mlflow http://me:\*\*\*@127.0.0.1:9: does not answer") as caught:
        tracking.require({"mlflow": "http://me:secret@127.0.0.1:9"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("option", "wanted"), [("mlflow", "a tracking URI"), ("wandb", "a project")])
def test_an_empty_value_is_refused(option: str, wanted: str) -> None:
    with pytest.raises(ExperimentError, match=f"^--{option}: is empty; give {wanted}$"):
        trackers_of(replace(SweepOptions(), **{option: " "}))
    assert trackers_of(replace(SweepOptions(), **{option: "x"})) == {option: "x"}
    assert trackers_of(SweepOptions()) == {}


def test_parameters_are_the_recipe_s_fields_and_what_was_drawn() -> None:
    recipe = Recipe(learning_rate=0.002)
    plan = replace(plan_of("a", recipe=recipe), weights=Weights(kind="random"), tiles=("a", "b"), draw=1)
    assert tracking.parameters(plan) == {**recipe.to_dict(), "weights": "random", "tiles": 2, "draw": 1, "folds": 0}
    assert tracking.parameters(plan_of("a"))["tiles"] == "all"


def test_only_numbers_that_trackers_show_are_written() -> None:
    assert tracking.numbers(final_of(0.5)) == {"final_val_iou": 0.5, "final_val_f1": 0.5}
    found = tracking.numbers(epoch_of(2))
    assert (found["epoch"], found["val_iou"]) == (2.0, 0.2) and "step_seconds" not in found and len(found) == 10
