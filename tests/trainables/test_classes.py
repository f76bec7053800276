"""Losses and metrics over classes, against values worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.class_balance import count_classes, inverse_frequency
from trainables.data.tiles import Tile, TuningData
from trainables.errors import RecipeError
from trainables.losses.base import loss_of
from trainables.losses.ce_dice import SegmentationLoss, ce_dice_loss
from trainables.metrics import SplitScore, metric_of, score_mask
from trainables.recipe import Recipe
from trainables.scoring import decide, score_split
from trainables.task import Task
from trainables.training import Trainer

THREE = Task(kind="multiclass", classes=("ground", "road", "car"))
TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 2]], dtype=np.uint8)
GUESS = np.array([[0, 0, 1, 0], [0, 1, 1, 1]], dtype=np.uint8)


def _score(predicted: np.ndarray, truth: np.ndarray, task: Task = THREE):  # type: ignore[no-untyped-def]
    return score_mask("t", predicted.astype(np.uint8), truth.astype(np.uint8), task=task)


def test_scores_of_three_classes_by_hand() -> None:
    score = _score(GUESS, TRUTH)
    assert score.confusion == ((3, 1, 0), (1, 2, 0), (0, 1, 0))
    assert score.class_iou == pytest.approx((3 / 5, 2 / 5, 0.0))
    assert score.iou == pytest.approx((3 / 5 + 2 / 5 + 0) / 3)
    assert score.class_f1 == pytest.approx((6 / 8, 4 / 7, 0.0))
    assert score.pixel_accuracy == pytest.approx(5 / 8)
    assert score.frequency_weighted_iou == pytest.approx(4 / 8 * 3 / 5 + 3 / 8 * 2 / 5)


def test_ignored_pixels_count_nowhere() -> None:
    truth = TRUTH.copy()
    truth[0, 3] = truth[1, 1] = truth[1, 3] = 255  # all three mistakes
    score = _score(GUESS, truth)
    assert (score.iou, score.f1, score.pixel_accuracy, score.frequency_weighted_iou) == (1, 1, 1, 1)
    assert math.isnan(score.class_iou[2]), "neither truth nor prediction show a car: it is no part of the mean"


def test_a_class_that_is_only_predicted_counts_as_missed() -> None:
    truth, guess = np.zeros((4, 4)), np.zeros((4, 4))
    guess[0, 0] = 2
    assert _score(guess, truth).iou == pytest.approx((15 / 16 + 0) / 2)


def test_calling_everything_background_is_accurate_and_worthless() -> None:
    truth = np.zeros((10, 10))
    truth[:1], truth[1:2] = 1, 2  # 80 % background
    score = _score(np.zeros((10, 10)), truth)
    assert score.pixel_accuracy == pytest.approx(0.8)
    assert score.iou == pytest.approx(0.8 / 3)
    assert score.frequency_weighted_iou == pytest.approx(0.64)


def test_a_split_averages_tiles_and_pools_pixels() -> None:
    perfect, poor = _score(TRUTH, TRUTH), _score(GUESS, TRUTH)
    split = SplitScore(tiles=(perfect, poor))
    assert split.iou == pytest.approx((1 + 1 / 3) / 2)
    assert split.pooled.confusion == ((7, 1, 0), (1, 5, 0), (0, 1, 1))
    assert split.pooled.iou == pytest.approx((7 / 9 + 5 / 8 + 1 / 2) / 3)


def test_two_classes_of_a_multiclass_task_are_both_scored() -> None:
    two = Task(kind="multiclass", classes=("land", "water"))
    truth, guess = np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]])
    assert _score(guess, truth, two).iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert _score(guess, truth, Task()).iou == pytest.approx(1 / 2), "of a binary task the foreground alone"
    assert metric_of(two) != metric_of(Task())


def test_binary_masks_may_ignore_pixels() -> None:
    truth, guess = np.array([[0, 1, 255, 255]]), np.array([[0, 1, 1, 0]])
    assert _score(guess, truth, Task(ignores=True)).confusion == ((1, 0), (0, 1))


def test_cross_entropy_of_undecided_logits_is_log_of_the_classes() -> None:
    logits, targets = torch.zeros(1, 3, 2, 2), torch.tensor([[[0, 1], [2, 255]]])
    assert ce_dice_loss(logits, targets, 1.0).item() == pytest.approx(math.log(3))


def test_dice_over_classes_by_hand() -> None:
    logits, targets = torch.zeros(1, 2, 1, 4), torch.tensor([[[0, 0, 0, 1]]])
    first = 1 - (2 * 1.5 + 1) / (2 + 3 + 1)
    second = 1 - (2 * 0.5 + 1) / (2 + 1 + 1)
    assert ce_dice_loss(logits, targets, 0.0).item() == pytest.approx((first + second) / 2)


def test_weights_and_ignored_pixels_by_hand() -> None:
    logits = torch.tensor([[[[2.0, 0.0, 9.0]], [[0.0, 0.0, -9.0]]]])
    targets = torch.tensor([[[0, 1, 255]]])
    each = (math.log(1 + math.exp(-2)), math.log(2))
    weighted = (each[0] + 3 * each[1]) / 4
    assert ce_dice_loss(logits, targets, 1.0, torch.tensor([1.0, 3.0])).item() == pytest.approx(weighted)
    known = ce_dice_loss(logits[..., :2], targets[..., :2], 0.3, torch.tensor([1.0, 3.0]))
    assert ce_dice_loss(logits, targets, 0.3, torch.tensor([1.0, 3.0])).item() == pytest.approx(known.item())


@pytest.mark.parametrize("task", [THREE, Task(ignores=True)], ids=["classes", "binary"])
def test_a_view_of_ignored_pixels_alone_has_a_finite_loss_and_gradient(task: Task) -> None:
    logits = torch.randn(2, task.channels, 4, 4, requires_grad=True)
    loss = SegmentationLoss(task=task, cross_entropy_weight=0.5)(logits, torch.full((2, 1, 4, 4), 255).byte())
    torch.autograd.backward(loss)
    assert torch.isfinite(loss) and logits.grad is not None and not logits.grad.any()


def test_binary_loss_without_the_ignored_pixels() -> None:
    torch.manual_seed(0)
    logits, masks = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 1, 4, 4)).byte()
    partial = masks.clone()
    partial[..., 2:] = 255
    plain, ignoring = (SegmentationLoss(task=Task(ignores=flag), cross_entropy_weight=0.5) for flag in (False, True))
    assert ignoring(logits, masks).item() == pytest.approx(plain(logits, masks).item())
    assert ignoring(logits, partial).item() == pytest.approx(plain(logits[..., :2], masks[..., :2]).item())


def _tile(mask: list[list[int]]) -> Tile:
    pixels = np.array(mask, dtype=np.uint8)
    return Tile(name="t", image=np.zeros((*pixels.shape, 3), np.uint8), mask=pixels)


def test_inverse_frequency_by_hand() -> None:
    tiles = [_tile([[0, 0, 0, 255]]), _tile([[1, 0, 0, 0]])]
    pixels = sum(count_classes(tile, 3) for tile in tiles)
    assert inverse_frequency(pixels[:2]) == pytest.approx((7 / (2 * 6), 7 / (2 * 1)))
    assert inverse_frequency(pixels)[2] == 0.0, "nothing is weighted by a class that does not occur"


def test_weights_of_a_recipe() -> None:
    def weights(words: str) -> Tensor | None:
        return loss_of(Recipe(class_weights=words), THREE, [_tile([[0, 1, 2, 2]])]).class_weights

    assert weights("none") is None
    found = weights("0.5,1.5,3")
    assert found is not None and found.tolist() == [0.5, 1.5, 3.0]
    found = weights("inverse_frequency")
    assert found is not None and found.tolist() == pytest.approx([4 / 3, 4 / 3, 2 / 3])
    with pytest.raises(RecipeError, match=r"2 weights for 3 classes \(ground, road, car\); give one per class"):
        weights("1,2")


@pytest.mark.parametrize("words", ["", "1,x", "-1,2", "0,0", "nan,1", "inverse"])
def test_weights_that_are_none(words: str) -> None:
    with pytest.raises(RecipeError, match=r"class_weights is .*; it must be none or inverse_frequency, or a number"):
        Recipe(class_weights=words)


def test_logits_become_classes() -> None:
    logits = torch.tensor([[[1.0, -1.0, 0.0]], [[0.0, 0.0, 2.0]]])
    assert decide(logits).tolist() == [[0, 1, 1]]
    assert decide(logits[:1]).tolist() == [[1, 0, 1]], "a logit of 0 is a probability of 0.5, and found"


def test_counting_on_the_device_agrees_with_counting_masks(scenes: Path) -> None:
    data = TuningData.read(scenes)
    trainer = Trainer(Recipe(model_size="tiny", crop_size=64), data, torch.device("cpu"))
    loss = SegmentationLoss(task=data.task, cross_entropy_weight=0.5)
    score = score_split(trainer.model, trainer._forward(), data.val, trainer.recipe, loss, batch_size=2)
    for scored, counted in zip(trainer.preview(2), score.tiles, strict=True):
        by_hand = score_mask(scored.tile.name, scored.predicted, scored.tile.mask, task=data.task)
        assert counted.confusion == by_hand.confusion
        assert sum(map(sum, counted.confusion)) == int((scored.tile.mask != 255).sum())


RECIPES = {
    "pets": {"optimizer": "Adam", "bce_weight": 1.0, "clip_norm": 1.0, "plateau_metric": "f1", "learning_rate": 1e-2},
    "scenes": {"schedule": "cosine", "clip_norm": 1.0, "class_weights": "inverse_frequency", "learning_rate": 2e-2},
}


@pytest.mark.parametrize("study", RECIPES)
def test_the_other_studies_recipes_learn(study: str, scenes: Path, dataset: Path) -> None:
    data = TuningData.read(scenes if study == "scenes" else dataset)
    recipe = Recipe(model_size="tiny", crop_size=64, draws_per_epoch=24, max_epochs=8, augmentation="LIGHT")
    trainer = Trainer(recipe.replace(**RECIPES[study]), data, torch.device("cpu"))
    results = [trainer.train_epoch() for _ in range(8)]
    assert results[-1].train_loss < 0.7 * results[0].train_loss
    assert max(result.val_iou for result in results) > results[0].val_iou


def test_cosine_falls_to_the_floor_and_goes_on_after_a_resume(scenes: Path) -> None:
    data = TuningData.read(scenes)
    recipe = Recipe(model_size="tiny", crop_size=64, draws_per_epoch=2, batch_size=2, max_epochs=4, schedule="cosine")
    recipe = recipe.replace(learning_rate=0.01, min_learning_rate=0.001)
    trainer = Trainer(recipe, data, torch.device("cpu"))
    rates = [trainer.train_epoch().learning_rate for _ in range(2)]
    again = Trainer(recipe, data, torch.device("cpu"))
    again.load_state_dict(trainer.state_dict())
    rates += [again.train_epoch().learning_rate for _ in range(2)]
    wanted = [0.001 + 0.009 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert rates == pytest.approx(wanted)
    assert again.learning_rate == pytest.approx(0.001)


def test_the_plateau_watches_dice_and_stops_at_the_floor(dataset: Path) -> None:
    data = TuningData.read(dataset)
    recipe = Recipe(model_size="tiny", crop_size=64, draws_per_epoch=2, batch_size=2, patience=60, plateau_patience=0)
    recipe = recipe.replace(learning_rate=4e-6, min_learning_rate=1e-6, plateau_metric="f1")
    trainer = Trainer(recipe, data, torch.device("cpu"))
    rates = [trainer.train_epoch().learning_rate for _ in range(8)]
    assert min(rates) == pytest.approx(1e-6), rates
