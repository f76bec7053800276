"""One reading of test per trial, also of a cross-validation: by the mean of all folds' models."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import torch

from sweep.sealed.ledger import Ledger
from tests.cases.experiments import write_experiment
from tests.commands import run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData, scan_split
from trainables.held_out import fold_models
from trainables.metrics import score_mask
from trainables.scoring import forward_on
from trainables.task import Task


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
