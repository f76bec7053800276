"""Averages: of weights, which warm up, and of scores, in which a tile without a counted pixel has no part."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.cases.test_crops import _data, _tile
from trainables.checkpoints import dump_state, parse_state
from trainables.data.centre import centre_window
from trainables.ema import WeightAverage
from trainables.metrics import SplitScore, score_mask
from trainables.recipe import Recipe
from trainables.task import Task
from trainables.training import Trainer

TINY = Recipe(
    architecture="unet",
    model_size="tiny",
    crop_size=64,
    draws_per_epoch=8,
    batch_size=4,
    precision="fp32",
    max_epochs=4,
    schedule="constant",
)
CPU = torch.device("cpu")
DATA = _data([_tile("a", 64, 64, value=0), _tile("b", 96, 64)], [_tile("v", 64, 64)])


def test_the_average_begins_near_the_weights_and_slows_down() -> None:
    weight = torch.zeros(1)
    average = WeightAverage({"w": weight}, decay=0.999)
    found = []
    for _ in range(3):
        weight += 1
        average.update()
        with average.applied():
            found.append(float(weight))
    first = 0.9 * 1
    second = 2 / 11 * first + 9 / 11 * 2
    third = 3 / 12 * second + 9 / 12 * 3
    assert found == pytest.approx([first, second, third])
    assert float(weight) == 3.0


def test_a_decay_that_is_reached_is_kept() -> None:
    weight = torch.zeros(1, dtype=torch.float64)
    average = WeightAverage({"w": weight}, decay=0.5)
    expected = 0.0
    for update in range(30):
        weight.fill_(update)
        average.update()
        kept = min(0.5, (1 + update) / (10 + update))
        expected = kept * expected + (1 - kept) * update
    with average.applied():
        assert float(weight) == pytest.approx(expected)


def test_a_large_decay_leaves_no_untrained_weights_in_a_short_training() -> None:
    trainer = Trainer(TINY.replace(ema_decay=0.999), DATA, CPU, workers=1)
    start = {name: tensor.clone() for name, tensor in trainer.model.portable_state_dict().items()}
    for _ in range(2):
        trainer.train_epoch()
    moved = trainer.model.portable_state_dict()
    averaged = trainer.state_dict()["average"]["average"]
    name = max(averaged, key=lambda one: float((moved[one] - start[one]).norm()))
    way = (moved[name] - start[name]).flatten()
    share = float((averaged[name] - start[name]).flatten() @ way / (way @ way))
    assert share > 0.5, f"the average went {share:.2f} of the way; at a constant 0.999 it would be under 0.01"


def test_batch_statistics_are_averaged_with_the_weights() -> None:
    trainer = Trainer(TINY.replace(ema_decay=0.9), DATA, CPU, workers=1)
    trainer.train_epoch()
    averaged = trainer.state_dict()["average"]["average"]
    name = next(name for name in averaged if name.endswith("running_mean"))
    assert not torch.equal(averaged[name], trainer.model.portable_state_dict()[name])
    assert torch.equal(averaged[name], trainer.best_state[name]), "the best weights hold the averaged statistics"


def test_an_average_survives_a_checkpoint_and_an_earlier_ones_goes_on_with_its_full_decay() -> None:
    weight, other = torch.zeros(1), torch.zeros(1)
    average, resumed = WeightAverage({"w": weight}, decay=0.9), WeightAverage({"w": other}, decay=0.9)
    weight.fill_(1.0)
    average.update()
    resumed.load_state_dict(parse_state(dump_state(average.state_dict()), "here"))
    for one, tensor in ((average, weight), (resumed, other)):
        tensor.fill_(2.0)
        one.update()
    assert torch.equal(average.state_dict()["average"]["w"], resumed.state_dict()["average"]["w"])
    earlier = WeightAverage({"w": other}, decay=0.9)
    earlier.load_state_dict({"w": torch.ones(1)})
    other.fill_(2.0)
    earlier.update()
    assert float(earlier.state_dict()["average"]["w"]) == pytest.approx(0.9 * 1 + 0.1 * 2)


def test_a_tile_without_a_counted_pixel_has_no_score_and_no_part_in_a_mean() -> None:
    task = Task(ignores=True)
    truth = np.array([[1, 1], [0, 0]], dtype=np.uint8)
    half = score_mask("half", np.array([[1, 0], [0, 0]], dtype=np.uint8), truth, loss=0.6, task=task)
    none = score_mask("none", truth, np.full((2, 2), 255, dtype=np.uint8), loss=0.0, task=task)
    assert math.isnan(none.iou) and math.isnan(none.f1) and math.isnan(none.pixel_accuracy)
    assert math.isnan(none.frequency_weighted_iou)
    both = SplitScore(tiles=(none, half))
    assert (both.iou, both.loss) == (pytest.approx(0.5), pytest.approx(0.6))
    assert both.worst.name == "half"
    assert math.isnan(SplitScore(tiles=(none,)).iou)
    empty = score_mask("empty", np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), task=task)
    assert empty.iou == 1.0, "counted, and empty in both"


def test_an_unlabelled_centre_does_not_score_one_in_every_epoch() -> None:
    blank = _tile("blank", 128, 128)
    blank.mask[:, ::2] = 0
    blank.mask[32:96, 32:96] = 255
    task = Task(ignores=True)
    recipe = TINY.replace(validation_crop=64)
    trainer = Trainer(recipe, _data(list(DATA.train), [blank, _tile("v", 128, 128, value=0)], task), CPU, workers=1)
    scored = trainer.train_epoch().tile_iou
    assert set(scored) == {"blank", "v"} and 0.0 <= scored["blank"] < 1.0, "the window is around a labelled pixel"
    window = centre_window(blank, 64)
    assert window.mask.shape == (64, 64) and (window.mask != 255).any()
