"""What a number in a paper must survive: other people's folders, retraining, a scoring job that was killed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.commands import Run, assert_refused
from tests.conftest import WriteDataset

SMALL = ("--profile", "smoke", "--architectures", "unet")


@pytest.mark.slow
def test_a_reading_belongs_to_its_weights(run: Run, here: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    """A scoring job that was killed is completed; another training under the same name buys no second reading."""
    patches = write_dataset(tmp_path / "patches")
    storage = ("--storage", tmp_path / "r")
    experiment, ledger = tmp_path / "r/phase1-smoke", tmp_path / "r/test_ledger.jsonl"
    assert run("phase1", *SMALL, "--patches", patches, *storage).returncode == 0
    first = here("score", *storage)
    assert first.returncode == 0
    recorded = ledger.read_text()

    (experiment / "test_scores.parquet").unlink()  # as if it had been killed after it wrote the ledger
    shutil.rmtree(experiment / "unet/predictions/test")
    completed = here("score", *storage)
    assert completed.returncode == 0 and "completing the recorded reading" in completed.stdout, completed.stderr
    assert ledger.read_text() == recorded and list((experiment / "unet/predictions/test").rglob("*.png"))
    assert here("score", "--verify", *storage).returncode == 0

    shutil.move(experiment, tmp_path / "first")
    assert run("phase1", *SMALL, "--patches", patches, *storage, "--seed", "7").returncode == 0
    assert_refused(here("score", *storage), "with other weights: it was trained again since", '--again "REASON"')
    board = here("score", *storage, "--again", "trained anew")
    assert board.returncode == 0 and "by an earlier training under this name" in board.stdout
    assert [json.loads(line)["reason"] for line in ledger.read_text().splitlines()] == ["", "trained anew"]
    verified = here("score", "--verify", *storage)
    assert verified.returncode == 1 and "trained again since" in verified.stdout

    ledger.write_text(ledger.read_text().splitlines(keepends=True)[0])  # the last line is gone: the chain is whole
    assert "trained again since" in here("score", "--verify", *storage).stdout
    ledger.write_text("")
    emptied = here("score", "--verify", *storage)
    assert emptied.returncode == 1 and "no line in the ledger" in emptied.stdout


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_resumed_only_when_told(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    storage = ("--storage", tmp_path / "r")
    stopped = run("phase1", *SMALL, "--patches", patches, *storage, "--repeats", "3", "--time", "1s")
    assert stopped.returncode == 0, stopped.stderr
    os.chown(tmp_path / "r/phase1-smoke", 12345, 12345)
    assert_refused(run("phase1", "--resume", "phase1-smoke", *storage), "belongs to another user (12345)")
    assert run("phase1", "--resume", "phase1-smoke", *storage, "--trust-owner").returncode == 0


@pytest.mark.slow
def test_names_that_would_be_markup_or_formulas_are_shown_as_they_are(
    run: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "my [bold]tiles")
    for split, old, new in (("val", "t4", "=cmd|x"), ("val", "t5", "<script>alert(1)"), ("train", "t1", "[red]")):
        for kind in ("images", "masks"):
            (patches / split / kind / f"{old}.png").rename(patches / split / kind / f"{new}.png")
    done = run("phase1", *SMALL, "--patches", patches, "--storage", tmp_path / "r")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my [bold]tiles" in done.stdout
    experiment = tmp_path / "r/phase1-smoke"
    cells = {line.split(",")[6] for line in (experiment / "unet/history.csv").read_text().splitlines()[1:]}
    assert cells <= {"'=cmd|x", "<script>alert(1)"}
    assert (experiment / "unet/predictions/val/masks/=cmd|x.png").exists()
