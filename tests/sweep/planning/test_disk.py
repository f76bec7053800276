"""The room that a sweep needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.planning.disk import require_room, size, sweep_bytes, trial_bytes
from sweep.planning.halving import AshaPause
from sweep.planning.plan import SweepPlan
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan
from tests.models import TINY
from tests.reports import plan_of
from trainables.checkpoints import dump_state
from trainables.data.tiles import TuningData
from trainables.errors import StorageError
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.storage import Storage
from trainables.training import Trainer


def _plan(architecture: str = "unet", **changes: object) -> TrialPlan:
    recipe = Recipe(architecture=architecture, model_size="tiny", crop_size=64, **changes)  # type: ignore[arg-type]
    return plan_of(architecture, recipe=recipe, weights=Weights(kind="random"))


@pytest.mark.parametrize("architecture", TINY)
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_states_size_is_foreseen(dataset: Path, architecture: str, ema: float) -> None:
    import torch

    data = TuningData.read(dataset)
    plan = _plan(architecture, ema_decay=ema, draws_per_epoch=4, batch_size=4, max_epochs=1)
    trainer = Trainer(plan.recipe, data, torch.device("cpu"), plan.weights)
    trainer.train_epoch()
    _, foreseen = trial_bytes(plan.recipe, data)
    headers = 150_000  # names and offsets of some hundred tensors, whatever their size
    assert foreseen * 0.8 - headers < len(dump_state(trainer.state_dict())) < foreseen * 1.2 + headers


def test_running_trials_hold_two_states_and_a_new_one(dataset: Path) -> None:
    data = TuningData.read(dataset)
    plan = SweepPlan(trials=tuple(replace(_plan(), attempt=f"t{number}") for number in range(5)))
    ended, state = trial_bytes(_plan().recipe, data)
    assert sweep_bytes(plan, data, 2) == 5 * ended + 2 * 3 * state
    policy = AshaPause(max_epochs=9, grace_epochs=1, reduction_factor=3)
    assert sweep_bytes(replace(plan, policy=policy), data, 2) == 5 * ended + 2 * 3 * state + 3 * 2 * state


def test_too_little_room_is_refused_and_what_lies_there_counts(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    free = experiment.storage.free_bytes()
    assert free
    require_room(experiment, 0)
    with pytest.raises(StorageError, match=r"more and .* are free; make room"):
        require_room(experiment, 3 * free)
    experiment.write("unet/best", b"x" * 5000)
    assert experiment.storage.size("e") == 5000


@pytest.mark.parametrize(("number", "text"), [(0, "0 MB"), (-5, "0 MB"), (83e7, "830 MB"), (1.44e9, "1.4 GB")])
def test_sizes_are_written_for_people(number: float, text: str) -> None:
    assert size(number) == text
