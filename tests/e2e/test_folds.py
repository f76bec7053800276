"""``--folds`` as users type it: stopped and resumed, scored once per contender, predicted with; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, median_low

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sweep.planning.plan import read_plan
from sweep.records.experiment import Experiment
from tests.audit import Audit
from tests.commands import Run, assert_refused
from tests.conftest import WriteDataset
from tests.shared_sweeps import link_every_file
from trainables.checkpoints import read_best
from trainables.storage import Storage

SMOKE = ("--profile", "smoke", "--architectures", "unet,sam_vit_b_conv", "--max-concurrent", 1)


def _plan(patches: Path) -> tuple[object, ...]:
    storage = ("--storage", patches.parent / "r")
    return ("--profile", "smoke", "--architectures", "unet", "--patches", patches, "--plan", *storage)


def test_a_cross_validation_is_resumed_scored_once_and_predicted_with(
    run: Run, here: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches", train=5, val=2)
    link_every_file(patches)
    audit = Audit.of(tmp_path, tmp_path / "store", patches)
    storage = ("--storage", tmp_path / "r")
    arguments = (*SMOKE, "--patches", patches, "--folds", 6, "--group-by", "(t)[1-3]|t[4-7]")
    refused = here("phase1", *arguments, *storage)
    assert_refused(refused, "--folds 6: there are 5 scenes, and a scene is in one fold; --folds 5 works")
    arguments = tuple(2 if word == 6 else word for word in arguments)
    stopped = run("phase1", *arguments, "--budget", "0.00001cpu-hours", *storage, **audit.variables)
    assert stopped.returncode == 0 and "stopped by --budget" in stopped.stdout, stopped.stdout + stopped.stderr
    assert_refused(here("phase1", "--resume", "phase1-smoke", "--folds", 4, *storage), "--folds")
    assert_refused(here("phase1", "--resume", "phase1-smoke", "--group-by", "t", *storage), "--group-by")
    done = run("phase1", "--resume", "phase1-smoke", *storage, **audit.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert audit.opened() and not audit.of_test(patches)
    assert "7 train and val tiles in 2 folds of" in stopped.stderr + stopped.stdout
    experiment = Experiment(Storage.open(str(tmp_path / "r")), "phase1-smoke")
    plans = read_plan(experiment).known()
    assert len({plan.folds for plan in plans}) == 1 and len(plans) == 2
    left_out = [set(fold.val) for fold in plans[0].folds]
    assert left_out[0] | left_out[1] == {f"t{number}" for number in range(1, 8)} and not left_out[0] & left_out[1]
    assert any({"t1", "t2", "t3"} <= names for names in left_out), "one scene"
    folder = tmp_path / "r" / "phase1-smoke"
    scores = pq.read_table(folder / "val_scores.parquet").to_pylist()
    assert sorted(row["tile"] for row in scores if row["attempt"] == "unet") == [f"t{number}" for number in range(1, 8)]
    rows = {row["attempt"]: row for row in pq.read_table(folder / "trials.parquet").to_pylist()}
    assert rows["unet"]["folds"] == 2 and rows["unet"]["tiles"] == 7 - max(map(len, left_out))
    assert rows["unet"]["val_iou"] == pytest.approx(fmean(row["iou"] for row in scores if row["attempt"] == "unet"))
    assert read_best(folder / "unet" / "best.safetensors").folds == tuple(fold.val for fold in plans[0].folds)
    assert "out-of-fold" in done.stdout
    scored = here("score", *storage)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    ledger = [json.loads(line) for line in (tmp_path / "r" / "test_ledger.jsonl").read_text().splitlines()]
    assert sorted(line["attempt"] for line in ledger) == ["sam_vit_b_conv", "unet"]
    assert_refused(here("score", *storage), "test was read at")
    assert here("score", "--verify", *storage).returncode == 0
    assert here("report", *storage).returncode == 0
    _refit(run, here, tmp_path, audit)
    assert len((tmp_path / "r" / "test_ledger.jsonl").read_text().splitlines()) == len(ledger)
    page = (folder / "report.html").read_text()
    assert "each was trained once" not in page, "each has a training in every fold"
    assert "7 train and val tiles in 2 folds" in page and "The tiles that each fold leaves out" in page


def _refit(run: Run, here: Run, tmp_path: Path, audit: Audit) -> None:
    """Train the ended sweep's contenders once more on all tiles, as the refusal says, and predict with one."""
    storage, folder = ("--storage", tmp_path / "r"), tmp_path / "r" / "phase1-smoke"
    model = ("--model", "phase1-smoke", "--refit", *storage)
    images, out = tmp_path / "patches" / "val" / "images", tmp_path / "map"
    predict = ("predict", images, *model, "--threshold", 0.4, "--out", out)
    assert_refused(
        here(*predict), "has not been trained on all tiles; do so with python -m sweep.phase1 --refit --resume"
    )
    again = run("phase1", "--refit", "--resume", "phase1-smoke", *storage, **audit.variables)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Trained once more on all tiles" in again.stdout
    rows = {row["attempt"]: row for row in pq.read_table(folder / "trials.parquet").to_pylist()}
    one = rows["unet-refit"]
    assert (one["role"], one["tiles"], one["folds"], one["status"]) == ("refit", 7, 0, "finished")
    assert (one["val_iou"], one["val_f1"], one["best_epoch_val_iou"]) == (None, None, None)
    assert one["epochs"] == median_low(read_best(folder / "unet" / "best.safetensors").fold_epochs)
    assert read_best(folder / "unet-refit" / "best.safetensors").refit
    assert "refit" not in (folder / "leaderboard.csv").read_text()
    done = here(*predict)
    assert done.returncode == 0 and "the model was trained on all tiles" in done.stdout, done.stderr
    assert_refused(here(*predict, "--fold", 1), "--fold 1: --refit is one model")
    assert_refused(here("score", "--attempts", "unet-refit", *storage), "was trained on all tiles once the choice")
    assert_refused(here("phase1", "--refit", "--resume", "phase1-smoke", *storage), "it has ended")
    exported = here("export", *model, "--format", "torch", "--out", tmp_path / "all.pt2")
    assert exported.returncode == 0 and "out-of-fold IoU" in exported.stdout, exported.stderr
    assert here("report", *storage, "--overwrite").returncode == 0
    assert "Trained once more on all tiles" in (folder / "report.html").read_text()


def test_budgets_are_drawn_within_each_fold(here: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches", train=6, val=2)
    plan = (*_plan(patches), "--folds", 2)
    assert_refused(here("phase3", *plan, "--tiles", "5"), "there are only 4 train tiles in each of 2 folds")
    done = here("phase3", *plan, "--tiles", "2,4", "--json")
    assert done.returncode == 0, done.stderr
    shown = next(event for line in done.stdout.splitlines() if (event := json.loads(line))["event"] == "plan")
    assert sorted(name for fold in shown["folds"] for name in fold) == [f"t{number}" for number in range(1, 9)]


def test_tiles_that_show_the_same_ground_are_in_one_fold(
    here: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    """Identical images of train and val are a leak, but for a cross-validation one scene."""
    patches = write_dataset(tmp_path / "patches", train=3, val=2)
    same = Image.open(patches / "train" / "images" / "t1.png")
    same.save(patches / "val" / "images" / "t5.png")
    Image.open(patches / "train" / "masks" / "t1.png").save(patches / "val" / "masks" / "t5.png")
    assert np.array_equal(np.asarray(same), np.asarray(Image.open(patches / "val" / "images" / "t5.png")))
    plan = _plan(patches)
    assert_refused(here("phase1", *plan), "identical files")
    done = here("phase1", *plan, "--folds", 4, "--json")
    assert done.returncode == 0, done.stderr
    shown = next(event for line in done.stdout.splitlines() if (event := json.loads(line))["event"] == "plan")
    assert [fold for fold in shown["folds"] if "t1" in fold] == [["t1", "t5"]]
    assert_refused(here("phase1", *plan, "--folds", 5), "--folds 5: there are 4 scenes")


def test_a_published_val_split_is_divided_only_when_asked(
    here: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches", train=3, val=2)
    assert here("patches", "check", "--patches", patches, "--update").returncode == 0
    manifest = json.loads((patches / "manifest.json").read_text())
    (patches / "manifest.json").write_text(json.dumps({**manifest, "split_origin": "published"}))
    plan = _plan(patches)
    assert_refused(here("phase1", *plan, "--folds", 2), "--pool-val divides its tiles, too, or leave --folds out")
    assert here("phase1", *plan, "--folds", 2, "--pool-val").returncode == 0
    assert_refused(here("phase1", *plan, "--pool-val"), "--pool-val: lets --folds divide")
    assert_refused(here("phase1", *plan, "--refit"), "--refit: this sweep has no folds")
