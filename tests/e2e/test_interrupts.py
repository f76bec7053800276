"""Sweeps that are interrupted, workers that are killed, and scoring jobs that race."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import WriteDataset
from tests.e2e.conftest import Run, start


def _wait_for(condition: object, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_sweep_says_how_to_go_on_and_does(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, how: signal.Signals
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ["--patches", str(patches), "--storage", str(results), "--max-concurrent", "1"]
    architectures = ("--architectures", "unet,sam_vit_b_conv")
    process = start(
        "phase1", "--profile", "smoke", *arguments, "--repeats", "4", *architectures, stderr=subprocess.PIPE
    )
    experiment = results / "phase1-smoke"
    _wait_for(lambda: len(list(experiment.glob("*/predictions"))) >= 2)
    process.send_signal(how)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130, out + err
    assert out.splitlines()[-1] == f"python -m sweep.phase1 --resume phase1-smoke --storage {results}"
    assert "Traceback" not in out + err
    finished = {
        row["attempt"]: row
        for row in pq.read_table(experiment / "trials.parquet").to_pylist()
        if row["status"] == "finished"
    }
    assert 0 < len(finished) < 8
    again = run("phase1", *arguments, "--profile", "smoke")
    assert again.returncode == 2 and "--resume phase1-smoke" in again.stderr
    resumed = run("phase1", "--resume", "phase1-smoke", "--storage", results)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    rows = {row["attempt"]: row for row in pq.read_table(experiment / "trials.parquet").to_pylist()}
    assert len(rows) == 8 and {row["status"] for row in rows.values()} == {"finished"}
    for attempt, row in finished.items():
        assert rows[attempt]["seconds"] == row["seconds"], "a finished trial was run again"
        assert f"{attempt}  epoch" not in resumed.stdout
    assert run("score", "--storage", results).returncode == 0


def test_a_killed_worker_costs_no_finished_epoch(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ("--patches", patches, "--storage", results, "--max-concurrent", "1", "--repeats", "6")
    process = start("phase1", "--profile", "smoke", *arguments, "--architectures", "sam_vit_b_unet")
    logs = results / "phase1-smoke"
    _wait_for(lambda: len(list(logs.glob("*/history.csv"))) >= 2)
    killed = _trial_workers(process.pid)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0, out
    rows = pq.read_table(logs / "trials.parquet").to_pylist()
    assert {row["status"] for row in rows} == {"finished"} and {row["epochs"] for row in rows} == {2}


def _trial_workers(driver: int) -> list[int]:
    """Return the processes below a driver that run a trial."""
    parents: dict[int, int] = {}
    titles: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                titles[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue

    def below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == driver:
                return True
        return False

    return [pid for pid, title in titles.items() if title.startswith("ray::") and "Trainable" in title and below(pid)]


def test_two_score_jobs_at_once_make_one_reading(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    storage = ["--storage", str(tmp_path / "results")]
    done = run("phase1", "--profile", "smoke", "--patches", patches, *storage, "--architectures", "unet")
    assert done.returncode == 0
    jobs = [start("score", *storage, stderr=subprocess.PIPE) for _ in range(3)]
    ends = [(job.communicate(timeout=120), job.returncode) for job in jobs]
    assert sorted(code for _, code in ends) == [0, 2, 2], ends
    assert len((tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()) == 1
