"""Phase 1 from tiles to leaderboard, by the commands that users type."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from search_spaces.phase1 import TRACKS
from tests.conftest import WriteDataset
from tests.e2e.conftest import Run, assert_refused
from trainables.checkpoints import read_best
from trainables.models.registry import ARCHITECTURES, GRID_OF_FIVE
from trainables.recipe import Recipe


class Swept:
    """A finished smoke sweep of the five architectures and its output."""

    def __init__(self, folder: Path, patches: Path, done: subprocess.CompletedProcess[str]) -> None:
        self.folder, self.patches, self.done = folder, patches, done
        self.experiment = folder / "results" / "phase1-smoke"
        self.storage = ("--storage", folder / "results")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset, run: Run) -> Swept:
    """Sweep while the test split is elsewhere, then bring it back."""
    folder = tmp_path_factory.mktemp("sweep")
    patches = write_dataset(folder / "patches", size=128)
    run("patches", "check", "--patches", patches)
    (patches / "test").rename(folder / "away")
    done = run("phase1", "--profile", "smoke", "--patches", patches, "--storage", folder / "results")
    (folder / "away").rename(patches / "test")
    assert done.returncode == 0, done.stdout + done.stderr
    return Swept(folder, patches, done)


def test_a_sweep_runs_without_a_test_split(swept: Swept) -> None:
    assert swept.done.returncode == 0


def test_it_prints_dashboard_epochs_leaderboard_and_what_comes_next(swept: Swept) -> None:
    out = swept.done.stdout
    assert "http://127.0.0.1:" in out and "ray get-auth-token" in out
    assert "sam_vit_b_unet  epoch 2/2  val IoU" in out and "ETA" in out
    assert "SMP DeepLabV3+ + ResNet34" in out and "best epoch" in out
    assert "python -m sweep.score phase1-smoke" in out
    assert "random weights" in out
    assert "Traceback" not in out + swept.done.stderr


def test_no_token_is_printed(swept: Swept) -> None:
    token = Path.home() / ".ray" / "auth_token"
    if token.exists():
        assert token.read_text().strip() not in swept.done.stdout + swept.done.stderr


@pytest.mark.parametrize("attempt", GRID_OF_FIVE)
def test_each_trial_leaves_its_files(swept: Swept, attempt: str) -> None:
    folder = swept.experiment / attempt
    recipe = Recipe.from_dict(json.loads((folder / "recipe.json").read_text()))
    assert (recipe.architecture, recipe.learning_rate) == (
        attempt,
        TRACKS[ARCHITECTURES[attempt].track]["learning_rate"],
    )
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert 0 <= float(rows[0]["val_iou"]) <= 1
    best = read_best(folder / "best.safetensors")
    assert best.recipe == recipe
    assert best.weights.kind == ("none" if attempt == "unet" else "random")
    assert f"{attempt}  epoch 2/2" in (folder / "trial.log").read_text()
    for tile in ("t4", "t5"):
        assert Image.open(folder / "predictions" / "val" / "masks" / f"{tile}.png").size == (128, 128)
        assert Image.open(folder / "predictions" / "val" / "overlays" / f"{tile}.jpg").size == (128, 128)


def test_the_experiment_s_tables_hold_every_trial_and_epoch(swept: Swept) -> None:
    trials = pq.read_table(swept.experiment / "trials.parquet").to_pylist()
    assert [row["attempt"] for row in trials] == list(GRID_OF_FIVE)
    assert {row["status"] for row in trials} == {"finished"}
    assert {row["weights"] for row in trials} == {"from scratch", "random"}
    assert all(0 <= row["val_iou"] <= 1 and row["trainable_parameters"] > 0 for row in trials)
    epochs = pq.read_table(swept.experiment / "epochs.parquet").to_pylist()
    assert len(epochs) == 10
    assert all({name for name, _ in row["tile_iou"]} == {"t4", "t5"} for row in epochs)
    scores = pq.read_table(swept.experiment / "val_scores.parquet").to_pylist()
    assert len(scores) == 10


def test_the_description_says_how_it_was_made(swept: Swept) -> None:
    description = json.loads((swept.experiment / "sweep.json").read_text())
    assert description["ended"] is True
    assert description["provenance"]["packages"]["torch"]
    assert description["provenance"]["command"].startswith("python -m sweep.phase1 --profile smoke")
    assert set(description["provenance"]["git"]) in ({"commit", "dirty"}, set())
    assert description["data"]["val"] == ["t4", "t5"]
    assert "test" not in description["data"]


def test_score_reads_test_once_and_refuses_a_second_time(swept: Swept, run: Run) -> None:
    first = run("score", *swept.storage)
    assert first.returncode == 0, first.stderr
    ledger = (swept.folder / "results" / "test_ledger.jsonl").read_text().splitlines()
    assert len(ledger) == 5
    trials = {row["attempt"]: row for row in pq.read_table(swept.experiment / "leaderboard.parquet").to_pylist()}
    for line in map(json.loads, ledger):
        assert trials[line["attempt"]]["test_iou"] == line["iou"]
        masks = swept.experiment / line["attempt"] / "predictions" / "test" / "masks"
        assert sorted(path.name for path in masks.iterdir()) == ["t6.png", "t7.png"]
    assert len(pq.read_table(swept.experiment / "test_scores.parquet")) == 10
    for split in ("val", "test"):  # five columns, two rows
        with Image.open(swept.experiment / f"comparison_{split}.jpg") as picture:
            assert picture.width > 5 * 300 and picture.height > 2 * 300
    assert_refused(run("score", *swept.storage), "unet: test was read at", "--again")
    assert_refused(run("score", *swept.storage, "--attempts", "sam_vit_b_conv"), "sam_vit_b_conv: test was read at")
    assert len((swept.folder / "results" / "test_ledger.jsonl").read_text().splitlines()) == 5
    again = run("score", *swept.storage, "--attempts", "unet", "--again", "a bug in the masks")
    assert again.returncode == 0
    last = json.loads((swept.folder / "results" / "test_ledger.jsonl").read_text().splitlines()[-1])
    assert (last["attempt"], last["reason"]) == ("unet", "a bug in the masks")
    assert last["iou"] == trials["unet"]["test_iou"]
    board = (swept.experiment / "leaderboard.md").read_text()
    assert "*" in next(line for line in board.splitlines() if "| U-Net from scratch" in line)
    assert "more than once" in board


def test_the_leaderboard_files_agree(swept: Swept) -> None:
    with (swept.experiment / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = "rank,model,weights,LR,aug,dropout,loss,best epoch,val IoU,val F1,P(best),test IoU,test F1,time"
    assert list(rows[0])[:14] == columns.split(",")
    parquet = pq.read_table(swept.experiment / "leaderboard.parquet").to_pylist()
    for name, key in (("val IoU", "val_iou"), ("val IoU low", "val_iou_low"), ("test F1 high", "test_f1_high")):
        assert [row[name] for row in rows] == [f"{row[key]:.3f}" for row in parquet]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    order = [(row["collapsed"] != "", -row["val_iou"]) for row in parquet]
    assert order == sorted(order)
    assert all(row["tied"] and row["probability_best"] is None for row in parquet)  # one training each


def test_another_dataset_is_not_scored_and_nothing_is_recorded(swept: Swept, run: Run, tmp_path: Path) -> None:
    patches = tmp_path / "patches"
    shutil.copytree(swept.patches, patches)
    (patches / "manifest.json").unlink()
    Image.new("L", (128, 128)).save(patches / "train" / "masks" / "t1.png")
    before = (swept.folder / "results" / "test_ledger.jsonl").read_text()
    assert_refused(run("score", *swept.storage, "--patches", patches, "--again", "x"), "not the dataset")
    assert (swept.folder / "results" / "test_ledger.jsonl").read_text() == before


@pytest.mark.slow
def test_the_same_command_again_starts_a_second_experiment_and_a_taken_name_is_refused(swept: Swept, run: Run) -> None:
    common = ("--profile", "smoke", "--patches", swept.patches, *swept.storage, "--architectures", "unet")
    assert_refused(run("phase1", *common, "--name", "phase1-smoke"), "--name phase1-smoke", "exists")
    assert_refused(run("phase1", "--resume", "phase1-smoke", *swept.storage), "has ended")
    done = run("phase1", *common, "--repeats", "2", "--max-concurrent", "1")
    assert done.returncode == 0, done.stderr
    trials = pq.read_table(swept.folder / "results" / "phase1-smoke-2" / "trials.parquet").to_pylist()
    assert [(row["attempt"], row["seed"]) for row in trials] == [("unet-1", 42), ("unet-2", 43)]


def test_plan_runs_nothing(swept: Swept, run: Run, tmp_path: Path) -> None:
    done = run("phase1", "--profile", "demo", "--plan", "--patches", swept.patches, "--storage", tmp_path / "new")
    assert done.returncode == 0
    assert "6 trials" in done.stdout and "nothing was started" in done.stdout and "ImageNet" in done.stdout
    assert not (tmp_path / "new").exists()
