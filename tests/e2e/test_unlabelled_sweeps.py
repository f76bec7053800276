"""``--unlabelled DIR``: a second row of each architecture, resumed exactly; val and test tiles are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.commands import Run, assert_refused
from tests.conftest import WriteDataset

SMOKE = ("--profile", "smoke", "--architectures", "unet")


@pytest.fixture
def extra(tmp_path: Path, write_dataset: WriteDataset) -> Path:
    """Images of which only the pictures are given."""
    found = write_dataset(tmp_path / "more", train=4, val=0, test=0, size=96)
    (found / "train/images").rename(tmp_path / "extra")
    shutil.rmtree(found)
    for number, path in enumerate(sorted((tmp_path / "extra").iterdir())):
        Image.open(path).rotate(90).save(path.with_name(f"u{number}.png"))
        path.unlink()
    return tmp_path / "extra"


def _reports(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "reports.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in ("train_loss", "val_iou")} for line in lines if "train_loss" in line]


def test_with_and_without_stand_side_by_side_and_a_resume_repeats_every_step(
    run: Run, scenes: Path, extra: Path, tmp_path: Path
) -> None:
    words = (*SMOKE, "--patches", scenes, "--unlabelled", extra)
    whole = run("phase1", *words, "--storage", tmp_path / "whole")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "4 images in" in whole.stdout and "+ unlabelled" in whole.stdout
    storage = ("--storage", tmp_path / "parts")
    stopped = run("phase1", *words, "--budget", "0.00001cpu-hours", "--max-concurrent", "1", *storage)
    assert stopped.returncode == 0 and "stopped by --budget" in stopped.stdout
    resumed = run("phase1", "--resume", "phase1-smoke", *storage)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    for trial in ("unet", "unet_unlabelled"):
        one, other = (tmp_path / place / "phase1-smoke" / trial for place in ("whole", "parts"))
        assert _reports(one) == _reports(other) and len(_reports(one)) == 2
    log = (tmp_path / "whole/phase1-smoke/unet_unlabelled/trial.log").read_text()
    assert log.count("of pixels labelled by the average of the weights") == 2
    recorded = json.loads((tmp_path / "whole/phase1-smoke/sweep.json").read_text())["data"]["unlabelled"]
    assert recorded["images"] == 4 and len(recorded["used"]) == 4 and len(recorded["sha256"]) == 64
    scored = run("score", "phase1-smoke", "--storage", tmp_path / "whole")
    assert scored.returncode == 0, scored.stdout + scored.stderr
    report = run("report", "phase1-smoke", "--storage", tmp_path / "whole")
    page = next((tmp_path / "whole").rglob("report*.md")).read_text()
    assert report.returncode == 0 and recorded["sha256"] in page
    follows = report.stdout + scored.stdout
    following = [line for line in follows.splitlines() if "sweep.phase2" in line]
    assert following and all(f"--unlabelled {extra}" in line for line in following if "+unlabelled" in line)
    model = ("--model", "phase1-smoke/unet_unlabelled", "--storage", tmp_path / "whole")
    assert run("predict", extra, *model, "--out", tmp_path / "maps").returncode == 0
    assert run("export", *model, "--out", tmp_path / "unet.onnx").returncode == 0


def test_a_resume_wants_the_same_images(here: Run, run: Run, scenes: Path, extra: Path, tmp_path: Path) -> None:
    storage = ("--storage", tmp_path / "r")
    words = (*SMOKE, "--patches", scenes, *storage)
    begun = run("phase1", *words, "--unlabelled", extra, "--budget", "0.00001cpu-hours", "--max-concurrent", "1")
    assert begun.returncode == 0, begun.stderr
    assert_refused(here("phase1", *words), "exists already and is unfinished, and is another sweep")
    (extra / "u0.png").rename(tmp_path / "u0.png")
    changed = here("phase1", "--resume", "phase1-smoke", *storage)
    assert_refused(changed, "its images changed since phase1-smoke began, or the folder is elsewhere; bring them back")
    (tmp_path / "u0.png").rename(extra / "u0.png")
    moved = extra.rename(tmp_path / "moved")
    assert_refused(here("phase1", "--resume", "phase1-smoke", *storage), "no such folder")
    resumed = run("phase1", "--resume", "phase1-smoke", "--unlabelled", moved, *storage)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_val_or_test_tile_among_them_is_refused_and_test_is_not_opened(
    here: Run, scenes: Path, extra: Path, tmp_path: Path, split: str
) -> None:
    tile = sorted((scenes / split / "images").iterdir())[0]
    shutil.copy(tile, extra / "copy.png")
    shutil.rmtree(scenes / "test")
    done = here("phase1", *SMOKE, "--patches", scenes, "--unlabelled", extra, "--storage", tmp_path / "r")
    assert_refused(done, f"copy.png: is the {split} tile {split}/images/{tile.name}; take it out of the folder")
    (extra / "copy.png").unlink()
    planned = here("phase1", *SMOKE, "--patches", scenes, "--unlabelled", extra, "--plan", "--storage", tmp_path / "r")
    assert planned.returncode == 0, planned.stderr


def test_without_a_manifest_val_is_known_by_its_pixels_and_test_by_the_ledger(
    run: Run, here: Run, dataset: Path, extra: Path, tmp_path: Path
) -> None:
    storage = ("--storage", tmp_path / "r")
    plan = ("phase1", *SMOKE, "--patches", dataset, "--unlabelled", extra, "--plan", *storage)
    planned = here(*plan)
    assert (
        planned.returncode == 0 and "which images are test tiles is not known, for lack of a manifest" in planned.stdout
    )
    val, test = (sorted((dataset / split / "images").iterdir())[0] for split in ("val", "test"))
    Image.open(val).save(extra / "again.tif")  # another file of the same pixels
    assert_refused(here(*plan), f"again.tif: is the val tile {val.stem}")
    (extra / "again.tif").unlink()
    shutil.copy(test, extra / "copy.png")
    assert here(*plan).returncode == 0
    assert run("phase1", *SMOKE, "--patches", dataset, *storage).returncode == 0
    assert run("score", "phase1-smoke", *storage).returncode == 0
    assert_refused(here(*plan), "copy.png: is a test tile of an experiment in this storage")


def test_with_folds_no_labelled_tile_may_be_among_them(here: Run, scenes: Path, extra: Path, tmp_path: Path) -> None:
    words = ("phase1", *SMOKE, "--patches", scenes, "--unlabelled", scenes / "train/images", "--plan")
    assert here(*words, "--storage", tmp_path).returncode == 0
    folds = here(*words, "--folds", "2", "--group-by", r"(\w+)", "--storage", tmp_path)
    assert_refused(folds, "is the train tile train/images/")


def test_what_cannot_be_meant_is_refused_in_a_line(here: Run, scenes: Path, extra: Path, tmp_path: Path) -> None:
    words = ("--profile", "smoke", "--patches", scenes, "--storage", tmp_path / "r")
    assert_refused(here("phase1", *words, "--unlabelled", "s3://bucket/images"), "is an address; copy the images")
    assert_refused(here("phase1", *words, "--unlabelled", tmp_path / "no"), "no such folder on this machine")
    named = here("phase1", *words, "--architectures", "unet+unlabelled")
    assert_refused(named, "unet+unlabelled: learns from unlabelled images; give their folder, --unlabelled DIR")
    recipes = tmp_path / "recipes.toml"
    recipes.write_text("[unet]\nema_decay = 0.9\nconsistency_weight = 0.5\n")
    knob = here("phase1", *words, "--recipes", recipes)
    assert_refused(knob, "recipe of unet: consistency_weight is 0.5, which needs unlabelled images")
    assert "1 trial" in here("phase1", *words, "--recipes", recipes, "--unlabelled", extra, "--plan").stdout
    recipes.write_text("[unet]\nconsistency_weight = 0.5\n")
    assert_refused(here("phase1", *words, "--recipes", recipes, "--unlabelled", extra), "give ema_decay, such as 0.99")


def test_searches_and_budget_curves_have_them_too(run: Run, scenes: Path, extra: Path, tmp_path: Path) -> None:
    words = ("--profile", "smoke", "--patches", scenes, "--storage", tmp_path / "r", "--unlabelled", extra)
    searched = run("phase2", *words, "--architectures", "unet", "--trials", "4")
    assert searched.returncode == 0, searched.stdout + searched.stderr
    best = (tmp_path / "r/phase2-smoke/best_recipes.toml").read_text()
    assert '["unet+unlabelled"]' in best and "consistency_weight" in best
    recipes = ("--recipes", tmp_path / "r/phase2-smoke/best_recipes.toml")
    curve = run("phase3", *words, *recipes, "--tiles", "1,3", "--draws", "1")
    assert curve.returncode == 0, curve.stdout + curve.stderr
    assert (tmp_path / "r/phase3-smoke/unet_unlabelled-1tiles-draw1").is_dir()
