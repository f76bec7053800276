"""``--grid modern``: a row of it stopped, resumed, scored and used, with random weights in place of real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.commands import Run
from tests.conftest import WriteDataset


def test_a_row_is_resumed_scored_and_predicted_with(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    storage = ("--storage", tmp_path / "r")
    words = ("--grid", "modern", "--profile", "smoke", "--patches", patches)
    names = ("--architectures", "dinov3_vit_s_dpt_lora,convnext_tiny_upernet")
    stopped = run("phase1", *words, *names, "--budget", "0.00001cpu-hours", "--max-concurrent", "1", *storage)
    assert stopped.returncode == 0 and "stopped by --budget" in stopped.stdout, stopped.stdout + stopped.stderr
    resumed = run("phase1", "--resume", "phase1-smoke", *storage)
    assert resumed.returncode == 0 and "DINOv3 ViT-S with LoRA + DPT" in resumed.stdout, resumed.stdout + resumed.stderr
    assert "tiny stand-ins with random weights" in resumed.stdout
    scored = run("score", "phase1-smoke", *storage)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    image = next((patches / "val" / "images").iterdir())
    for trial in ("dinov3_vit_s_dpt_lora", "convnext_tiny_upernet"):
        out = tmp_path / trial
        predicted = run("predict", image, "--model", f"phase1-smoke/{trial}", "--out", out, *storage)
        assert predicted.returncode == 0, predicted.stdout + predicted.stderr
        assert np.asarray(Image.open(next(out.rglob("*_mask.*")))).shape == (128, 128)
