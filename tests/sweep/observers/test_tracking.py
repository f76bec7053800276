"""Experiment tracking: refusals before the first trial, secrets, and faults that a sweep outlives."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from sweep.observers.tracking import Tracking, harmless, measured, parameters
from tests.e2e.conftest import Run, assert_refused, run  # noqa: F401  (a fixture)
from trainables.errors import ExperimentError
from trainables.recipe import Recipe


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed")
def test_a_missing_package_is_named_with_its_extra(dataset: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    done = run("phase1", "--profile", "smoke", "--patches", dataset, "--storage", tmp_path, "--wandb", "roofs")
    assert_refused(done, "pip install 'tilesweep[wandb]'")


def test_an_mlflow_that_does_not_answer_is_told_before_any_trial_and_without_its_password() -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(ExperimentError, match=r"--mlflow http://me:\*\*\*@127.0.0.1:9: does not answer") as caught:
        Tracking(mlflow="http://me:secret@127.0.0.1:9").require()
    assert "secret" not in str(caught.value)


def test_what_is_stored_has_no_password() -> None:
    shown = Tracking(mlflow="postgresql://me:secret@host/db", wandb="roofs").shown()
    assert shown == {"mlflow": "postgresql://me:***@host/db", "wandb": "roofs"}
    assert Tracking().shown() == {"mlflow": None, "wandb": None}


@pytest.mark.parametrize("flag", ["--mlflow", "--wandb"])
def test_an_empty_value_is_refused(flag: str, dataset: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    done = run("phase1", "--profile", "smoke", "--patches", dataset, "--storage", tmp_path, flag, "")
    assert_refused(done, f"{flag}: is empty")


def test_parameters_are_the_recipe_s_fields() -> None:
    recipe = Recipe(learning_rate=0.002)
    settings = {"recipe": recipe.to_dict(), "weights": {"kind": "random"}, "tiles": ["a", "b"], "draw": 1}
    found = parameters(json.loads(json.dumps(settings)))
    assert found == {**recipe.to_dict(), "weights": "random", "tiles": 2, "draw": 1}
    assert found["learning_rate"] == 0.002


def test_only_an_epoch_s_numbers_are_told() -> None:
    assert measured({"epoch": 2, "val_iou": 0.5, "worst_tile": "t1", "time_total_s": 9.0}) == {
        "epoch": 2.0,
        "val_iou": 0.5,
    }
    assert measured({"halted": "gone"}) == {}
    assert measured({"failure": "loss is nan", "val_iou": float("nan")}) == {}


def test_a_service_that_fails_is_told_of_once_and_ends_no_sweep(caplog: pytest.LogCaptureFixture) -> None:
    @harmless
    def log(epoch: int) -> None:
        raise ConnectionError(f"epoch {epoch}")

    log(1)
    log(2)
    assert [record.getMessage() for record in caplog.records] == [
        "experiment tracking failed, the sweep goes on: ConnectionError: epoch 1"
    ]
