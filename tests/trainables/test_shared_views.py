"""Folds on a fixed encoder share their views: encoded once, never a fold's own tiles, and each training is itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainables.test_training import CPU, SMALL, _tiles
from trainables.cross_validation import CrossValidation, fold_seed
from trainables.data.folds import Fold
from trainables.data.tiles import TuningData
from trainables.features import FeatureCache
from trainables.shared_views import SharedViews
from trainables.training import Trainer

FOLDS = tuple(Fold(val=(f"t{number}",)) for number in range(5))
RECIPE = SMALL.replace(
    architecture="sam_vit_b_conv", draws_per_epoch=40, batch_size=4, decoder_dropout=0.5, validation_crop=64
)
OWN = [[f"t{other}" for other in range(5) if other != number] for number in range(5)]


ROUNDING = 1e-3
"""How an encoder rounds depends on the CPU and on how many views it sees at once, and Adam makes whole steps of that
where a gradient is next to nothing."""


@pytest.fixture(scope="module")
def data() -> TuningData:
    found = TuningData(train=_tiles(3), val=_tiles(2, 3), name="squares", synthetic=True, fingerprint="f")
    return found.pooled()


def _shared(crossed: CrossValidation) -> SharedViews:
    assert crossed._shared is not None
    return crossed._shared


def test_a_fold_takes_the_first_draws_that_show_none_of_its_tiles(data: TuningData) -> None:
    shared = _shared(CrossValidation(RECIPE, data, FOLDS, CPU))
    for epoch in (1, 2):
        drawn = shared.draws(epoch)
        assert [len(one) for one in drawn] == [40] * 5
        most = max(map(max, drawn)) + 1
        shown = [shared._batches.tile_of(epoch, index) for index in range(most)]
        for number, one in enumerate(drawn):
            assert one == [index for index in range(most) if shown[index] != f"t{number}"][:40]
    assert shared.draws(1) != shared.draws(2)
    assert shared.draws(1) == _shared(CrossValidation(RECIPE.replace(batch_size=2), data, FOLDS, CPU)).draws(1)
    assert shared.draws(1) != _shared(CrossValidation(RECIPE.replace(seed=7), data, FOLDS, CPU)).draws(1)


def test_a_training_of_all_tiles_takes_the_draws_of_a_single_split(data: TuningData) -> None:
    encoder = Trainer(RECIPE, data, CPU).fixed_encoder
    assert encoder is not None
    everything = [tile.name for tile in data.train]
    shared = SharedViews(data.train, [everything, OWN[0]], RECIPE, CPU, encoder, workers=1)
    assert shared.draws(3)[0] == list(range(40))


def _encoded(training: CrossValidation | Trainer) -> list[int]:
    """Train an epoch; returns how many views each call of the encoder had."""
    counts: list[int] = []

    def count(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        counts.append(len(inputs[0]))

    assert training.model.encoder is not None
    handle = next(training.model.encoder.children()).register_forward_pre_hook(count)
    training.train_epoch()
    handle.remove()
    return counts


def test_five_folds_encode_a_quarter_more_views_than_one_split(data: TuningData) -> None:
    crossed = CrossValidation(RECIPE, data, FOLDS, CPU)
    drawn = _shared(crossed).draws(1)
    counts = _encoded(crossed)
    assert sum(counts) == len(set().union(*drawn)) + len(data.val)
    assert sum(counts) < 1.5 * sum(_encoded(Trainer(RECIPE, data, CPU)))
    assert max(counts) <= RECIPE.batch_size


def _state(training: Trainer) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in training.model.portable_state_dict().items()}


def _apart(one: Mapping[str, Tensor], other: Mapping[str, Tensor], begin: Mapping[str, Tensor]) -> float:
    """Return how far apart two trainings ended, as a share of how far the first one went."""
    assert one.keys() == other.keys()
    apart, way = (
        sum(float((one[name].double() - to[name].double()).square().sum()) for name in one) for to in (other, begin)
    )
    return float((apart / way) ** 0.5)


def test_views_that_come_again_are_read_once_from_where_they_are_kept(data: TuningData, tmp_path: Path) -> None:
    recipe = RECIPE.replace(augmentation="LIGHT", crop_size=96, validation_crop=96)
    crossed = CrossValidation(recipe, data, FOLDS, CPU, features=FeatureCache(tmp_path))
    begun = [_state(one) for one in crossed._trainers]
    assert sum(_encoded(crossed)) <= 8 * len(data.train) + len(data.val)
    plain = CrossValidation(recipe, data, FOLDS, CPU)
    plain.train_epoch()
    for begin, kept, again in zip(begun, crossed._trainers, plain._trainers, strict=True):
        assert _apart(_state(kept), _state(again), begin) < ROUNDING


def test_each_fold_is_the_training_that_it_would_be_alone_on_its_draws(data: TuningData) -> None:
    """Its dropout, its statistics and its optimizer know nothing of the other folds' steps in between."""
    crossed = CrossValidation(RECIPE, data, FOLDS, CPU)
    report = crossed.train_epoch()
    shared = _shared(crossed)
    for number, fold in enumerate(FOLDS):
        alone, other = (
            Trainer(RECIPE, fold.of(data), CPU, seed=fold_seed(RECIPE.seed, one)) for one in (number, number + 1)
        )
        begin, elsewhere = _state(alone), _state(other)
        alone.begin_epoch()
        drawn = shared.draws(1)[number]
        for batch in shared._batches.of(1, [drawn[start : start + 4] for start in range(0, 40, 4)]):
            alone.take_step(batch, waited=0.0)
        measured = alone.end_epoch()
        name = fold.val[0]
        assert report.tile_iou[name] == pytest.approx(measured.val.tiles[0].iou, abs=1e-3)
        here = _state(crossed._trainers[number])
        assert _apart(_state(alone), here, begin) < ROUNDING
        assert _apart(elsewhere, here, begin) > 1.0, "another seed's would be found"


def test_folds_of_a_trained_encoder_draw_views_of_their_own(data: TuningData) -> None:
    assert CrossValidation(SMALL, data, FOLDS, CPU)._shared is None


def test_views_are_held_for_a_few_steps_only(data: TuningData) -> None:
    recipe = RECIPE.replace(draws_per_epoch=200)
    shared = _shared(CrossValidation(recipe, data, FOLDS, CPU))
    steps = sorted(shared._steps(1), key=lambda step: (step[1][-1], step[0]))
    last = {index: place for place, (_, indices) in enumerate(steps) for index in indices}
    first = {index: place for place, (_, indices) in reversed(list(enumerate(steps))) for index in indices}
    held = max(sum(first[one] <= place <= last[one] for one in last) for place in range(len(steps)))
    assert held <= 5 * recipe.batch_size
