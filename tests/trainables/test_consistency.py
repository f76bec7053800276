"""Learning from unlabelled images: what the teacher labels, what a model learns from it, and that a resume repeats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.checkpoints import dump_state, parse_state
from trainables.consistency import confident_labels, ramp
from trainables.cross_validation import CrossValidation, start_training
from trainables.data.folds import Fold
from trainables.data.tiles import Tile, TuningData
from trainables.data.unlabelled_views import UnlabelledViews
from trainables.errors import DataError, RecipeError
from trainables.features import FeatureCache
from trainables.recipe import Recipe
from trainables.task import IGNORE_INDEX, Task
from trainables.training import Trainer

CPU = torch.device("cpu")
PLAIN = Recipe(
    model_size="tiny", crop_size=64, draws_per_epoch=8, max_epochs=4, augmentation="LIGHT", batch_size=2, ema_decay=0.9
)
WITH = PLAIN.replace(consistency_weight=1.0, consistency_threshold=0.5)


def _tiles(count: int, first: int = 0, classes: int = 2) -> tuple[Tile, ...]:
    """Bright squares on dark noise."""
    tiles = []
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        image = random.integers(0, 90, (96, 96, 3), dtype=np.uint8)
        mask = np.zeros((96, 96), dtype=np.uint8)
        top, left = random.integers(8, 40, 2)
        mask[top : top + 40, left : left + 40] = 1 + number % (classes - 1)
        image[mask > 0] += np.uint8(150)
        tiles.append(Tile(name=f"t{number}", image=image, mask=mask))
    return tuple(tiles)


def _without_labels(tiles: tuple[Tile, ...]) -> tuple[Tile, ...]:
    return tuple(replace(tile, mask=np.zeros_like(tile.mask)) for tile in tiles)


@pytest.fixture(scope="module")
def data() -> TuningData:
    return TuningData(
        train=_tiles(3),
        val=_tiles(2, 10),
        unlabelled=_without_labels(_tiles(4, 20)),
        name="squares",
        synthetic=True,
        fingerprint="f",
    )


@pytest.fixture(scope="module")
def classes() -> TuningData:
    return TuningData(
        train=_tiles(4, classes=3),
        val=_tiles(2, 10, classes=3),
        unlabelled=_without_labels(_tiles(4, 20)),
        name="squares",
        synthetic=True,
        fingerprint="f",
        task=Task(kind="multiclass", classes=("ground", "odd", "even")),
    )


def test_a_pixel_has_a_label_where_its_probability_reaches_the_threshold() -> None:
    logits = torch.tensor([-3.0, -1.0, 0.5, 2.5]).view(1, 1, 1, 4)  # probabilities of foreground .05 .27 .62 .92
    assert confident_labels(logits, 0.9).flatten().tolist() == [0, 255, 255, 1]
    assert confident_labels(logits, 0.0).flatten().tolist() == [0, 0, 1, 1]
    three = torch.tensor([[0.0, 0.0, 5.0], [1.0, 1.1, 1.2]]).T.reshape(1, 3, 1, 2)  # .99 of the last; .37 at most
    assert confident_labels(three, 0.9).flatten().tolist() == [2, 255]
    assert confident_labels(three, 0.3).shape == (1, 1, 1, 2)


def test_the_weight_rises_along_a_gaussian_and_then_stays() -> None:
    assert ramp(0, 10) == pytest.approx(np.exp(-5))
    assert ramp(5, 10) == pytest.approx(np.exp(-1.25))
    assert ramp(10, 10) == ramp(99, 10) == ramp(0, 0) == 1


def _first_batches(data: TuningData, recipe: Recipe, epoch: int, workers: int = 2) -> list[Tensor]:
    return [batch.weak.images for batch in UnlabelledViews(data.unlabelled, recipe, 42, workers=workers).epoch(epoch)]


def test_unlabelled_draws_follow_from_seed_epoch_and_index_alone(data: TuningData) -> None:
    one, same, other = (_first_batches(data, WITH, epoch) for epoch in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    alone = _first_batches(data, WITH, 3, workers=1)
    larger = _first_batches(data, WITH.replace(batch_size=4), 3)
    assert torch.equal(torch.cat(one), torch.cat(alone))
    assert torch.equal(torch.cat(one), torch.cat(larger))
    assert len(one) == 4 and one[0].shape == (2, 3, 64, 64)


def _epochs(trainer: Trainer | CrossValidation, count: int) -> Iterator[tuple[float, float]]:
    for _ in range(count):
        report = trainer.train_epoch()
        yield report.train_loss, report.val_iou


@pytest.mark.parametrize("architecture", ["unet", "smp_deeplabv3plus_resnet34", "sam_vit_b_unet", "segformer_b0"])
@pytest.mark.parametrize("task", ["data", "classes"])
def test_a_resumed_training_takes_the_same_steps(architecture: str, task: str, request: pytest.FixtureRequest) -> None:
    tiles: TuningData = request.getfixturevalue(task)
    recipe = WITH.replace(architecture=architecture)
    unbroken = Trainer(recipe, tiles, CPU)
    expected = list(_epochs(unbroken, 3))
    broken = Trainer(recipe, tiles, CPU)
    list(_epochs(broken, 1))
    saved = dump_state(broken.state_dict())
    torch.manual_seed(99)
    resumed = Trainer(recipe, tiles, CPU)
    resumed.load_state_dict(parse_state(saved, "saved"))
    assert list(_epochs(resumed, 2)) == expected[1:]
    lines = [line for line in unbroken.memory_news() if line.startswith("unlabelled: ")]
    assert len(lines) == 3 and "of pixels labelled by the average of the weights" in lines[0]


def test_without_a_weight_unlabelled_images_change_nothing(data: TuningData) -> None:
    without = replace(data, unlabelled=())
    assert list(_epochs(Trainer(PLAIN, data, CPU), 2)) == list(_epochs(Trainer(PLAIN, without, CPU), 2))


def test_with_one_they_change_the_weights_but_not_the_labelled_views(data: TuningData) -> None:
    plain, other = Trainer(PLAIN, data, CPU), Trainer(WITH, data, CPU)
    seen: list[list[Tensor]] = [[], []]
    for trainer, images in zip((plain, other), seen, strict=True):
        take = trainer._stepper.take

        def watched(batch, take=take, images=images):  # type: ignore[no-untyped-def]
            images.append(batch.images)
            return take(batch)

        trainer._stepper.take = watched  # type: ignore[method-assign]
        trainer.train_epoch()
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
    pairs = zip(plain.model.parameters(), other.model.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_what_no_pixel_is_sure_of_adds_nothing(data: TuningData) -> None:
    unsure = WITH.replace(consistency_threshold=0.9999999)
    trainer = Trainer(unsure, data, CPU)
    trainer.train_epoch()
    assert trainer.memory_news() == [
        "unlabelled: 0% of pixels labelled by the average of the weights, 0.0000 added to the loss at a weight of 0.24"
    ]


def test_where_an_image_holds_nothing_no_label_is_made(data: TuningData) -> None:
    nothing = tuple(replace(tile, mask=np.full_like(tile.mask, IGNORE_INDEX)) for tile in data.unlabelled)
    trainer = Trainer(WITH, replace(data, unlabelled=nothing), CPU)
    trainer.train_epoch()
    assert trainer.memory_news()[0].startswith("unlabelled: 0% of pixels")


@pytest.mark.parametrize("architecture", ["smp_unet_resnet34", "sam_vit_b_unet"])
def test_folds_each_have_the_same_images_and_draws_of_their_own(data: TuningData, architecture: str) -> None:
    pooled = data.pooled()
    folds = (Fold(val=("t0", "t10")), Fold(val=("t1", "t2", "t11")))
    recipe = WITH.replace(architecture=architecture)
    expected = list(_epochs(CrossValidation(recipe, pooled, folds, CPU), 3))
    broken = CrossValidation(recipe, pooled, folds, CPU)
    list(_epochs(broken, 1))
    resumed = CrossValidation(recipe, pooled, folds, CPU)
    resumed.load_state_dict(parse_state(dump_state(broken.state_dict()), "saved"))
    assert list(_epochs(resumed, 2)) == expected[1:]
    assert expected != list(_epochs(CrossValidation(recipe.replace(consistency_weight=0.0), pooled, folds, CPU), 3))


def test_a_frozen_encoder_with_kept_features_sees_strong_views_afresh(data: TuningData, tmp_path) -> None:  # type: ignore[no-untyped-def]
    recipe = WITH.replace(architecture="sam_vit_b_unet", crop_size=96)  # whole tiles in eight views, which are kept
    kept = Trainer(recipe, data, CPU, features=FeatureCache(tmp_path / "kept"))
    afresh = Trainer(recipe, data, CPU)
    pairs = zip(_epochs(kept, 2), _epochs(afresh, 2), strict=True)
    assert all(one == pytest.approx(other, rel=1e-3) for one, other in pairs)


def test_a_refit_learns_from_them_too(data: TuningData) -> None:
    with_them = start_training(WITH, data, (), CPU, rates=(1e-2, 1e-2))
    without = start_training(PLAIN, data, (), CPU, rates=(1e-2, 1e-2))
    for training in (with_them, without):
        training.train_epoch()
        training.train_epoch()
    weights = zip(with_them.model.parameters(), without.model.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in weights)


def test_a_recipe_without_an_average_or_images_is_refused(data: TuningData) -> None:
    with pytest.raises(RecipeError, match="while ema_decay is 0; the average of the weights labels"):
        Trainer(WITH.replace(ema_decay=0.0), data, CPU)
    with pytest.raises(DataError, match="give --unlabelled DIR, or set it to 0"):
        Trainer(WITH, replace(data, unlabelled=()), CPU)
