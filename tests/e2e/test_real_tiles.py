"""The study's dataset, made by its commands from real satellite tiles, at smoke size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.commands import Run
from tests.conftest import ROOT, SHARED
from trainables.data.tiles import TuningData

SPLIT = 'train = ["tile4_*", "tile5_*", "tile6_*", "tile7_*"]\nval = ["tile2_*"]\ntest = ["tile1_*"]\n'


def test_the_split_here_is_the_study_s() -> None:
    assert SPLIT in (ROOT / "docs" / "study.md").read_text()


@pytest.mark.packaging
@pytest.mark.skipif(not (SHARED / "dubai").is_dir(), reason="real tiles are not here")
def test_the_study_s_commands_give_a_scored_leaderboard(run: Run, here: Run, tmp_path: Path) -> None:
    (tmp_path / "roofs.toml").write_text(SPLIT)
    roofs, storage = tmp_path / "roofs", ("--storage", tmp_path / "results")
    cut = ("--src", SHARED / "dubai", "--dst", roofs, "--split", tmp_path / "roofs.toml")
    made = here("patches", "make", *cut, "--size", "480", "--foreground", "60,16,152", "--title", "dubai-roofs")
    assert made.returncode == 0, made.stderr
    assert "54 tiles (36/9/9 train/val/test) of 480x480 pixels" in made.stdout
    assert here("patches", "check", "--patches", roofs).returncode == 0
    train = TuningData.read(roofs).train
    assert train[0].name == "tile4_image_part_001" and np.mean([tile.mask.mean() for tile in train]) > 0.1
    swept = run("phase1", "--patches", roofs, "--profile", "smoke", *storage, "--architectures", "unet,sam_vit_b_unet")
    assert swept.returncode == 0, swept.stdout + swept.stderr
    assert "dubai-roofs" in swept.stdout and "synthetic" not in swept.stdout
    assert here("score", *storage).returncode == 0
    board = pq.read_table(tmp_path / "results" / "phase1-smoke" / "leaderboard.parquet").to_pylist()
    assert all(0 <= row["test_iou"] <= 1 for row in board)
    line = json.loads((tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()[0])
    assert len(line["tiles"]) == 9 and all(name.startswith("tile1_") for name in line["tiles"])
