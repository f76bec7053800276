"""The memory ladder: half batches, then activation checkpointing, then infeasible; told in log and row."""

from __future__ import annotations

import copy
import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models import TINY
from trainables.data.tiles import TuningData
from trainables.errors import InfeasibleError
from trainables.losses.ce_dice import bce_dice_loss
from trainables.memory import MemoryLadder, checkpoint_blocks
from trainables.models.registry import ARCHITECTURES, build_model
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.segmentation import SegmentationTrainable
from trainables.training import Trainer

CPU = torch.device("cpu")


def _recipe(architecture: str = "unet", **changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "architecture": architecture,
        "model_size": "tiny",
        "crop_size": 64,
        "draws_per_epoch": 8,
        "batch_size": 4,
        "max_epochs": 2,
        "decoder_dropout": 0.3,
    }
    return Recipe(**{**values, **changes})


def _fails_above(trainer: Trainer, views: int) -> list[int]:
    """Let the real step raise CUDA's own error wherever a training forward pass holds more than some views."""
    seen: list[int] = []

    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if module.training:
            seen.append(len(inputs[0]))
            if len(inputs[0]) > views:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore lines")

    trainer.model.register_forward_pre_hook(hook)
    return seen


@pytest.fixture
def data(dataset: Path) -> TuningData:
    return TuningData.read(dataset)


def test_half_batches_are_the_first_rung_and_no_draw_is_lost(data: TuningData) -> None:
    trainer = Trainer(_recipe(), data, CPU)
    seen = _fails_above(trainer, 2)
    assert trainer.train_epoch().memory_measures == "half batches"
    assert seen == [4, 2, 2, 2, 2]
    assert trainer.memory.news == [
        "out of memory (CUDA out of memory. Tried to allocate 2.00 GiB.); continuing with half batches, the same "
        "effective batch"
    ]


def test_accumulated_halves_give_the_gradient_of_the_whole_batch() -> None:
    """Where no layer mixes the views of a batch; BatchNorm sees halves and differs by that."""
    torch.manual_seed(0)
    model = nn.Conv2d(3, 1, 3, padding=1)
    images, masks = torch.rand(5, 3, 16, 16), (torch.rand(5, 1, 16, 16) > 0.5).float()

    def gradient(parts: int) -> Tensor:
        model.zero_grad()
        for some, truth in zip(images.chunk(parts), masks.chunk(parts), strict=True):
            torch.autograd.backward(bce_dice_loss(model(some), truth, 0.5) * (len(some) / len(images)))
        assert model.weight.grad is not None
        return model.weight.grad.clone()

    torch.testing.assert_close(gradient(2), gradient(1))


def test_the_ladder_ends_in_infeasible(data: TuningData) -> None:
    trainer = Trainer(_recipe(), data, CPU)
    _fails_above(trainer, 0)
    with pytest.raises(InfeasibleError, match="half batches, activation checkpointing at batches of 4"):
        trainer.train_epoch()
    assert len(trainer.memory.news) == 2


def test_small_batches_go_to_checkpointing_at_once() -> None:
    ladder = MemoryLadder(nn.Sequential(nn.Conv2d(3, 1, 1)))
    ladder.climb(3, "full")
    assert ladder.rung == 2 and ladder.parts(3) == 1


@pytest.mark.parametrize("architecture", TINY)
def test_activation_checkpointing_changes_no_number(data: TuningData, architecture: str) -> None:
    weights = Weights(kind="none" if ARCHITECTURES[architecture].needs == "none" else "random")
    plain, checkpointed = (Trainer(_recipe(architecture), data, CPU, weights) for _ in range(2))
    checkpoint_blocks(checkpointed.model)
    for _ in range(2):
        one, other = plain.train_epoch(), checkpointed.train_epoch()
        assert (one.train_loss, one.val_loss, one.tile_iou) == (other.train_loss, other.val_loss, other.tile_iou)
    for (name, ours), theirs in zip(
        checkpointed.model.state_dict().items(), plain.model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def test_checkpointed_blocks_keep_less(data: TuningData) -> None:
    def kept(checkpointing: bool) -> int:
        model = build_model(_recipe(), Weights(kind="none"))
        if checkpointing:
            checkpoint_blocks(model)
        total = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model.train()(torch.rand(2, 3, 64, 64))
        return total

    assert kept(True) < 0.6 * kept(False)


def test_a_resumed_training_stays_on_its_rung(data: TuningData) -> None:
    trainer = Trainer(_recipe(), data, CPU)
    _fails_above(trainer, 2)
    trainer.train_epoch()
    again = Trainer(_recipe(), data, CPU)
    again.load_state_dict(copy.deepcopy(trainer.state_dict()))
    assert again.memory.measures == "half batches"
    assert again.train_epoch().train_loss == trainer.train_epoch().train_loss


def _trial(data: TuningData, folder: Path) -> SegmentationTrainable:
    folder.mkdir(exist_ok=True)
    config = {
        "attempt": "unet",
        "recipe": _recipe().to_dict(),
        "weights": {"kind": "none"},
        "tiles": [],
        "device": "cpu",
        "compiled": False,
        "trace": False,
        "folder": str(folder),
    }

    class Trial(SegmentationTrainable):
        def setup(self, config: dict[str, Any], data: TuningData | None = data) -> None:
            super().setup(config, data)

    return Trial({"trial": config})


def test_an_infeasible_trial_says_each_step_in_its_log_and_fails(
    data: TuningData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Trainer.__init__

    def build(self: Trainer, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        _fails_above(self, 0)

    monkeypatch.setattr(Trainer, "__init__", build)
    report = _trial(data, tmp_path / "unet").train()
    assert report["done"] and not report["finished"] and report["failure"].startswith("infeasible: out of memory with")
    log = (tmp_path / "unet/trial.log").read_text()
    assert log.index("continuing with half batches,") < log.index("activation checkpointing") < log.index("failed: inf")


def test_what_was_done_is_in_the_trials_row(data: TuningData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Trainer.__init__

    def build(self: Trainer, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        _fails_above(self, 2)

    monkeypatch.setattr(Trainer, "__init__", build)
    assert _trial(data, tmp_path / "unet").train()["memory_measures"] == "half batches"
    with (tmp_path / "unet/history.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["memory_measures"] == "half batches"


def test_a_model_that_does_not_even_fit_is_infeasible(
    data: TuningData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(self: Trainer, *arguments: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80.00 GiB.")

    monkeypatch.setattr(Trainer, "__init__", build)
    assert "infeasible: CUDA out of memory" in _trial(data, tmp_path / "unet").train()["failure"]


def test_a_storage_that_is_lost_halts_the_trial_and_is_no_failure(data: TuningData, tmp_path: Path) -> None:
    trial = _trial(data, tmp_path / "unet")
    assert trial.train()["epoch"] == 1
    (tmp_path / "unet").rename(tmp_path / "gone")
    report = trial.train()
    assert "cannot be written" in report["halted"] and "failure" not in report and not report["done"]
    assert not (tmp_path / "unet").exists(), "no empty folder takes the place of the one that vanished"
    (tmp_path / "gone").rename(tmp_path / "unet")
    again = _trial(data, tmp_path / "unet")
    reports = [again.train() for _ in range(2)]
    assert [(report["epoch"], report["replayed"]) for report in reports] == [(1, True), (2, False)]
