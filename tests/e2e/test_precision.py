"""``precision = auto`` on a CPU, through the real command: measured once per machine, recorded, and said."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.commands import Run
from trainables.checkpoints import read_best
from trainables.precision import computes_bf16

RECIPE = """[unet]
model_size = "full"
crop_size = 64
validation_crop = 64
draws_per_epoch = 24
batch_size = 2
max_epochs = 2
patience = 2
"""


@pytest.mark.slow
@pytest.mark.skipif(not computes_bf16(), reason="this CPU has no bf16")
def test_a_sweep_measures_once_and_its_rows_and_weights_say_what_came_out(
    run: Run, dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "recipes.toml").write_text(RECIPE)
    given = ["--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results"]
    given += ["--recipes", tmp_path / "recipes.toml"]
    cache = {"TILESWEEP_CACHE": str(tmp_path / "cache")}
    first = run("phase1", *given, "--name", "first", **cache)
    again = run("phase1", *given, "--name", "again", **cache)
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert "training steps, once on this machine: unet" in first.stdout
    assert "measuring" not in again.stdout
    for name in ("first", "again"):
        folder = tmp_path / "results" / name
        chosen = json.loads((folder / "sweep.json").read_text())["precision"]["unet"]["chosen"]
        assert f"unet {chosen} (" in first.stdout
        (row,) = pq.read_table(folder / "trials.parquet").to_pylist()
        assert json.loads(row["recipe"])["precision"] == chosen
        assert read_best(folder / "unet" / "best.safetensors").recipe.precision == chosen
        assert f",{chosen}," in (folder / "leaderboard.csv").read_text()
        assert ("Trained in bf16" in (folder / "leaderboard.md").read_text()) == (chosen == "bf16")
