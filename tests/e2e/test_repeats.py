"""Several trainings of one recipe, on tiles with a leak: what they count for, and recipes that are confirmed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweep.records.experiment import Experiment
from sweep.results.leaderboard import Leaderboard
from tests.commands import Run, assert_refused, start
from tests.conftest import WriteDataset
from trainables.storage import Storage

NAMES = "unet,smp_unet_resnet34"


@pytest.fixture(scope="module")
def results(run: Run, here: Run, write_dataset: WriteDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a storage with Phase 1's two architectures, trained twice on tiles of which one is in test, too."""
    folder = tmp_path_factory.mktemp("repeats")
    patches = write_dataset(folder / "patches", size=128)
    shutil.copy(patches / "train/images/t1.png", patches / "test/images/t6.png")
    found = here("patches", "check", "--patches", patches)
    assert found.returncode == 2 and "leaks between splits: 1" in found.stdout, found.stdout + found.stderr
    words = ("--profile", "smoke", "--patches", patches, "--storage", folder / "results")
    words += ("--architectures", NAMES, "--repeats", "2", "--name", "twice")
    refused = here("phase1", *words)
    assert_refused(refused, "train/images/t1.png and test/images/t6.png: identical files", "--allow-leak")
    done = run("phase1", *words, "--allow-leak")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 trainings" in done.stdout and "cover other tiles and trainings" in done.stdout
    assert "[leak]" in done.stdout and "no score can be trusted" in done.stdout
    return folder / "results"


def test_a_leak_that_is_allowed_marks_every_row(results: Path) -> None:
    assert (results / "twice" / "leaderboard.csv").read_text().count("[leak]") == 2
    assert pq.read_table(results / "twice" / "trials.parquet")["leaks"].to_pylist() == [1] * 4


def _board(results: Path) -> Leaderboard:
    return Leaderboard(Experiment.find(Storage.open(str(results)), "twice"))


def test_an_architecture_is_one_row_with_the_mean_and_interval_of_its_trainings(results: Path) -> None:
    board = _board(results)
    assert sorted(row.contender for row in board.rows) == sorted(NAMES.split(","))
    trials = {one.attempt: one for one in board.trials}
    for row in board.rows:
        each = [trials[f"{row.contender}-{repeat}"].final_iou for repeat in (1, 2)]
        assert row.val_iou == pytest.approx(sum(each) / 2)
        plain = row.to_dict()
        assert plain["val_iou_low"] <= plain["val_iou"] <= plain["val_iou_high"]
        assert row.attempts == (f"{row.contender}-1", f"{row.contender}-2")
    assert [row.rank for row in board.rows] == [1, 2]
    assert sum(row.probability_best or 0.0 for row in board.rows) == pytest.approx(1.0)


def test_of_jobs_that_race_one_reads_test_of_every_training_once(results: Path, here: Run, tmp_path: Path) -> None:
    storage = ("--storage", shutil.copytree(results, tmp_path / "results"))
    jobs = [start("score", "twice", *storage) for _ in range(2)]
    ends = [(job.communicate(timeout=240), job.returncode) for job in jobs]
    assert sorted(code for _, code in ends) == [0, 2], ends
    lines = [json.loads(line) for line in (tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()]
    assert sorted(line["attempt"] for line in lines) == sorted(
        f"{name}-{n}" for name in NAMES.split(",") for n in (1, 2)
    )
    board = pq.read_table(tmp_path / "results" / "twice" / "leaderboard.parquet").to_pylist()
    for row in board:
        own = [line["iou"] for line in lines if line["attempt"] in row["attempts"]]
        assert row["test_iou"] == pytest.approx(sum(own) / 2)
        assert row["test_iou_low"] <= row["test_iou"] <= row["test_iou_high"]
    assert_refused(here("score", "twice", *storage), "test was read at")


def _with_a_failure(results: Path, folder: Path, attempt: str) -> Path:
    """Copy a storage, and let a training have failed."""
    copy = shutil.copytree(results, folder)
    records = copy / "twice" / "trials.jsonl"
    lines: list[dict[str, Any]] = [json.loads(line) for line in records.read_text().splitlines()]
    for line in lines:
        if line["attempt"] == attempt:
            line |= {"state": "failed", "reason": "the loss was not finite"}
    records.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return copy


def test_a_failed_training_takes_the_rank_and_is_named(results: Path, tmp_path: Path) -> None:
    best = _board(results).rows[0].contender
    board = _board(_with_a_failure(results, tmp_path / "results", f"{best}-2"))
    last = board.rows[-1]
    assert (last.contender, last.rank, last.repeats_failed) == (best, None, 1)
    assert board.failures == [best]
    assert "[1 of 2 trainings failed]" in board.markdown()
    assert any("has no rank: 1 of 2 trainings failed" in line for line in board.answer)


def test_confirmed_recipes_are_trained_anew_and_decide(
    run: Run, here: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    common = ("--profile", "smoke", "--patches", patches, "--storage", tmp_path / "results", "--architectures", "unet")
    planned = here("phase2", *common, "--trials", "3", "--confirm", "2", "--repeats", "2", "--plan")
    assert "3 + 4" in planned.stdout
    done = run("phase2", *common, "--trials", "3", "--confirm", "2", "--repeats", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    trials = pq.read_table(tmp_path / "results" / "phase2-smoke" / "trials.parquet").to_pylist()
    search = sorted((row for row in trials if row["preliminary"] and row["val_iou"] is not None), key=_descending)
    anew = [row for row in trials if not row["preliminary"]]
    assert {row["candidate"] for row in anew} == {row["attempt"] for row in search[:2]}
    assert {row["seed"] for row in anew} == {43, 44} and {row["seed"] for row in search} == {42}
    assert all(row["status"] == "finished" and row["epochs"] <= row["max_epochs"] for row in anew)
    (row,) = pq.read_table(tmp_path / "results" / "phase2-smoke" / "leaderboard.parquet").to_pylist()
    merits = {
        name: (
            not all(one["collapsed"] for one in anew if one["candidate"] == name),
            sum(one["val_iou"] for one in anew if one["candidate"] == name) / 2,
        )
        for name in {one["candidate"] for one in anew}
    }
    assert row["val_iou"] == pytest.approx(max(merits.values())[1])
    assert merits[row["candidate"]] == max(merits.values())
    assert f"trial {row['candidate']}" in (tmp_path / "results" / "phase2-smoke" / "best_recipes.toml").read_text()
    other = next(one["attempt"] for one in anew if one["candidate"] != row["candidate"])
    storage = ("--storage", tmp_path / "results")
    assert_refused(here("score", *storage, "--attempts", other), "was not the best of unet")
    assert_refused(here("score", *storage, "--attempts", row["candidate"]), "was not the best of unet")
    assert here("score", *storage).returncode == 0
    readings = (tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["attempt"] for line in readings] == row["attempts"]


def _descending(row: dict[str, Any]) -> tuple[bool, float]:
    return bool(row["collapsed"]), -float(row["val_iou"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--confirm", "9"), "--confirm 9: must be 0 to 4"), (("--repeats", "0"), "--repeats 0: must be at least 1")],
)
def test_impossible_confirmations_are_refused(here: Run, arguments: tuple[str, ...], said: str) -> None:
    assert_refused(here("phase2", "--profile", "smoke", "--architectures", "unet", *arguments), said)
