"""Predicting with the models of folds: one of them or all, and what it brings on tiles that they have not seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sweep.predict.val_gain import measure_gain
from sweep.results.ensemble import Ensemble
from sweep.results.trained_models import TrainedModel
from sweep.results.unseen_data import unseen_data
from tests.cases.experiments import write_experiment
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.calibration import logit
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData
from trainables.held_out import fold_models
from trainables.inference import ensemble as averaged
from trainables.losses.base import loss_of
from trainables.scoring import Forward, decide, forward_on, score_split

UNSEEN = (("t2", "t5"), ("t1",), ("t3", "t4"))
THRESHOLD = 0.4
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "patches")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> list[Path]:
    """Two contenders with the same folds, the second one with other models."""
    folder = tmp_path_factory.mktemp("trained")
    names = ("unet", "smp_unet_resnet34")
    return [write_best(folder / f"{name}.safetensors", patches, name, folds=UNSEEN) for name in names]


def chosen(*files: Path, fold: int | None = None) -> list[TrainedModel]:
    return [TrainedModel(name=file.name, weights_file=file.read_bytes(), origin=str(file), fold=fold) for file in files]


def loaded(*files: Path, fold: int | None = None, tta: bool = False) -> Ensemble:
    return Ensemble.load(chosen(*files, fold=fold), device="cpu", batch_size=4, tta=tta)


def members(file: Path) -> list[Forward]:
    models = fold_models(*load_best(file))
    return [forward_on(model, CPU, torch.float32) for model, _ in models]


def ious(forward: Forward, file: Path, data: TuningData, names: tuple[str, ...]) -> list[float]:
    model, best = load_best(file)
    tiles = data.pooled().only(val=names).val
    loss = loss_of(best.recipe, data.task, data.train)
    return [tile.iou for tile in score_split(model, forward, tiles, best.recipe, loss, batch_size=4).tiles]


def test_the_gain_is_that_of_each_tile_by_the_models_that_have_not_seen_it(files: list[Path], patches: Path) -> None:
    data = TuningData.read(patches)
    gain = measure_gain(loaded(*files), THRESHOLD, data)
    plain, both = [], []
    for names, first, second in zip(UNSEEN, members(files[0]), members(files[1]), strict=True):
        plain += ious(first, files[0], data, names)
        together = averaged([first, second])
        both += ious(lambda images, one=together: one(images) - logit(THRESHOLD), files[0], data, names)  # type: ignore[misc]
    assert (list(gain.plain), list(gain.chosen)) == (plain, both)
    assert gain.out_of_fold and len(plain) == 5 and plain != both
    seen = ious(averaged(members(files[0])), files[0], data, ("t2", "t5", "t1", "t3", "t4"))
    assert plain != seen  # the mean of all folds' models has seen every tile
    assert str(gain).startswith(f"out-of-fold IoU {np.mean(plain):.3f} -> {np.mean(both):.3f}")


def test_the_gain_of_one_fold_is_that_of_its_tiles(files: list[Path], patches: Path) -> None:
    data = TuningData.read(patches)
    gain = measure_gain(loaded(files[0], fold=3, tta=True), 0.5, data)
    assert list(gain.plain) == ious(members(files[0])[2], files[0], data, UNSEEN[2])


def test_a_gain_is_remembered_of_its_fold_alone(files: list[Path], patches: Path, tmp_path: Path) -> None:
    data, experiment = TuningData.read(patches), write_experiment(tmp_path / "results")
    found = []
    for fold in (1, 2, 1):
        (one,) = chosen(files[0], fold=fold)
        of_experiment = TrainedModel(
            name="e/unet", weights_file=one.weights_file, origin="", experiment=experiment, fold=fold
        )
        found.append(
            measure_gain(Ensemble.load([of_experiment], device="cpu", batch_size=4, tta=False), THRESHOLD, data)
        )
    assert len(found[0].plain) == 2 and len(found[1].plain) == 1 and found[2] == found[0]
    assert len(json.loads(experiment.read("prediction_gains.json"))) == 2


def test_models_of_other_folds_have_no_tile_that_is_new_to_both(
    files: list[Path], patches: Path, tmp_path: Path
) -> None:
    other = write_best(tmp_path / "other.safetensors", patches, "unet", folds=(("t1", "t2"), ("t3",), ("t4", "t5")))
    said = unseen_data(loaded(files[0], other), patches)
    assert isinstance(said, str) and said.startswith("other.safetensors and unet.safetensors have other folds")


def test_a_fold_predicts_alone_and_is_never_mixed_with_the_others(files: list[Path], tmp_path: Path) -> None:
    picture = np.random.default_rng(4).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "p.png")
    images = torch.tensor(picture).permute(2, 0, 1)[None]
    wanted = members(files[0])
    for fold, forward in ((2, wanted[1]), (None, averaged(wanted))):
        out = tmp_path / f"out{fold}"
        flags = ("--fold", fold) if fold else ()
        done = run_here("predict", tmp_path / "p.png", "--model", files[0], "--out", out, *flags, "--device", "cpu")
        assert done.returncode == 0, done.stderr
        assert f"unet.safetensors, {'fold 2' if fold else 'the mean of 3 folds'}\n" in done.stdout + done.stderr
        assert json.loads((out / "predictions.json").read_text())["settings"]["fold"] == fold
        left = torch.tensor(np.asarray(Image.open(out / "p_mask.png"))[:, :32] > 0)  # only one window sees it
        assert torch.equal(left, decide(forward(images[..., :64]))[0, :, :32].bool())
    flags = ("--model", files[0], "--out", tmp_path / "out2", "--device", "cpu")
    assert_refused(run_here("predict", tmp_path / "p.png", *flags), "holds predictions made otherwise (fold)")
    assert_refused(run_here("predict", tmp_path / "p.png", *flags, "--fold", 4), "has 3 folds; choose one from 1 to 3")


def test_a_single_model_has_no_fold_to_choose(patches: Path, tmp_path: Path) -> None:
    file = write_best(tmp_path / "one.safetensors", patches, "unet")
    image = next((patches / "val" / "images").iterdir())
    done = run_here("predict", image, "--model", file, "--out", tmp_path / "out", "--fold", 1, "--device", "cpu")
    assert_refused(done, "--fold 1: one.safetensors is a single model, not one for each fold; leave --fold out")
