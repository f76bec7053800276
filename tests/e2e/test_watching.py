"""A sweep as programs, quiet users and other terminals see it, from its start to its scores."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweep.machine.gpus import gpu_count
from tests.audit import Audit
from tests.commands import Run, assert_refused, start
from tests.conftest import WriteDataset
from tests.faults.table import Row, Tally

NAME = "phase1-smoke"


def _events(stdout: str) -> list[dict[str, Any]]:
    """Parse a JSON object a line; anything else on standard output fails."""
    return [json.loads(line) for line in stdout.splitlines()]


def _finished(experiment: Path) -> dict[str, float]:
    """Return the seconds that each finished trial took."""
    rows = pq.read_table(experiment / "trials.parquet").to_pylist()
    return {row["attempt"]: row["seconds"] for row in rows if row["status"] == "finished"}


def _of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == kind]


def test_a_sweep_is_watched_interrupted_resumed_and_scored(
    run: Run,
    here: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    tally: Tally,
    processes: list[subprocess.Popen[str]],
) -> None:
    patches, results = write_dataset(tmp_path / "patches"), tmp_path / "results"
    audit = Audit.of(tmp_path, patches)
    storage = ("--storage", results)
    resume = f"python -m sweep.phase1 --resume {NAME} --storage {results}"
    arguments = ["--profile", "smoke", "--patches", patches, *storage, "--max-concurrent", "1"]
    arguments += ["--architectures", "unet", "--repeats", "5"]
    process = start("phase1", *arguments, "--json", stderr=subprocess.PIPE, **audit.variables)
    processes.append(process)
    assert process.stdout
    lines = []
    for line in process.stdout:  # until the second trial trains
        lines.append(line)
        if '"trial_started"' in line and '"unet-2"' in line:
            break
    running = here("status", *storage)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = process.communicate(timeout=240)
    seconds = time.monotonic() - sent
    assert process.returncode == 130 and "Traceback" not in err, err
    assert running.returncode == 0, running.stderr
    assert f"running by process {process.pid} on " in running.stdout and "of 5 trials done" in running.stdout
    assert running.stdout.splitlines()[-1].endswith("--watch")

    events = _events("".join(lines) + out)
    assert [event["event"] for event in events[:3]] == ["started", "trial_started", "epoch"]
    assert (events[0]["experiment"], events[0]["trials"], events[0]["resumed"]) == (NAME, 5, False)
    assert {(event["attempt"], event["epoch"]) for event in _of(events, "epoch")} >= {("unet-1", 1), ("unet-1", 2)}
    assert _of(events, "trial_ended")[0]["outcome"] == "finished"
    assert [event["by"] for event in _of(events, "stopped")] == ["interrupted"]
    assert (events[-1]["event"], events[-1]["exit_code"], events[-1]["next"]) == ("end", 130, resume)

    (status, *_) = _events(here("status", *storage, "--json").stdout)
    assert (status["state"], status["next"], status["driver"]) == ("interrupted", resume, None)

    assert_refused(here("phase1", *arguments[:6]), "is another sweep", "--resume")
    finished = _finished(results / NAME)
    assert 0 < len(finished) < 5
    quiet = run("phase1", "--resume", NAME, *storage, "--quiet", **audit.variables)
    assert quiet.returncode == 0, quiet.stderr
    after = _finished(results / NAME)
    assert len(after) == 5 and after.items() >= finished.items(), "a finished trial was run again"
    reports = [path.read_text().splitlines() for path in (results / NAME).glob("*/reports.jsonl")]
    assert all(len(lines) == 2 for lines in reports), "an epoch was trained again"
    assert audit.opened() and not audit.of_test(patches), "also after a resume"
    tally(Row(fault="SIGINT", times=1, note=f"exit 130 after {seconds:.0f} s, the last line is the command"))
    assert quiet.stdout.startswith(f"{NAME} on "), "the leaderboard comes first"
    assert "epoch 2/2" not in quiet.stdout and "dashboard" not in quiet.stdout
    assert quiet.stdout.splitlines()[-1] == f"next           python -m sweep.score {NAME} --storage {results}"

    scored = _events(run("score", *storage, "--json", **audit.variables).stdout)
    assert audit.of_test(patches), "the hook sees test files when they are read"
    read = {event["attempt"]: event["test_iou"] for event in _of(scored, "test_read")}
    (row,) = _of(scored, "leaderboard")
    assert set(read) == set(row["attempts"]) and row["test_iou"] == pytest.approx(fmean(read.values()))
    assert scored[-1]["next"] == f"python -m sweep.report {NAME} --storage {results}"
    verified = _events(here("score", "--verify", *storage, "--json").stdout)
    assert len(_of(verified, "reading")) == 5 and all(event["matches"] for event in _of(verified, "reading"))
    assert verified[-1]["exit_code"] == 0 and "sweep.report" in verified[-1]["next"]


def test_a_mistake_is_an_event_too_and_one_line_on_stderr(here: Run, tmp_path: Path) -> None:
    done = here("phase1", "--patches", tmp_path / "nowhere", "--storage", tmp_path, "--profile", "smoke", "--json")
    assert_refused(done, "no such folder")
    (end,) = _events(done.stdout)
    assert end["exit_code"] == 2 and any("no such folder" in error for error in end["errors"])
    quiet = here("status", "nothing", "--storage", tmp_path, "--quiet")
    assert_refused(quiet, "holds no experiment 'nothing'")


def test_a_plan_and_a_dataset_say_what_comes_next(here: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "my tiles")
    checked = here("patches", "check", "--patches", patches)
    profile = "" if gpu_count() else "--profile demo "  # the paper profile needs GPUs
    assert checked.stdout.splitlines()[-1] == f"next           python -m sweep.study {profile}--patches '{patches}'"
    (plan, end) = _events(here("phase1", "--profile", "smoke", "--patches", patches, "--plan", "--json").stdout)
    assert (plan["event"], plan["trials"]) == ("plan", 5) and plan["seconds_at_most"] >= plan["seconds_expected"] > 0
    assert end["next"] == f"python -m sweep.phase1 --profile smoke --patches '{patches}' --json"
    (patches / "train" / "masks" / "t1.png").unlink()
    broken = _events(here("patches", "check", "--patches", patches, "--json").stdout)
    assert {event["event"] for event in broken[:-1]} == {"fault"} and broken[-1]["exit_code"] == 2
    assert all(event["file"].endswith("t1.png") and event["fix"] for event in broken[:-1])


def test_a_watch_that_cannot_be_understood_is_exit_code_2(here: Run, tmp_path: Path) -> None:
    done = here("status", "--watch", "phase1-demo", "--storage", tmp_path)
    assert done.returncode == 2 and "NAME goes first" in done.stderr
