"""A training on all tiles: so many epochs, at given rates, and no score of its own."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainables.test_training import CPU, SMALL, _tiles
from trainables.checkpoints import BestWeights, dump_best, dump_state, load_best, parse_state, read_best_bytes
from trainables.cross_validation import start_training
from trainables.data.tiles import TuningData
from trainables.diagnostics import epoch_block
from trainables.epochs import Training
from trainables.held_out import unseen_tiles
from trainables.models.weights import Weights
from trainables.report import FinalReport, TrialReport, TrialSummary
from trainables.training import Trainer

RATES = (1e-3, 1e-3, 5e-4)


@pytest.fixture(scope="module")
def data() -> TuningData:
    found = TuningData(train=_tiles(3), val=_tiles(2, 3), name="squares", synthetic=True, fingerprint="f")
    return found.pooled()


def _refit(data: TuningData, **changes: object) -> Training:
    return start_training(SMALL.replace(patience=1, **changes), data, (), CPU, rates=RATES)


def test_it_takes_the_steps_of_a_training_on_the_same_tiles_and_keeps_the_last_weights(data: TuningData) -> None:
    refit = _refit(data)
    plain = Trainer(SMALL.replace(schedule="constant", learning_rate=RATES[0]), data, CPU)
    for epoch in (1, 2):
        ours, theirs = refit.train_epoch(), plain.train_epoch()
        assert (ours.epoch, ours.train_loss, ours.learning_rate) == (epoch, theirs.train_loss, RATES[0])
        assert not refit.improved and not refit.finished
    last = refit.train_epoch()
    assert last.learning_rate == RATES[2] and refit.improved and refit.finished and refit.best.epoch == 3
    now = refit.model.portable_state_dict()
    assert all(torch.equal(tensor, now[name]) for name, tensor in refit.best_state.items())


def test_it_has_no_score(data: TuningData) -> None:
    refit = _refit(data)
    reports = []
    while not refit.finished:
        reports.append(refit.train_epoch())
    last = reports[-1]
    assert math.isnan(last.val_iou) and math.isnan(last.best_val_iou) and last.tile_iou == {}
    assert "all tiles are trained on" in epoch_block(SMALL, last, steps=2, total_memory_bytes=0, task=data.task)
    score, files = refit.finish()
    assert files == {} and refit.preview(2) == []
    lines = [TrialReport(epoch=one) for one in reports[:-1]]
    lines.append(TrialReport(epoch=last, final=FinalReport.of(score, final_seconds=0.0)))
    summary = TrialSummary.of([line.to_dict() for line in lines], data.task)
    assert (summary.epochs, summary.best_epoch) == (3, 3)
    scores = (summary.val_iou, summary.val_f1, summary.best_epoch_val_iou, summary.val_pooled_iou, summary.collapsed)
    assert scores == (None,) * 5


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_resumed_one_takes_the_same_steps(data: TuningData, ema_decay: float) -> None:
    unbroken, broken, resumed = (_refit(data, ema_decay=ema_decay) for _ in range(3))
    expected = [unbroken.train_epoch().train_loss for _ in range(3)]
    broken.train_epoch()
    resumed.load_state_dict(parse_state(dump_state(broken.state_dict()), "saved"))
    assert [resumed.train_epoch().train_loss for _ in range(2)] == expected[1:]
    assert all(torch.equal(tensor, resumed.best_state[name]) for name, tensor in unbroken.best_state.items())


def test_an_encoder_that_was_frozen_first_keeps_its_share_of_the_rate(data: TuningData) -> None:
    recipe = SMALL.replace(architecture="smp_unet_resnet34", frozen_epochs=2, unfrozen_rate_factor=0.1)
    weights = Weights(kind="imagenet", needs="resnet34")
    refit = start_training(recipe, data, (), CPU, weights, rates=RATES)
    frozen = [refit.train_epoch().encoder_frozen for _ in RATES]
    assert isinstance(refit, Trainer) and frozen == [True, True, False]
    assert [group["lr"] for group in refit._optimizer.param_groups] == pytest.approx([RATES[2], 0.1 * RATES[2]])


def test_its_weights_say_that_no_tile_is_new_to_it(data: TuningData, tmp_path: Path) -> None:
    refit = _refit(data)
    while not refit.finished:
        refit.train_epoch()
    best = BestWeights(
        recipe=refit.recipe, weights=refit.weights, epoch=3, val_iou=None, data_fingerprint="f", refit=refit.refit
    )
    content = dump_best(refit.best_state, best)
    read = read_best_bytes(content)
    assert read.refit and read.val_iou is None and unseen_tiles(read, data) == ()
    assert len(unseen_tiles(replace(read, refit=False), data)) == 5
    (tmp_path / "best.safetensors").write_bytes(content)
    assert load_best(tmp_path / "best.safetensors")[1] == read
