"""Each fold's model by itself, and the tiles that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sweep.export.safetensors_file import SafetensorsFile
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.trainables.test_cross_validation import FOLDS
from tests.trainables.test_training import CPU, SMALL, _tiles
from trainables.checkpoints import load_best, read_best
from trainables.cross_validation import CrossValidation
from trainables.data.tiles import TuningData
from trainables.errors import DataError, ExperimentError
from trainables.held_out import choose_fold, fold_models, unseen_tiles

UNSEEN = (("t2", "t5"), ("t1",), ("t3", "t4"))


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "patches")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> Path:
    return write_best(tmp_path_factory.mktemp("trained") / "best.safetensors", patches, "unet", folds=UNSEEN)


def test_a_training_says_which_epoch_each_fold_keeps() -> None:
    data = TuningData(train=_tiles(3), val=_tiles(2, 3), name="squares", synthetic=True, fingerprint="f").pooled()
    crossed = CrossValidation(SMALL.replace(max_epochs=3, learning_rate=0.02), data, FOLDS, CPU)
    for _ in range(3):
        crossed.train_epoch()
    assert crossed.fold_epochs == tuple(trainer.best.epoch for trainer in crossed._trainers)
    assert all(1 <= epoch <= 3 for epoch in crossed.fold_epochs)


def test_each_fold_s_model_is_its_own_with_its_epoch_and_its_tiles(file: Path, patches: Path) -> None:
    model, best = load_best(file)
    members = fold_models(model, best)
    assert [one.folds for _, one in members] == [(names,) for names in UNSEEN]
    assert [one.epoch for _, one in members] == [1, 2, 3] and best.epoch == 3
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        each = torch.stack([one(images).sigmoid() for one, _ in members])
        assert torch.allclose(model(images).sigmoid(), each.mean(0), atol=1e-6)
        assert torch.equal(choose_fold(model, best, 2, "m")[0](images).sigmoid(), each[1])
    read = TuningData.read(patches)
    assert [[tile.name for tile in unseen_tiles(one, read)] for _, one in members] == [list(one) for one in UNSEEN]
    assert sorted(tile.name for tile in unseen_tiles(best, read)) == ["t1", "t2", "t3", "t4", "t5"]


def test_a_single_model_has_not_seen_val(patches: Path, tmp_path: Path) -> None:
    model, best = load_best(write_best(tmp_path / "one.safetensors", patches, "unet"))
    assert fold_models(model, best) == [(model, best)]
    read = TuningData.read(patches)
    assert [tile.name for tile in unseen_tiles(best, read)] == ["t4", "t5"]
    blank = replace(read.val[0], mask=np.full_like(read.val[0].mask, 255))
    assert [tile.name for tile in unseen_tiles(best, replace(read, val=(blank, read.val[1])))] == ["t5"]
    with pytest.raises(DataError, match="no val tile 't9'"):
        unseen_tiles(replace(best, folds=(("t9",),)), read)


@pytest.mark.parametrize(("fold", "said"), [(4, "m has 3 folds; choose one from 1 to 3"), (0, "choose one from 1")])
def test_a_fold_that_is_not_there_is_refused(file: Path, fold: int, said: str) -> None:
    with pytest.raises(ExperimentError, match=f"--fold {fold}: .*{said}"):
        choose_fold(*load_best(file), fold, "m")


def test_a_single_model_has_no_fold(patches: Path, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="--fold 1: m is a single model, not one for each fold; leave"):
        choose_fold(*load_best(write_best(tmp_path / "one.safetensors", patches, "unet")), 1, "m")


def test_a_file_of_one_fold_still_says_which_tiles_it_has_not_seen(file: Path, patches: Path, tmp_path: Path) -> None:
    second, about = choose_fold(*load_best(file), 2, "m")
    SafetensorsFile(second, about).write(tmp_path / "second.safetensors", {})
    model, best = load_best(tmp_path / "second.safetensors")
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model(images), second(images))
    assert (best.folds, best.fold_epochs, best.epoch) == ((("t1",),), (2,), 2)
    assert [tile.name for tile in unseen_tiles(best, TuningData.read(patches))] == ["t1"]
    with pytest.raises(ExperimentError, match="is a single model"):
        choose_fold(model, best, 1, "m")


def test_a_file_that_counts_its_folds_in_two_ways_is_damaged(patches: Path, tmp_path: Path) -> None:
    model, best = load_best(write_best(tmp_path / "one.safetensors", patches, "unet"))
    SafetensorsFile(model, replace(best, folds=UNSEEN, fold_epochs=(1,))).write(tmp_path / "odd.safetensors", {})
    with pytest.raises(ExperimentError, match="names 3 folds, but epochs of 1"):
        read_best(tmp_path / "odd.safetensors")
