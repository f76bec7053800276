"""The training step: stages, schedule, checkpoints, and what happens when a loss diverges."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.checkpoints import BestWeights, dump_best, dump_state, load_best, parse_state, read_best
from trainables.data.tiles import Tile, TuningData
from trainables.diagnostics import epoch_block
from trainables.errors import DivergedError, ExperimentError, WeightsError
from trainables.models.base import encoder_fingerprint
from trainables.models.resolving import resolve
from trainables.models.weights import Weights
from trainables.precision import choose_dtype
from trainables.recipe import Recipe
from trainables.training import Trainer

CPU = torch.device("cpu")
SMALL = Recipe(model_size="tiny", crop_size=64, draws_per_epoch=8, max_epochs=4, augmentation="LIGHT")


def _tiles(count: int, first: int = 0) -> tuple[Tile, ...]:
    """Bright squares on dark noise, as read-only arrays: that is how they come out of the object store."""
    tiles = []
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        image = random.integers(0, 90, (96, 96, 3), dtype=np.uint8)
        mask = np.zeros((96, 96), dtype=np.uint8)
        top, left = random.integers(8, 40, 2)
        mask[top : top + 40, left : left + 40] = 1
        image[mask == 1] += np.uint8(150)
        image.setflags(write=False)
        mask.setflags(write=False)
        tiles.append(Tile(name=f"t{number}", image=image, mask=mask))
    return tuple(tiles)


@pytest.fixture(scope="module")
def data() -> TuningData:
    return TuningData(train=_tiles(3), val=_tiles(2, 10), name="squares", synthetic=True, fingerprint="f")


def _lite0(**changes: Any) -> tuple[Recipe, Weights]:
    """A recipe with a really pretrained encoder."""
    recipe = SMALL.replace(architecture="smp_unet_efficientnet_lite0", model_size="full", **changes)
    return recipe, resolve("imagenet-efficientnet-lite0", "available")


def test_a_loop_over_train_epoch_is_a_full_training_and_learns(data: TuningData) -> None:
    trainer = Trainer(SMALL.replace(learning_rate=0.02, draws_per_epoch=24, max_epochs=12, patience=12), data, CPU)
    results = []
    while not trainer.finished:
        results.append(trainer.train_epoch())
    assert [result.epoch for result in results] == list(range(1, 13))
    assert results[-1].train_loss < 0.5 * results[0].train_loss
    assert trainer.best.iou > 0.7
    assert trainer.best.iou == max(result.val_iou for result in results)


def test_an_auxiliary_head_is_part_of_the_loss(data: TuningData) -> None:
    trainer = Trainer(SMALL.replace(architecture="torchvision_deeplabv3_resnet50", draws_per_epoch=4), data, CPU)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items() if "aux" in name}
    with_both = trainer.train_epoch().train_loss
    after = trainer.model.state_dict()
    assert before and all(not torch.equal(value, after[name]) for name, value in before.items())
    alone = Trainer(trainer.recipe, data, CPU)
    alone.model.auxiliary = 0.0
    assert alone.train_epoch().train_loss < with_both


RESUMED = [
    "unet",
    "smp_deeplabv3plus_resnet34",
    "sam_vit_b_unet",
    "torchvision_deeplabv3_resnet50",
    "sam_vit_b_unet_lora",
    "segformer_b0",
    "mobile_sam_conv",
    "resnet34_unet",
]


@pytest.mark.parametrize("architecture", RESUMED)
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_training_takes_the_same_steps(data: TuningData, architecture: str, ema: float) -> None:
    recipe = SMALL.replace(architecture=architecture, ema_decay=ema, batch_size=2)
    unbroken = Trainer(recipe, data, CPU)
    expected = [unbroken.train_epoch() for _ in range(4)]
    broken = Trainer(recipe, data, CPU)
    for _ in range(2):
        broken.train_epoch()
    saved = dump_state(broken.state_dict())
    torch.manual_seed(99)  # whatever happened in between
    resumed = Trainer(recipe, data, CPU)
    resumed.load_state_dict(parse_state(saved, "saved"))
    for wanted in expected[2:]:
        got = resumed.train_epoch()
        assert (got.epoch, got.train_loss, got.val_loss) == (wanted.epoch, wanted.train_loss, wanted.val_loss)
        assert (got.val_f1, got.tile_iou, got.class_iou) == (wanted.val_f1, wanted.tile_iou, wanted.class_iou)
    assert resumed.best.iou == unbroken.best.iou


@pytest.mark.parametrize("architecture", ["unet", "smp_unet_resnet34", "sam_vit_b_conv"])
def test_a_resumed_training_takes_the_same_steps_in_bf16_too(data: TuningData, architecture: str) -> None:
    recipe = SMALL.replace(architecture=architecture, precision="bf16", batch_size=2)
    unbroken = Trainer(recipe, data, CPU)
    expected = [unbroken.train_epoch() for _ in range(3)]
    broken = Trainer(recipe, data, CPU)
    broken.train_epoch()
    resumed = Trainer(recipe, data, CPU)
    resumed.load_state_dict(parse_state(dump_state(broken.state_dict()), "saved"))
    for wanted in expected[1:]:
        got = resumed.train_epoch()
        assert (got.train_loss, got.val_loss, got.tile_iou) == (wanted.train_loss, wanted.val_loss, wanted.tile_iou)


def test_the_frozen_stage_is_followed_by_the_second_also_across_a_resume(data: TuningData) -> None:
    recipe, weights = _lite0(frozen_epochs=2, unfrozen_rate_factor=0.1, plateau_patience=0)
    trainer = Trainer(recipe, data, CPU, weights)
    before = {k: v.clone() for k, v in trainer.model.encoder.state_dict().items()}  # type: ignore[union-attr]
    first, second = trainer.train_epoch(), trainer.train_epoch()
    assert first.encoder_frozen and second.encoder_frozen
    assert all(torch.equal(v, before[k]) for k, v in trainer.model.encoder.state_dict().items())  # type: ignore[union-attr]
    saved = dump_state(trainer.state_dict())
    resumed = Trainer(recipe, data, CPU, weights)
    resumed.load_state_dict(parse_state(saved, "saved"))
    third, expected = resumed.train_epoch(), trainer.train_epoch()
    assert not third.encoder_frozen
    assert third.train_loss == expected.train_loss
    assert third.learning_rate == recipe.learning_rate  # whatever the plateau had made of it
    rates = [group["lr"] for group in resumed._optimizer.param_groups]
    assert rates[1] == pytest.approx(0.1 * rates[0])
    after = resumed.model.encoder.state_dict()  # type: ignore[union-attr]
    assert not torch.equal(after["model.conv_stem.weight"], before["model.conv_stem.weight"])
    assert not torch.equal(after["model.bn1.running_mean"], before["model.bn1.running_mean"])


def test_patience_does_not_end_a_training_before_the_encoder_ever_trained(data: TuningData) -> None:
    recipe, weights = _lite0(frozen_epochs=3, patience=1, max_epochs=9)
    trainer = Trainer(recipe, data, CPU, weights)
    trainer.best.iou = 2.0  # nothing will improve on it
    epochs = 0
    while not trainer.finished:
        trainer.train_epoch()
        epochs += 1
    assert epochs == 4


def test_a_random_encoder_is_not_frozen(data: TuningData) -> None:
    recipe = SMALL.replace(architecture="smp_unet_resnet34", frozen_epochs=3)
    assert not Trainer(recipe, data, CPU, Weights(kind="random")).train_epoch().encoder_frozen


def test_training_ends_early_when_val_iou_stops_rising(data: TuningData) -> None:
    trainer = Trainer(SMALL.replace(patience=2, max_epochs=50), data, CPU)
    trainer.best.iou = 2.0
    epochs = 0
    while not trainer.finished:
        trainer.train_epoch()
        epochs += 1
    assert epochs == 2


def test_the_rate_halves_on_a_plateau(data: TuningData) -> None:
    recipe = SMALL.replace(learning_rate=1e-6, plateau_patience=1, max_epochs=20, patience=20)
    trainer = Trainer(recipe, data, CPU)
    with torch.no_grad():
        trainer.model.head.bias.fill_(-50.0)  # type: ignore[union-attr, operator]
    rates = [trainer.train_epoch().learning_rate for _ in range(5)]
    assert rates[:2] == [1e-6, 1e-6]
    assert 5e-7 in rates and rates == sorted(rates, reverse=True)


def test_the_average_of_weights_is_what_is_scored_and_kept(data: TuningData) -> None:
    trainer = Trainer(SMALL.replace(ema_decay=0.999, learning_rate=0.05), data, CPU)
    start = trainer.model.head.weight.detach().clone()  # type: ignore[union-attr]
    trainer.train_epoch()
    kept, trained = trainer.best_state["head.weight"], trainer.model.head.weight  # type: ignore[union-attr]
    lag, way = (trained - kept).abs().max(), (trained - start).abs().max()
    assert 0.0 < lag < 0.5 * way, "it lags behind, and begins to forget the untrained weights at once"


def test_clipping_bounds_the_step(data: TuningData) -> None:
    losses = {
        norm: Trainer(SMALL.replace(clip_norm=norm, learning_rate=0.1), data, CPU).train_epoch().train_loss
        for norm in (0.0, 1e-9)
    }
    assert losses[0.0] != losses[1e-9]


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.01},
        {"weight_decay": 0.9},
        {"bce_weight": 0.1},
        {"decoder_dropout": 0.8},
        {"augmentation": "HEAVY"},
        {"seed": 7},
        {"batch_size": 2},
    ],
)
def test_every_knob_changes_the_training(data: TuningData, changes: dict[str, Any]) -> None:
    def losses(recipe: Recipe) -> list[float]:
        trainer = Trainer(recipe, data, CPU)
        return [trainer.train_epoch().train_loss for _ in range(2)]

    assert losses(SMALL) == losses(SMALL)
    assert losses(SMALL.replace(**changes)) != losses(SMALL)


def test_a_loss_that_is_not_finite_names_epoch_and_rate(data: TuningData) -> None:
    trainer = Trainer(SMALL, data, CPU)
    trainer.train_epoch()
    with torch.no_grad():
        trainer.model.head.weight.fill_(math.nan)  # type: ignore[union-attr, operator]
    with pytest.raises(DivergedError, match=r"epoch 2 at learning rate 0\.001"):
        trainer.train_epoch()


def test_validation_scores_the_window_and_every_tile_is_reported(data: TuningData) -> None:
    trainer = Trainer(SMALL.replace(validation_crop=64), data, CPU)
    scores = trainer.validate()
    assert list(trainer.train_epoch().tile_iou) == ["t10", "t11"]
    first = scores.tiles[0]
    assert sum(first.confusion[1]) == int(data.val[0].mask[16:80, 16:80].sum())


def test_arithmetic_follows_the_device() -> None:
    assert choose_dtype("auto", CPU) is torch.float32
    assert choose_dtype("bf16", CPU) is torch.bfloat16
    assert choose_dtype("fp16", torch.device("cuda")) is torch.float16


def test_bfloat16_trains_on_the_cpu_too(data: TuningData) -> None:
    assert math.isfinite(Trainer(SMALL.replace(precision="bf16"), data, CPU).train_epoch().train_loss)


def test_the_epoch_block_says_what_the_study_asks_for(data: TuningData) -> None:
    trainer = Trainer(SMALL, data, CPU)
    text = epoch_block(SMALL, trainer.train_epoch(), steps=trainer.steps_per_epoch, total_memory_bytes=2**34)
    for part in (
        "epoch 1/4",
        "learning rate 0.001",
        "8 draws, batch 4, 2 steps",
        "IoU",
        "F1",
        "2 tiles",
        "t10",
        "t11",
        "worst",
        "of 16.0 GiB",
        "step",
    ):
        assert part in text


def _save_best(trainer: Trainer, path: Path, **changes: Any) -> None:
    best = BestWeights(
        recipe=trainer.recipe,
        weights=trainer.weights,
        epoch=trainer.best.epoch,
        val_iou=trainer.best.iou,
        data_fingerprint="f",
        encoder_sha256=changes.get("encoder_sha256", encoder_fingerprint(trainer.model)),
    )
    path.write_bytes(dump_best(trainer.best_state, best))


@pytest.mark.parametrize("architecture", ["unet", "sam_vit_b_conv"])
def test_best_weights_rebuild_the_model(data: TuningData, tmp_path: Path, architecture: str) -> None:
    trainer = Trainer(SMALL.replace(architecture=architecture), data, CPU)
    trainer.train_epoch()
    _save_best(trainer, tmp_path / "best.safetensors")
    model, best = load_best(tmp_path / "best.safetensors")
    assert (best.recipe, best.epoch, best.data_fingerprint) == (trainer.recipe, 1, "f")
    image = torch.rand(1, 3, 64, 64)
    own = trainer.model.eval().to(memory_format=torch.contiguous_format)  # the layout moves the last bits
    with torch.inference_mode():
        assert torch.equal(model(image), own(image))


def test_an_encoder_that_cannot_be_rebuilt_is_refused(data: TuningData, tmp_path: Path) -> None:
    trainer = Trainer(SMALL.replace(architecture="sam_vit_b_conv"), data, CPU)
    trainer.train_epoch()
    _save_best(trainer, tmp_path / "best.safetensors", encoder_sha256="0" * 64)
    with pytest.raises(WeightsError, match="cannot be rebuilt"):
        load_best(tmp_path / "best.safetensors")


def test_damaged_checkpoints_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"a\.pt: not a readable checkpoint"):
        parse_state(b"not a checkpoint", "a.pt")
    with pytest.raises(ExperimentError, match=r"b\.pt"):
        parse_state(dump_state({"x": Path("/")}), "b.pt")  # unpickling it would have to run code
    (tmp_path / "a.safetensors").write_bytes(b"not weights")
    with pytest.raises(ExperimentError, match=r"a\.safetensors"):
        read_best(tmp_path / "a.safetensors")


class _HostReads(TorchDispatchMode):
    """Counts operations that make the host wait for a tensor's value."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero):
            self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("changes", [{}, {"clip_norm": 1.0}, {"ema_decay": 0.9}])
def test_the_host_waits_for_the_device_once_an_epoch(data: TuningData, changes: dict[str, float]) -> None:
    trainer = Trainer(SMALL.replace(draws_per_epoch=12, batch_size=4, **changes), data, CPU)
    trainer.train_epoch()
    trainer.epoch = 2
    with _HostReads() as reads:
        trainer.run_epoch()
    assert reads.count == 1
    with _HostReads() as reads:
        trainer.validate()
    assert reads.count == 0  # all counts come back in one copy
