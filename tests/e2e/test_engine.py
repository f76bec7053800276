"""The engine on real Ray: logical GPUs, a diverging trial among sound ones, rivals and strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.engine.experiment import Experiment
from sweep.engine.resources import Resources
from sweep.engine.runner import run_trials
from sweep.engine.trials import TrialPlan
from sweep.results.leaderboard import Leaderboard
from sweep.results.store import collect
from trainables.data.tiles import TuningData
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.storage import Storage


@pytest.fixture(scope="module")
def four_gpus() -> Iterator[None]:
    """A node that says it has four GPUs."""
    ray.init("local", num_cpus=4, num_gpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def _plan(attempt: str, recipe: Recipe, group: str | None = None) -> TrialPlan:
    return TrialPlan(attempt=attempt, group=group or attempt, recipe=recipe, weights=Weights(kind="none"))


def _experiment(folder: Path, name: str, trials: list[TrialPlan], data: TuningData) -> Experiment:
    experiment = Experiment(Storage.open(str(folder)), name)
    experiment.describe(
        {
            "data": {"name": "d", "synthetic": False, "fingerprint": data.fingerprint},
            "trials": [trial.config("cpu") for trial in trials],
        }
    )
    return experiment


def _recipe(**changes: str | float) -> Recipe:
    return shared_recipe("unet", get_profile("smoke")).replace(**changes)


def test_a_diverging_trial_fails_alone_and_the_others_go_on(four_gpus: None, dataset: Path, tmp_path: Path) -> None:
    data = TuningData.read(dataset)
    trials = [
        _plan("sound", _recipe()),
        _plan(
            "diverging", _recipe(learning_rate=1.0, precision="fp16", batch_size=2, draws_per_epoch=32, max_epochs=6)
        ),
    ]
    experiment = _experiment(tmp_path, "e", trials, data)
    # One GPU each on a node of four: both run at once, each in its own slot.
    resources = Resources(
        device="cpu", cpus_per_trial=1, gpus_per_trial=1.0, concurrent=4, total_cpus=4, total_gpus=4.0
    )
    assert run_trials(experiment, trials, data, resources)
    rows = {row["attempt"]: row for row in collect(experiment).to_pylist()}
    assert rows["sound"]["status"] == "finished"
    assert rows["diverging"]["status"] == "failed"
    assert re.search(r"loss is (nan|inf) in epoch \d at learning rate 1$", rows["diverging"]["failure"])
    assert "failed" in (tmp_path / "e" / "diverging" / "trial.log").read_text()
    board = Leaderboard(experiment).markdown()
    assert "[failed]" in board


def test_trials_of_one_architecture_never_stop_each_other_in_phase_1(
    four_gpus: None, dataset: Path, tmp_path: Path
) -> None:
    data = TuningData.read(dataset)
    trials = [_plan(f"unet-{seed}", _recipe(seed=seed, max_epochs=4, patience=4)) for seed in range(3)]
    experiment = _experiment(tmp_path, "e", trials, data)
    resources = Resources(
        device="cpu", cpus_per_trial=1, gpus_per_trial=0.5, concurrent=3, total_cpus=4, total_gpus=4.0
    )
    assert run_trials(experiment, trials, data, resources)
    assert {row["epochs"] for row in collect(experiment).to_pylist()} == {4}


def test_rivals_are_stopped_and_say_so(four_gpus: None, dataset: Path, tmp_path: Path) -> None:
    data = TuningData.read(dataset)
    good = _recipe(learning_rate=0.02, max_epochs=9, patience=9, draws_per_epoch=32)
    bad = good.replace(learning_rate=1e-7)
    trials = [_plan("good", good, "unet"), _plan("bad", bad, "unet")]
    experiment = _experiment(tmp_path, "e", trials, data)
    resources = Resources(device="cpu", cpus_per_trial=1, gpus_per_trial=0.0, concurrent=1, total_cpus=4, total_gpus=0)
    assert run_trials(experiment, trials, data, resources)
    rows = {row["attempt"]: row for row in collect(experiment).to_pylist()}
    assert rows["good"]["status"] == "finished"
    assert rows["bad"]["status"] == "stopped" and rows["bad"]["epochs"] < 9
