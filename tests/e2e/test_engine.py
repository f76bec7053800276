"""The engine on real Ray: logical GPUs, a diverging trial among sound ones, a crashed worker, an interrupt."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import ray

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.engine.experiment import Experiment
from sweep.engine.plan import TrialPlan
from sweep.engine.resources import Resources
from sweep.engine.runner import run_trials
from sweep.engine.storage import Storage
from sweep.results.leaderboard import Leaderboard
from sweep.results.store import collect
from tests.conftest import ROOT, WriteDataset
from tests.e2e.conftest import Run, environment
from trainables.data.tiles import TuningData
from trainables.models.weights import Weights
from trainables.recipe import Recipe


@pytest.fixture(scope="module")
def four_gpus() -> Iterator[None]:
    """A node that says it has four GPUs."""
    ray.init("local", num_cpus=4, num_gpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def _plan(attempt: str, recipe: Recipe, group: str | None = None) -> TrialPlan:
    return TrialPlan(attempt=attempt, group=group or attempt, recipe=recipe, weights=Weights(kind="none"))


def _experiment(folder: Path, name: str, trials: list[TrialPlan], data: TuningData) -> Experiment:
    experiment = Experiment(Storage.open(str(folder)), name)
    experiment.describe(
        {
            "data": {"name": "d", "synthetic": False, "fingerprint": data.fingerprint},
            "trials": [trial.config("cpu") for trial in trials],
        }
    )
    return experiment


def _recipe(**changes: str | float) -> Recipe:
    return shared_recipe("unet", get_profile("smoke")).replace(**changes)


def test_a_diverging_trial_fails_alone_and_the_others_go_on(four_gpus: None, dataset: Path, tmp_path: Path) -> None:
    data = TuningData.read(dataset)
    trials = [
        _plan("sound", _recipe()),
        _plan(
            "diverging", _recipe(learning_rate=1.0, precision="fp16", batch_size=2, draws_per_epoch=32, max_epochs=6)
        ),
    ]
    experiment = _experiment(tmp_path, "e", trials, data)
    # One GPU each on a node of four: both run at once, each in its own slot.
    resources = Resources(
        device="cpu", cpus_per_trial=1, gpus_per_trial=1.0, concurrent=4, total_cpus=4, total_gpus=4.0
    )
    assert run_trials(experiment, trials, data, resources)
    rows = {row["attempt"]: row for row in collect(experiment).to_pylist()}
    assert rows["sound"]["status"] == "finished"
    assert rows["diverging"]["status"] == "failed"
    assert re.search(r"loss is (nan|inf) in epoch \d at learning rate 1$", rows["diverging"]["failure"])
    assert "failed" in (tmp_path / "e" / "diverging" / "trial.log").read_text()
    board = Leaderboard(experiment).markdown()
    assert "[failed]" in board


def test_trials_of_one_architecture_never_stop_each_other_in_phase_1(
    four_gpus: None, dataset: Path, tmp_path: Path
) -> None:
    data = TuningData.read(dataset)
    trials = [_plan(f"unet-{seed}", _recipe(seed=seed, max_epochs=4, patience=4)) for seed in range(3)]
    experiment = _experiment(tmp_path, "e", trials, data)
    resources = Resources(
        device="cpu", cpus_per_trial=1, gpus_per_trial=0.5, concurrent=3, total_cpus=4, total_gpus=4.0
    )
    assert run_trials(experiment, trials, data, resources)
    assert {row["epochs"] for row in collect(experiment).to_pylist()} == {4}


def test_rivals_are_stopped_and_say_so(four_gpus: None, dataset: Path, tmp_path: Path) -> None:
    data = TuningData.read(dataset)
    good = _recipe(learning_rate=0.02, max_epochs=9, patience=9, draws_per_epoch=32)
    bad = good.replace(learning_rate=1e-7)
    trials = [_plan("good", good, "unet"), _plan("bad", bad, "unet")]
    experiment = _experiment(tmp_path, "e", trials, data)
    resources = Resources(device="cpu", cpus_per_trial=1, gpus_per_trial=0.0, concurrent=1, total_cpus=4, total_gpus=0)
    assert run_trials(experiment, trials, data, resources)
    rows = {row["attempt"]: row for row in collect(experiment).to_pylist()}
    assert rows["good"]["status"] == "finished"
    assert rows["bad"]["status"] == "stopped" and rows["bad"]["epochs"] < 9


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
    command = [sys.executable, "-m", "sweep.phase1", "--profile", "smoke", *arguments, "--repeats", "8"]
    process = subprocess.Popen(
        [*command, "--architectures", "unet,sam_vit_b_conv"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    experiment = results / "phase1-smoke"
    _wait_for(lambda: len(list(experiment.glob("*/predictions"))) >= 2)
    process.send_signal(how)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130, out + err
    assert out.splitlines()[-1] == f"python -m sweep.phase1 --resume phase1-smoke --storage {results}"
    assert "Traceback" not in out + err
    done = {path.parent.name: path.stat().st_mtime_ns for path in experiment.glob("*/predictions/..")}
    finished = {
        row["attempt"]: row
        for row in pq.read_table(experiment / "trials.parquet").to_pylist()
        if row["status"] == "finished"
    }
    assert 0 < len(finished) < 16, done
    again = run("phase1", *arguments, "--profile", "smoke")
    assert again.returncode == 2 and "--resume phase1-smoke" in again.stderr
    resumed = run("phase1", "--resume", "phase1-smoke", "--storage", results)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    rows = {row["attempt"]: row for row in pq.read_table(experiment / "trials.parquet").to_pylist()}
    assert len(rows) == 16 and {row["status"] for row in rows.values()} == {"finished"}
    for attempt, row in finished.items():
        assert rows[attempt]["seconds"] == row["seconds"], "a finished trial was run again"
        assert f"{attempt}  epoch" not in resumed.stdout
    assert run("score", "--storage", results).returncode == 0


def test_a_killed_worker_costs_no_finished_epoch(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sweep.phase1",
            "--profile",
            "smoke",
            "--patches",
            str(patches),
            "--storage",
            str(results),
            "--max-concurrent",
            "1",
            "--repeats",
            "6",
            "--architectures",
            "sam_vit_b_unet",
        ],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
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
    command = [sys.executable, "-m", "sweep.score", *storage]
    jobs = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    ends = [(job.communicate(timeout=120), job.returncode) for job in jobs]
    assert sorted(code for _, code in ends) == [0, 2, 2], ends
    assert len((tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()) == 1
