"""Probes in real sweeps: trials like others, and the floor in the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.commands import Run
from tests.conftest import WriteDataset

PROBE = "probe:smp_unet_resnet34"
SMOKE = ("--profile", "smoke", "--architectures", f"unet,smp_unet_resnet34,{PROBE},probe:density/smp_unet_resnet34")


def test_a_probe_is_swept_scored_predicted_with_and_exported(
    run: Run, here: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    storage = ("--storage", tmp_path / "r")
    stopped = run("phase1", *SMOKE, "--patches", patches, "--budget", "0.00001cpu-hours", *storage)
    assert stopped.returncode == 0, stopped.stderr
    done = run("phase1", "--resume", "phase1-smoke", *storage)
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "better than the probe on its own encoder" in said and "Probe on ResNet34" in said
    board = json.loads(run("score", *storage, "--json").stdout.splitlines()[0])
    assert board
    rows = (tmp_path / "r/phase1-smoke/leaderboard.csv").read_text().splitlines()
    heading = rows[0].split(",")
    cells = {row.split(",")[1]: dict(zip(heading, row.split(","), strict=True)) for row in rows[1:]}
    assert len(cells) == 4 and all(cell["test IoU"] for cell in cells.values())
    log = (tmp_path / "r/phase1-smoke/probe-smp_unet_resnet34/trial.log").read_text()
    assert "by leaving out" in log
    probe = f"Probe on ResNet34 ({'ridge' if 'fitted ridge' in log else 'density'})"
    assert cells["SMP U-Net + ResNet34"]["to its probe"] and not cells[probe]["to its probe"]
    assert not cells[probe]["LR"] and "Density probe on ResNet34" in cells
    model = "phase1-smoke/probe-smp_unet_resnet34"
    image = next((patches / "val" / "images").iterdir())
    predicted = run("predict", image, "--model", model, "--out", tmp_path / "maps", *storage)
    assert predicted.returncode == 0, predicted.stdout + predicted.stderr
    mask = np.asarray(Image.open(next((tmp_path / "maps").rglob("*.png"))))
    assert mask.shape[:2] == (128, 128)
    exported = run("export", "--model", model, "--out", tmp_path / "probe.onnx", *storage)
    assert exported.returncode == 0, exported.stdout + exported.stderr
    refused = here("phase2", "--profile", "smoke", "--architectures", PROBE, "--patches", patches, *storage)
    assert refused.returncode == 2 and "no recipe to search" in refused.stderr


def test_the_plan_of_the_demo_has_a_probe_on_each_encoder(
    here: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches", size=256, train=5)
    words = ("--profile", "demo", "--patches", patches, "--plan", "--storage", tmp_path, "--architectures")
    both = "smp_unet_resnet34,smp_deeplabv3plus_resnet34"
    assert "probe-smp_unet_resnet34" in here("phase1", *words, both).stdout
    assert "3 trials" in here("phase1", *words, both).stdout
    assert "2 trials" in here("phase1", *words, both, "--no-probes").stdout
    assert "20 trials" in here("phase3", *words, "smp_unet_resnet34", "--tiles", "1,2,3,4,5", "--draws", "2").stdout
