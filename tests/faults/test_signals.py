"""Ctrl-C, a batch system's goodbye, a closed terminal, two drivers: what a sweep says and keeps."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tests.commands import Run, environment, start, wait_for
from tests.conftest import ROOT, WriteDataset
from tests.faults.conftest import resume_command, trained_again
from tests.faults.table import Row, Tally

PROMISED_SECONDS = 20


@pytest.mark.slow
def test_a_terminated_sweep_says_how_to_go_on_and_does(
    run: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    tally: Tally,
    processes: list[subprocess.Popen[str]],
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ["--patches", str(patches), "--storage", str(results), "--max-concurrent", "1", "--profile", "smoke"]
    sweep = [*arguments, "--repeats", "4", "--architectures", "unet,sam_vit_b_conv"]
    process = start("phase1", *sweep, stderr=subprocess.PIPE)
    processes.append(process)
    experiment = results / "phase1-smoke"
    wait_for(lambda: len(list(experiment.glob("*/predictions"))) >= 2)
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    out, err = process.communicate(timeout=90)
    seconds = time.monotonic() - sent
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    command = resume_command(out)
    assert list(command) == ["--resume", "phase1-smoke", "--storage", str(results)]
    finished = {
        row["attempt"]: row
        for row in pq.read_table(experiment / "trials.parquet").to_pylist()
        if row["status"] == "finished"
    }
    assert 0 < len(finished) < 8
    another = run("phase1", *arguments)
    assert another.returncode == 2 and "is another sweep" in another.stderr and "--resume" in another.stderr
    resumed = run("phase1", *sweep)  # as the command does: test_watching uses that
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "unfinished; resuming it" in resumed.stdout
    rows = {row["attempt"]: row for row in pq.read_table(experiment / "trials.parquet").to_pylist()}
    assert len(rows) == 8 and {row["status"] for row in rows.values()} == {"finished"}
    for attempt, row in finished.items():
        assert rows[attempt]["seconds"] == row["seconds"], "a finished trial was run again"
    twice = trained_again([out, resumed.stdout])
    tally(Row(fault="SIGTERM", times=1, again=twice, note=f"exit 130 after {seconds:.0f} s, last line is the command"))
    assert seconds < PROMISED_SECONDS and twice == 0


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once_and_a_stale_lock_is_taken_over(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, tally: Tally, processes: list[subprocess.Popen[str]]
) -> None:
    """Meanwhile a second driver is refused."""
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ["--profile", "smoke", "--patches", patches, "--storage", results, "--max-concurrent", "1"]
    arguments += ["--architectures", "sam_vit_b_unet", "--repeats", "12"]
    processes.append(process := start("phase1", *arguments))
    wait_for(lambda: len(list((results / "phase1-smoke").glob("*/history.csv"))) >= 1)
    second = run("phase1", *arguments)
    assert second.returncode == 2 and f"is being run by process {process.pid} on " in second.stderr, second.stderr
    assert run("phase1", "--resume", "phase1-smoke", "--storage", results).returncode == 2
    process.send_signal(signal.SIGSTOP)  # so that it cannot end by the first signal alone
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    assert process.wait(timeout=60) == 130
    seconds = time.monotonic() - sent
    out, _ = process.communicate(timeout=60)  # Ray's processes, which hold the pipe too, need some seconds to notice
    assert seconds < 5
    command = resume_command(out)
    resumed = run("phase1", *command)
    assert resumed.returncode == 0, resumed.stderr
    twice = trained_again([out, resumed.stdout])
    tally(Row(fault="SIGINT twice", times=1, again=twice, note=f"ended after {seconds:.1f} s"))
    tally(Row(fault="a second driver on one experiment", times=2, note="refused, naming host and pid of the first"))
    assert twice == 0


@pytest.mark.slow
def test_a_closed_terminal_loses_nothing(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, tally: Tally, processes: list[subprocess.Popen[str]]
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ["--profile", "smoke", "--patches", str(patches), "--storage", str(results), "--max-concurrent", "1"]
    command = [sys.executable, "-m", "sweep.phase1", *arguments, "--architectures", "unet", "--repeats", "12"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, command, environment())
    experiment = results / "phase1-smoke"
    os.set_blocking(terminal, False)

    def two_are_done() -> bool:
        try:
            while os.read(terminal, 65536):
                pass
        except BlockingIOError:
            pass
        return len(list(experiment.glob("*/predictions"))) >= 2

    wait_for(two_are_done)
    driver = psutil.Process(pid)
    below = driver.children(recursive=True)
    os.close(terminal)
    closed = time.monotonic()
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - closed
    _, alive = psutil.wait_procs(below, timeout=30)
    assert not alive, "nothing of Ray stays behind"
    assert seconds < PROMISED_SECONDS
    resumed = run("phase1", "--resume", "phase1-smoke", "--storage", results)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert pq.read_table(experiment / "trials.parquet").num_rows == 12
    code = os.waitstatus_to_exitcode(status)
    tally(Row(fault="the terminal is closed (SIGHUP)", times=1, note=f"exit {code} after {seconds:.0f} s; resumed"))
