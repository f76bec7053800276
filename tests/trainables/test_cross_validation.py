"""Cross-validation: each tile is scored by the model that has not seen it, and no fold decides about its own model."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from safetensors import safe_open

from sweep.export.safetensors_file import SafetensorsFile
from tests.trainables.test_training import CPU, SMALL, _tiles
from trainables.checkpoints import BestWeights, dump_best, dump_state, load_best, parse_state, read_best
from trainables.cross_validation import CrossValidation, fold_seed, start_training
from trainables.data.folds import Fold
from trainables.data.tiles import TuningData
from trainables.epochs import Training
from trainables.errors import DataError, ExperimentError
from trainables.metrics import SplitScore
from trainables.models.base import SegmentationModel, encoder_fingerprint
from trainables.models.encoder_decoder import OnFixedEncoder
from trainables.models.fold_ensemble import FoldEnsemble, mean_logits
from trainables.scoring import forward_on
from trainables.training import Trainer

FOLDS = (Fold(val=("t0", "t3")), Fold(val=("t1",)), Fold(val=("t2", "t4")))


@pytest.fixture(scope="module")
def data() -> TuningData:
    found = TuningData(train=_tiles(3), val=_tiles(2, 3), name="squares", synthetic=True, fingerprint="f")
    return found.pooled()


def test_pooled_tiles_are_train_and_val_and_a_fold_takes_its_own(data: TuningData) -> None:
    assert [tile.name for tile in data.train] == [tile.name for tile in data.val] == ["t0", "t1", "t2", "t3", "t4"]
    fold = FOLDS[0].of(data)
    assert ([tile.name for tile in fold.train], [tile.name for tile in fold.val]) == (["t1", "t2", "t4"], ["t0", "t3"])
    fewer = replace(FOLDS[0], train=("t4", "t1")).of(data)
    assert [tile.name for tile in fewer.train] == ["t4", "t1"]
    assert (FOLDS[0].train_tiles(5), replace(FOLDS[0], train=("t4",)).train_tiles(5)) == (3, 1)
    with pytest.raises(DataError, match="no val tile 't9'"):
        Fold(val=("t9",)).of(data)


def test_a_fold_is_the_training_that_it_would_be_alone(data: TuningData) -> None:
    crossed = CrossValidation(SMALL, data, FOLDS, CPU)
    report = crossed.train_epoch()
    alone = [
        Trainer(SMALL, fold.of(data), CPU, seed=fold_seed(SMALL.seed, number)).train_epoch()
        for number, fold in enumerate(FOLDS)
    ]
    assert report.tile_iou == {name: iou for one in alone for name, iou in one.tile_iou.items()}
    assert list(report.tile_iou) == ["t0", "t1", "t2", "t3", "t4"]
    assert report.val_iou == pytest.approx(fmean(report.tile_iou.values()))  # type: ignore[arg-type]
    assert report.train_loss == pytest.approx(fmean(one.train_loss for one in alone))
    assert len({one.train_loss for one in alone}) == 3
    assert crossed.folds == tuple(fold.val for fold in FOLDS)


def test_folds_have_seeds_of_their_own_and_repeats_have_others() -> None:
    seeds = {fold_seed(seed, number) for seed in (42, 43, 44) for number in range(10)}
    assert len(seeds) == 30
    assert [fold_seed(seed, 0) for seed in (42, 43)] == [42, 43]


def test_no_fold_decides_about_its_own_model(data: TuningData, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, list[str]]] = []
    judge = Trainer.judge

    def listen(trainer: Trainer, val: SplitScore) -> None:
        heard.append((trainer.epoch, [tile.name for tile in val.tiles]))
        judge(trainer, val)

    monkeypatch.setattr(Trainer, "judge", listen)
    crossed = CrossValidation(SMALL, data, FOLDS, CPU)
    crossed.train_epoch()
    crossed.train_epoch()
    others = [["t1", "t2", "t4"], ["t0", "t2", "t3", "t4"], ["t0", "t1", "t3"]]
    assert heard == [(1, names) for names in others] + [(2, names) for names in others]


def test_each_fold_keeps_the_epoch_that_is_best_for_the_others(data: TuningData) -> None:
    crossed = CrossValidation(SMALL.replace(max_epochs=5, learning_rate=0.02, patience=9), data, FOLDS, CPU)
    epochs = []
    while not crossed.finished:
        epochs.append(crossed.train_epoch())
    for number, fold in enumerate(FOLDS):
        others = [
            fmean(iou for name, iou in one.tile_iou.items() if name not in fold.val and iou is not None)
            for one in epochs
        ]
        kept = crossed._trainers[number].best
        assert kept.epoch == 1 + int(np.argmax(others))
        assert kept.iou == pytest.approx(max(others))
    assert crossed.best.iou == max(one.val_iou for one in epochs)
    assert epochs[-1].best_epoch == 1 + int(np.argmax([one.val_iou for one in epochs]))


def test_patience_hears_the_mean_of_all_folds(data: TuningData) -> None:
    crossed = CrossValidation(SMALL.replace(max_epochs=9, patience=2), data, FOLDS, CPU)
    crossed.best.iou = 2.0
    crossed.train_epoch()
    assert not crossed.finished
    crossed.train_epoch()
    assert crossed.finished


def test_final_scores_are_those_of_whole_tiles_by_the_fold_that_left_them_out(data: TuningData) -> None:
    crossed = CrossValidation(SMALL.replace(max_epochs=2), data, FOLDS, CPU)
    while not crossed.finished:
        crossed.train_epoch()
    final, files = crossed.finish()
    assert [tile.name for tile in final.tiles] == ["t0", "t1", "t2", "t3", "t4"]
    own = [trainer.finish()[0] for trainer in crossed._trainers]
    assert {tile.name: tile.iou for tile in final.tiles} == {tile.name: tile.iou for one in own for tile in one.tiles}
    assert {f"masks/{name}.png" for name in ("t0", "t1", "t2", "t3", "t4")} <= files.keys()


@pytest.mark.parametrize("architecture", ["unet", "sam_vit_b_unet"])
def test_a_resumed_cross_validation_takes_the_same_steps(data: TuningData, architecture: str) -> None:
    recipe = SMALL.replace(architecture=architecture, ema_decay=0.9, batch_size=2, draws_per_epoch=4)
    unbroken = CrossValidation(recipe, data, FOLDS, CPU)
    expected = [unbroken.train_epoch() for _ in range(3)]
    broken = CrossValidation(recipe, data, FOLDS, CPU)
    broken.train_epoch()
    saved = dump_state(broken.state_dict())
    resumed = CrossValidation(recipe, data, FOLDS, CPU)
    resumed.load_state_dict(parse_state(saved, "saved"))
    for wanted in expected[1:]:
        got = resumed.train_epoch()
        assert (got.epoch, got.train_loss, got.tile_iou) == (wanted.epoch, wanted.train_loss, wanted.tile_iou)
    assert resumed.best == unbroken.best
    assert all(torch.equal(tensor, resumed.best_state[name]) for name, tensor in unbroken.best_state.items())


def _saved(training: Training, path: Path, folds: tuple[tuple[str, ...], ...]) -> Path:
    best = BestWeights(
        recipe=training.recipe,
        weights=training.weights,
        epoch=training.best.epoch,
        val_iou=training.best.iou,
        data_fingerprint="f",
        encoder_sha256=encoder_fingerprint(training.model),
        folds=folds,
    )
    path.write_bytes(dump_best(training.best_state, best))
    return path


@pytest.mark.parametrize("architecture", ["unet", "sam_vit_b_conv", "smp_deeplabv3plus_resnet34"])
def test_one_file_holds_all_folds_and_predicts_their_mean_probability(
    data: TuningData, tmp_path: Path, architecture: str
) -> None:
    crossed = CrossValidation(SMALL.replace(architecture=architecture, draws_per_epoch=4), data, FOLDS, CPU)
    crossed.train_epoch()
    crossed.finish()  # the folds' models have their best weights now
    path = _saved(crossed, tmp_path / "best.safetensors", crossed.folds)
    assert read_best(path).folds == (("t0", "t3"), ("t1",), ("t2", "t4"))
    model, _ = load_best(path)
    assert isinstance(model, FoldEnsemble)
    images = torch.rand(2, 3, 72, 88)
    with torch.inference_mode():
        each = [trainer.model.eval()(images).sigmoid() for trainer in crossed._trainers]
        got = model(images).sigmoid()
    assert torch.allclose(got, torch.stack(each).mean(0), atol=1e-5)
    assert not torch.allclose(each[0], each[1], atol=1e-3)
    assert model.portable_state_dict().keys() == crossed.best_state.keys()
    if isinstance(model.members[0], OnFixedEncoder):
        assert not any(".encoder." in name for name in crossed.best_state)


def test_members_that_share_an_encoder_ask_it_once(data: TuningData, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = SMALL.replace(architecture="sam_vit_b_conv", draws_per_epoch=2)
    members: list[SegmentationModel] = [
        trainer.model for trainer in CrossValidation(recipe, data, FOLDS, CPU)._trainers
    ]
    assert all(one.encoder is members[0].encoder for one, _ in pairwise(members))
    calls = []
    encode = OnFixedEncoder.encode_prepared

    def count(model: OnFixedEncoder, inputs: torch.Tensor) -> list[torch.Tensor]:
        calls.append(1)
        return encode(model, inputs)

    monkeypatch.setattr(OnFixedEncoder, "encode_prepared", count)
    FoldEnsemble(members)(torch.rand(1, 3, 64, 64))
    assert len(calls) == 1


def test_a_file_of_an_impossible_number_of_folds_is_damaged(data: TuningData, tmp_path: Path) -> None:
    trainer = start_training(SMALL, data, (), CPU)
    trainer.train_epoch()
    with pytest.raises(ExperimentError, match="names 51 folds; at most 50"):
        load_best(_saved(trainer, tmp_path / "best.safetensors", (("t0",),) * 51))


def test_mean_probabilities_lose_no_digits_near_0_and_1() -> None:
    sure = torch.tensor([[12.0, -12.0, 25.0, -25.0, 30.0, 0.0]])[None, None]
    for other in (sure, sure - 1):
        exact = (sure.double().sigmoid() + other.double().sigmoid()) / 2
        rest = ((-sure.double()).sigmoid() + (-other.double()).sigmoid()) / 2
        torch.testing.assert_close(mean_logits([sure, other]).double(), exact.log() - rest.log(), atol=1e-5, rtol=1e-6)
    classes = torch.tensor([50.0, 0.0, -30.0])[None, :, None, None]
    torch.testing.assert_close(mean_logits([classes, classes]), classes.log_softmax(1))
    assert mean_logits([1000 * sure, 1000 * sure]).abs().max() == 80  # certain, and finite


def test_a_complete_file_holds_a_shared_encoder_once_and_predicts_the_same(data: TuningData, tmp_path: Path) -> None:
    recipe = SMALL.replace(architecture="sam_vit_b_conv", draws_per_epoch=2)
    crossed = CrossValidation(recipe, data, FOLDS, CPU)
    crossed.train_epoch()
    model, best = load_best(_saved(crossed, tmp_path / "best.safetensors", crossed.folds))
    file = SafetensorsFile(model, best)
    file.write(tmp_path / "all.safetensors", {})
    images = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(file.open(tmp_path / "all.safetensors")(images), forward_on(model, CPU, torch.float32)(images))
    with safe_open(tmp_path / "all.safetensors", framework="pt") as opened:
        encoders = {name.split(".")[0] for name in opened.keys() if ".encoder." in name}  # noqa: SIM118
    assert encoders == {"fold1"}
