"""Exporting the models of folds: one of them or all, measured on tiles that they have not seen."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sweep.export.formats import ENDINGS
from sweep.export.safetensors_file import SafetensorsFile
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.sweep.export.test_export import RUN, export, metadata_of, noise
from trainables.calibration import CalibrationCounts
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData
from trainables.held_out import fold_models
from trainables.losses.base import loss_of
from trainables.scoring import forward_on, score_split
from trainables.windows import predict_by_windows

UNSEEN = (("t2", "t5"), ("t1",), ("t3", "t4"))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "patches", size=96)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> Path:
    return write_best(tmp_path_factory.mktemp("trained") / "unet.safetensors", patches, "unet", folds=UNSEEN)


def out_of_fold(file: Path, patches: Path, folds: tuple[int, ...]) -> dict[str, Any]:
    """Return what the metadata are to say, from each fold's model and its own tiles."""
    data, counts, ious, names = TuningData.read(patches), CalibrationCounts(), [], []
    for number in folds:
        model, best = fold_models(*load_best(file))[number - 1]
        tiles = data.pooled().only(val=UNSEEN[number - 1]).val
        forward = forward_on(model, CPU, torch.float32)
        loss = loss_of(best.recipe, data.task, data.train)
        ious += [tile.iou for tile in score_split(model, forward, tiles, best.recipe, loss, batch_size=4).tiles]
        names += [tile.name for tile in tiles]
        images = [torch.tensor(tile.image).permute(2, 0, 1) for tile in tiles]
        for tile, logits in zip(tiles, predict_by_windows(forward, images, window=64, batch_size=4), strict=True):
            counts.add(logits, tile.mask)
    expected = counts.result()
    return {
        "tiles": names,
        "iou": fmean(ious),
        "best_threshold": expected.threshold,
        "iou_at_best_threshold": expected.iou,
        "expected_calibration_error": expected.calibration_error,
    }


def assert_measured(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.pop("measured") == "out-of-fold: each tile by the model of the fold that left it out"
    assert found.pop("tiles") == wanted.pop("tiles")
    low, high = found.pop("iou_interval")
    assert low is None or low <= found["iou"] <= high
    assert found == pytest.approx(wanted, abs=1e-6)


def logits_of(file: Path, images: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return [model(images.float() / 255) for model, _ in fold_models(*load_best(file))]


@pytest.mark.parametrize("name", ENDINGS)
def test_all_folds_are_one_file_that_gives_the_mean_probability(
    name: str, file: Path, patches: Path, tmp_path: Path
) -> None:
    out = export(file, patches, tmp_path / f"m{ENDINGS[name]}", name)  # type: ignore[index]
    images = noise(2, 3, 64, 96)
    mean = torch.stack([logits.sigmoid() for logits in logits_of(file, images)]).mean(0)
    torch.testing.assert_close(RUN[name](out, images).sigmoid(), mean, atol=1e-5, rtol=0)
    found = metadata_of(out)
    assert (found["fold"], found["folds"], found["fold_epochs"]) == (None, 3, [1, 2, 3])
    assert found["parity"]["pixels"] == 2 * 96 * 96  # on val, whatever the models have seen
    assert_measured(found["val"], out_of_fold(file, patches, (1, 2, 3)))


def test_one_fold_is_a_file_measured_on_its_tiles(
    file: Path, patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ("--model", file, "--patches", patches, "--format", "safetensors", "--fold", 3)
    done = run_here("export", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "out-of-fold IoU" in done.stdout and "(2 tiles)" in done.stdout
    (out,) = tmp_path.glob("*.safetensors")
    assert out.name == "unet-fold3.safetensors"
    images = noise(1, 3, 64, 64)
    assert torch.equal(RUN["safetensors"](out, images), logits_of(file, images)[2])
    found = metadata_of(out)
    assert (found["fold"], found["folds"], found["epoch"]) == (3, 1, 3)
    assert found["parity"]["pixels"] == 2 * 96 * 96
    assert_measured(found["val"], out_of_fold(file, patches, (3,)))
    again = export(out, patches, tmp_path / "again.safetensors", "safetensors")
    assert metadata_of(again)["val"] == metadata_of(out)["val"]  # the file still says what it has not seen


def test_confident_models_keep_their_digits_in_onnx(file: Path, patches: Path, tmp_path: Path) -> None:
    """Near a probability of 1 float32 has steps of 6e-8: a thousandth of a logit of 10, and all of one of 17."""
    model, best = load_best(file)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d) and module.out_channels == 1 and module.bias is not None:
            module.bias.data.add_(13)
    SafetensorsFile(model, best).write(tmp_path / "sure.safetensors", {})
    images = noise(1, 3, 64, 64)
    assert min(float(logits.min()) for logits in logits_of(tmp_path / "sure.safetensors", images)) > 10
    out = export(tmp_path / "sure.safetensors", patches, tmp_path / "m.onnx")
    assert metadata_of(out)["parity"]["largest_logit_difference"] < 1e-3
    assert np.isfinite(RUN["onnx"](out, images)).all()


def test_a_fold_that_is_not_there_leaves_no_file(file: Path, patches: Path, tmp_path: Path) -> None:
    flags = ("--model", file, "--patches", patches, "--format", "safetensors", "--out", tmp_path / "m.safetensors")
    assert_refused(
        run_here("export", *flags, "--fold", 4), "--fold 4: unet.safetensors has 3 folds; choose one from 1 to 3"
    )
    assert not list(tmp_path.iterdir())
