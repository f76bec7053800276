"""One reading of test per trial, also of a cross-validation: by the mean of all folds' models."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import fmean

import pytest
import torch

from sweep.sealed.ledger import Ledger
from tests.cases.experiments import write_experiment
from tests.commands import run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData, scan_split
from trainables.held_out import fold_models
from trainables.losses.base import loss_of
from trainables.metrics import score_mask
from trainables.models import sam
from trainables.models.sam_encoder import encode
from trainables.scoring import forward_on, score_split
from trainables.task import Task


def test_attempts_on_one_fixed_encoder_look_at_test_once_and_leave_nothing_of_it(
    write_dataset: WriteDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches = write_dataset(tmp_path / "patches", size=96)
    data = TuningData.read(patches)
    names = ("sam_vit_b_conv", "unet", "sam_vit_b_unet")
    described = {"name": "d", "synthetic": False, "fingerprint": data.fingerprint, "path": str(patches), "sheet": {}}
    split = {"train": [tile.name for tile in data.train], "val": [tile.name for tile in data.val]}
    val = dict.fromkeys(names, (0.4, 0.5))
    experiment = write_experiment(tmp_path / "results", val=val, data={**described, **split})
    files = [write_best(tmp_path / f"{name}.safetensors", patches, name) for name in names]
    for name, file in zip(names, files, strict=True):
        experiment.write(f"{name}/best.safetensors", file.read_bytes())
    tiles = [one.tile for one in scan_split(patches, "test", Task())[0]]
    wanted = {}
    for name, file in zip(names, files, strict=True):
        model, best = load_best(file)
        forward = forward_on(model, torch.device("cpu"), torch.float32)
        scored = score_split(
            model, forward, tiles, best.recipe, loss_of(best.recipe, best.task, train=()), batch_size=4
        )
        wanted[name] = {tile.name: tile.iou for tile in scored.tiles}

    looked: list[int] = []
    monkeypatch.setattr(sam, "encode", lambda *given, **how: looked.append(len(given[1])) or encode(*given, **how))
    scratch, cache = tmp_path / "scratch", tmp_path / "cache"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    done = run_here("score", "phase1-demo", "--storage", tmp_path / "results", TILESWEEP_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    assert sum(looked) == 4 * len(tiles), "each of a tile's four windows once, for both decoders"
    readings = Ledger(experiment.storage).readings()
    assert [one.attempt for one in readings] == ["sam_vit_b_conv", "sam_vit_b_unet", "unet"]
    for one in readings:
        assert one.tiles == pytest.approx(wanted[one.attempt], abs=1e-6)
    assert not list(scratch.iterdir()) and not list(cache.rglob("*.safetensors"))


def test_a_cross_validation_reads_test_once_with_the_mean_of_its_models(
    write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches")
    data = TuningData.read(patches)
    described = {"name": "d", "synthetic": False, "fingerprint": data.fingerprint, "path": str(patches), "sheet": {}}
    names = {"train": [tile.name for tile in data.train], "val": [tile.name for tile in data.val]}
    experiment = write_experiment(tmp_path / "results", val={"unet": (0.4, 0.5)}, data={**described, **names})
    file = write_best(tmp_path / "best.safetensors", patches, "unet", folds=(("t2", "t5"), ("t1",), ("t3", "t4")))
    experiment.write("unet/best.safetensors", file.read_bytes())
    flags = ("phase1-demo", "--storage", tmp_path / "results")
    done = run_here("score", *flags, "--device", "cpu")
    assert done.returncode == 0, done.stderr

    device = torch.device("cpu")
    forwards = [forward_on(model, device, torch.float32) for model, _ in fold_models(*load_best(file))]
    tiles, _ = scan_split(patches, "test", Task())
    wanted: dict[str, float] = {}
    alone: list[list[float]] = [[] for _ in forwards]
    for one in tiles:
        image = torch.tensor(one.tile.image).permute(2, 0, 1)[None]  # as large as a window
        each = [forward(image).double().sigmoid() for forward in forwards]
        mean = torch.stack(each).mean(0)
        wanted[one.tile.name] = score_mask("", (mean >= 0.5)[0, 0].byte().numpy(), one.tile.mask).iou
        for found, probability in zip(alone, each, strict=True):
            found.append(score_mask("", (probability >= 0.5)[0, 0].byte().numpy(), one.tile.mask).iou)
    (reading,) = Ledger(experiment.storage).readings()
    assert reading.attempt == "unet" and reading.tiles == wanted
    assert reading.iou == fmean(wanted.values())
    assert reading.iou not in [fmean(found) for found in alone]

    audited = run_here("score", "--verify", *flags)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    refused = run_here("score", *flags, "--device", "cpu")
    assert refused.returncode == 2 and "is read once per attempt" in refused.stderr
    assert len(Ledger(experiment.storage).readings()) == 1
