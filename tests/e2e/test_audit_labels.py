"""``sweep.audit labels``: planted errors are found by probes or by a sweep's folds, and test is not even listed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import Run, assert_refused
from tests.conftest import WriteDataset
from tests.shared_sweeps import SharedSweep, link_test_folder

FILES = {"label_audit.html", "label_audit.json", "findings.csv", "findings.gpkg"}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    """Tiles one of which lacks the label of its object, and whose test folder cannot be listed."""
    root = write_dataset(tmp_path_factory.mktemp("labels") / "tiles", train=5, val=2, size=128)
    path = root / "train" / "masks" / "t2.png"
    Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    link_test_folder(root)
    return root


def test_a_missing_object_is_found_by_probes(tiles: Path, here: Run, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    done = here("audit", "labels", "--patches", tiles, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {one.name for one in out.iterdir()} == FILES
    rows = list(csv.DictReader((out / "findings.csv").open(encoding="utf-8")))
    assert (rows[0]["tile"], rows[0]["split"], rows[0]["kind"]) == ("t2", "train", "missing object")
    page = (out / "label_audit.html").read_text(encoding="utf-8")
    assert "missing object" in page and "data:image/webp" in page and "connect-src" not in page
    assert f"next           python -m sweep.patches check --patches {tiles} --update" in done.stdout

    again = here("audit", "labels", "--patches", tiles, "--out", out)
    assert again.returncode == 0, "what nobody edited is replaced"
    with (out / "findings.csv").open("a", encoding="utf-8") as table:
        table.write("looked at by me\n")
    edited = here("audit", "labels", "--patches", tiles, "--out", out)
    said = "findings.csv: exists already, not as tilesweep wrote it; choose another name, or say --overwrite"
    assert_refused(edited, said)
    assert "looked at by me" in (out / "findings.csv").read_text(encoding="utf-8")
    assert here("audit", "labels", "--patches", tiles, "--out", out, "--overwrite").returncode == 0


def test_programs_get_every_finding(tiles: Path, here: Run, tmp_path: Path) -> None:
    done = here("audit", "labels", "--patches", tiles, "--out", tmp_path / "audit", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "label_audit" and events[0]["tiles"] == 7
    assert [one["event"] for one in events[1:-1]] == ["finding"] * events[0]["findings"]


def test_the_folds_of_a_sweep_predict_what_they_left_out(tiles: Path, run: Run, here: Run, tmp_path: Path) -> None:
    storage = ("--storage", tmp_path / "r")
    words = (
        "--profile",
        "smoke",
        "--patches",
        tiles,
        "--architectures",
        "smp_unet_resnet34",
        "--folds",
        2,
        "--no-probes",
    )
    assert run("phase1", *words, *storage).returncode == 0
    audit = ("audit", "labels", "--model", "phase1-smoke", *storage)
    done = here(*audit, "--patches", tiles, "--out", tmp_path / "audit")
    assert done.returncode == 0 and "not looked at" not in done.stdout, done.stdout + done.stderr
    assert "so that its report shows it" in " ".join(done.stdout.split())
    assert here("report", "phase1-smoke", *storage).returncode == 0
    page = (tmp_path / "r" / "phase1-smoke" / "report.html").read_text(encoding="utf-8")
    assert "Which labels are wrong?" in page and "of 7 tiles, by " in page
    mask = tiles.parent / "other" / "train" / "masks" / "t1.png"
    mask.parent.parent.parent.mkdir()
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (tiles.parent / "other" / split / kind).mkdir(parents=True)
            for file in (tiles / split / kind).iterdir():
                (tiles.parent / "other" / split / kind / file.name).write_bytes(file.read_bytes())
    Image.fromarray(np.zeros((128, 128), np.uint8)).save(mask)
    assert_refused(here(*audit, "--patches", tiles.parent / "other"), "is not the data that phase1-smoke/")


def test_a_model_without_folds_looks_at_val_alone_and_says_so(scored: SharedSweep, here: Run, tmp_path: Path) -> None:
    storage = ("--storage", scored.copy(tmp_path / "r"))
    words = ("--model", "phase1-smoke", "--patches", scored.folder / "tiles", *storage)
    done = here("audit", "labels", *words, "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "3 tiles that it was trained on; a sweep with --folds, or no --model, looks at all" in said


def test_a_single_tile_is_refused(write_dataset: WriteDataset, here: Run, tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "tiles", train=1, val=0, test=0)
    assert_refused(
        here("audit", "labels", "--patches", root), "has 1 labelled tile, and a label is checked by those of"
    )


def test_a_dataset_that_is_not_there_is_refused(here: Run, tmp_path: Path) -> None:
    assert_refused(here("audit", "labels", "--patches", tmp_path / "nowhere"), "nowhere")
    (tmp_path / "file").write_text("")
    assert_refused(
        here("audit", "labels", "--patches", tmp_path, "--out", tmp_path / "file"), "is a file; name a folder"
    )
