"""Phase 1 from tiles to leaderboard, by the commands that users type."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from search_spaces.phase1 import TRACKS
from tests.commands import Run, assert_refused
from tests.shared_sweeps import SharedSweep
from trainables.checkpoints import read_best
from trainables.models.registry import ARCHITECTURES, GRID_OF_FIVE
from trainables.recipe import Recipe


def test_it_prints_dashboard_epochs_leaderboard_and_what_comes_next(scored: SharedSweep) -> None:
    out = scored.said("phase1")
    assert "http://127.0.0.1:" in out and "ray get-auth-token" in out
    assert "sam_vit_b_unet  epoch 2/2  epoch IoU" in out and "ETA" in out
    assert "SMP DeepLabV3+ + ResNet34" in out and "best epoch" in out
    assert "python -m sweep.score phase1-smoke" in out
    assert "random weights" in out
    assert "Traceback" not in out


def test_no_token_is_printed(scored: SharedSweep) -> None:
    token = Path.home() / ".ray" / "auth_token"
    if token.exists():
        assert token.read_text().strip() not in scored.said("phase1") + scored.said("score")


@pytest.mark.parametrize("attempt", GRID_OF_FIVE)
def test_each_trial_leaves_its_files(scored: SharedSweep, attempt: str) -> None:
    folder = scored.experiment / attempt
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


def test_the_experiment_s_tables_hold_every_trial_and_epoch(scored: SharedSweep) -> None:
    trials = pq.read_table(scored.experiment / "trials.parquet").to_pylist()
    assert [row["attempt"] for row in trials] == list(GRID_OF_FIVE)
    assert {row["status"] for row in trials} == {"finished"}
    assert {row["weights"] for row in trials} == {"from scratch", "random"}
    assert all(0 <= row["val_iou"] <= 1 and row["trainable_parameters"] > 0 for row in trials)
    epochs = pq.read_table(scored.experiment / "epochs.parquet").to_pylist()
    assert len(epochs) == 10
    assert all({name for name, _ in row["tile_iou"]} == {"t4", "t5"} for row in epochs)
    scores = pq.read_table(scored.experiment / "val_scores.parquet").to_pylist()
    assert len(scores) == 10


def test_the_description_says_how_it_was_made(scored: SharedSweep) -> None:
    description = json.loads((scored.experiment / "sweep.json").read_text())
    assert description["ended"] is True
    assert description["provenance"]["packages"]["torch"]
    assert description["provenance"]["command"].startswith("python -m sweep.phase1 --profile smoke")
    assert set(description["provenance"]["git"]) in ({"commit", "dirty"}, set())
    assert description["data"]["val"] == ["t4", "t5"]
    assert "test" not in description["data"]


def test_score_reads_test_once_and_refuses_a_second_time(scored: SharedSweep, here: Run, tmp_path: Path) -> None:
    ledger = (scored.storage / "test_ledger.jsonl").read_text().splitlines()
    assert len(ledger) == 5
    trials = {row["attempt"]: row for row in pq.read_table(scored.experiment / "leaderboard.parquet").to_pylist()}
    for line in map(json.loads, ledger):
        assert trials[line["attempt"]]["test_iou"] == line["iou"]
        masks = scored.experiment / line["attempt"] / "predictions" / "test" / "masks"
        assert sorted(path.name for path in masks.iterdir()) == ["t6.png", "t7.png"]
    assert len(pq.read_table(scored.experiment / "test_scores.parquet")) == 10
    for split in ("val", "test"):  # image, truth and five contenders, two rows
        with Image.open(scored.experiment / f"comparison_{split}.jpg") as picture:
            assert picture.width > 7 * 256 and picture.height > 2 * 256
    copy = scored.copy(tmp_path / "copy")
    where = ("--storage", copy, "--patches", scored.folder / "tiles")
    assert_refused(here("score", *where), "unet: test was read at", "--again")
    assert_refused(here("score", *where, "--attempts", "sam_vit_b_conv"), "sam_vit_b_conv: test was read at")
    assert (copy / "test_ledger.jsonl").read_text().splitlines() == ledger
    again = here("score", *where, "--attempts", "unet", "--again", "a bug in the masks")
    assert again.returncode == 0, again.stderr
    last = json.loads((copy / "test_ledger.jsonl").read_text().splitlines()[-1])
    assert (last["attempt"], last["reason"]) == ("unet", "a bug in the masks")
    assert last["iou"] == trials["unet"]["test_iou"]
    board = (copy / scored.name / "leaderboard.md").read_text()
    assert "*" in next(line for line in board.splitlines() if "| U-Net from scratch" in line)
    assert "more than once" in board


def test_the_leaderboard_files_agree(scored: SharedSweep) -> None:
    with (scored.experiment / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = "rank,model,weights,LR,aug,dropout,loss,best epoch,folds,val IoU,val F1,P(best),test IoU,test F1,time"
    assert list(rows[0])[:15] == columns.split(",")
    parquet = pq.read_table(scored.experiment / "leaderboard.parquet").to_pylist()
    for name, key in (("val IoU", "val_iou"), ("val IoU low", "val_iou_low"), ("test F1 high", "test_f1_high")):
        assert [row[name] for row in rows] == [f"{row[key]:.3f}" for row in parquet]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    order = [(row["collapsed"] != "", -row["val_iou"]) for row in parquet]
    assert order == sorted(order)
    assert all(row["tied"] and row["probability_best"] is None for row in parquet)  # one training each


def test_another_dataset_is_not_scored_and_nothing_is_recorded(scored: SharedSweep, here: Run, tmp_path: Path) -> None:
    copy, patches = scored.copy(tmp_path / "copy"), tmp_path / "patches"
    shutil.copytree(scored.folder / "tiles", patches)
    where = ("--storage", copy, "--patches", patches, "--again", "x")
    before = (copy / "test_ledger.jsonl").read_text()
    shutil.copy(patches / "test/masks/t6.png", patches / "test/masks/t7.png")
    assert_refused(here("score", *where), "t7.png: differs from the manifest")
    (patches / "manifest.json").unlink()
    Image.new("L", (128, 128)).save(patches / "train" / "masks" / "t1.png")
    assert_refused(here("score", *where), "not the dataset")
    assert (copy / "test_ledger.jsonl").read_text() == before


def test_a_manifest_that_does_not_match_stops_a_sweep(scored: SharedSweep, here: Run, tmp_path: Path) -> None:
    patches = shutil.copytree(scored.folder / "tiles", tmp_path / "patches")
    shutil.copy(patches / "val/masks/t4.png", patches / "val/masks/t5.png")
    done = here("phase1", "--profile", "smoke", "--patches", patches, "--storage", tmp_path / "r")
    assert_refused(done, "t5.png: differs from the manifest")


@pytest.mark.slow
def test_the_same_command_again_starts_a_second_experiment_and_a_taken_name_is_refused(
    scored: SharedSweep, run: Run, here: Run, tmp_path: Path
) -> None:
    storage = ("--storage", scored.copy(tmp_path / "copy"))
    common = ("--profile", "smoke", "--patches", scored.folder / "tiles", *storage, "--architectures", "unet")
    assert_refused(here("phase1", *common, "--name", "phase1-smoke"), "--name phase1-smoke", "exists")
    assert_refused(here("phase1", "--resume", "phase1-smoke", *storage), "has ended")
    done = run("phase1", *common, "--repeats", "2", "--max-concurrent", "1")
    assert done.returncode == 0, done.stderr
    trials = pq.read_table(tmp_path / "copy" / "phase1-smoke-2" / "trials.parquet").to_pylist()
    assert [(row["attempt"], row["seed"]) for row in trials] == [("unet-1", 42), ("unet-2", 43)]


def test_plan_runs_nothing(here: Run, tmp_path: Path) -> None:
    done = here("phase1", "--profile", "demo", "--plan", "--storage", tmp_path / "new")
    assert done.returncode == 0
    assert "13 trials" in done.stdout and "nothing was started" in done.stdout and "ImageNet" in done.stdout
    assert not (tmp_path / "new").exists()
