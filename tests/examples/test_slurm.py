"""The Slurm script: what it does with signals and exit codes, and a real sweep that is pre-empted and queued again."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.commands import wait_for
from tests.conftest import WriteDataset
from tests.examples.slurm import JOB, SCRIPT, Slurm, batch_script, can_stand_apart

RAY = """#!/usr/bin/env bash
# As much of Ray's command as the script uses: a token, and the command on the head.
echo "$*" >>"$HOME/ray_calls"
if [[ $1 == get-auth-token ]]; then
  mkdir -p "$HOME/.ray"; echo secret >"$HOME/.ray/auth_token"; exit
fi
until [[ $1 == -- ]]; do shift; done
shift
[[ ${NO_RAY:-} ]] && exit 0
[[ ${SLOW_RAY:-} ]] && exec sleep "$SLOW_RAY"
"$@"
"""
SWEEP = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[4])))
pathlib.Path(sys.argv[1]).touch()
time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[3]))
"""


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    """Yield a queue whose Ray only runs the command."""
    ray = tmp_path / "venv" / "bin" / "ray"
    ray.parent.mkdir(parents=True)
    ray.write_text(RAY)
    ray.chmod(0o755)
    queue = Slurm(folder=tmp_path, venv=tmp_path / "venv")
    yield queue
    queue.end()


def sweep(folder: Path, *, seconds: float, code: int = 0, told: int = 130) -> list[str]:
    """Return a command that takes some time, and ends with another code when it is told to stop."""
    return [sys.executable, "-c", SWEEP, str(folder / "begun"), str(seconds), str(code), str(told)]


def test_the_script_passes_bash_and_shellcheck() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True, timeout=60)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    found = subprocess.run([shellcheck, "--severity=style", str(SCRIPT)], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stdout


def test_slurm_reads_every_option_of_the_script() -> None:
    lines = SCRIPT.read_text().splitlines()
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    options = [number for number, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert options and max(options) < first_command  # sbatch looks no further
    assert {"#SBATCH --requeue", "#SBATCH --exclusive"} <= {lines[number] for number in options}
    assert any(line.startswith("#SBATCH --signal=B:USR1@") for line in lines)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_sweep_that_ended_is_not_queued_again(slurm: Slurm, tmp_path: Path, code: int) -> None:
    process = slurm.submit(*sweep(tmp_path, seconds=0, code=code))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code, out
    assert slurm.calls == []
    asked = (slurm.folder / "home" / "ray_calls").read_text()
    assert f"symmetric-run --address 127.0.0.1:{20000 + JOB} --min-nodes 1 --num-cpus 2 -- " in asked
    assert asked.endswith(" --address auto\n")


@pytest.mark.parametrize(
    ("number", "code", "calls"),
    [(signal.SIGUSR1, 130, [f"requeue {JOB}"]), (signal.SIGUSR1, 0, []), (signal.SIGTERM, 130, [])],
    ids=["time limit", "complete at the time limit", "scancel"],
)
def test_the_sweep_alone_is_told_to_stop_and_queued_again_if_it_can_go_on_and_was_not_cancelled(
    slurm: Slurm, tmp_path: Path, number: signal.Signals, code: int, calls: list[str]
) -> None:
    process = slurm.submit(*sweep(tmp_path, seconds=300, told=code))
    wait_for((tmp_path / "begun").exists)
    batch_script(process).send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code, out
    assert slurm.calls == calls


def test_a_job_whose_time_ends_before_ray_has_started_is_queued_again(slurm: Slurm, tmp_path: Path) -> None:
    process = slurm.submit(*sweep(tmp_path, seconds=0), SLOW_RAY="300")
    calls = slurm.folder / "home" / "ray_calls"
    wait_for(lambda: calls.exists() and "symmetric-run" in calls.read_text())
    batch_script(process).send_signal(signal.SIGUSR1)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert slurm.calls == [f"requeue {JOB}"]


@pytest.mark.parametrize("code", [130, 143])
def test_a_step_that_slurm_signalled_by_itself_is_queued_again(slurm: Slurm, tmp_path: Path, code: int) -> None:
    process = slurm.submit(*sweep(tmp_path, seconds=0, code=code))
    process.communicate(timeout=60)
    assert process.returncode == code
    assert slurm.calls == [f"requeue {JOB}"]


def test_a_ray_that_did_not_start_is_no_success(slurm: Slurm, tmp_path: Path) -> None:
    process = slurm.submit(*sweep(tmp_path, seconds=0), NO_RAY="1")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Ray did not start" in out
    assert slurm.calls == []


def test_a_script_without_a_command_says_how_to_use_it(slurm: Slurm) -> None:
    out, _ = (process := slurm.submit()).communicate(timeout=60)
    assert process.returncode == 2
    assert out.startswith("usage: sbatch")


def test_the_token_is_readable_by_its_owner_alone_and_shown_to_nobody(slurm: Slurm, tmp_path: Path) -> None:
    out, _ = slurm.submit(*sweep(tmp_path, seconds=0)).communicate(timeout=60)
    assert stat.S_IMODE(slurm.token.stat().st_mode) == 0o600
    assert slurm.token.read_text().strip() not in out


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Slurm]:
    """Yield a queue with the real Ray, whose sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        queue = Slurm(folder=Path(folder), venv=Path(sys.prefix))
        yield queue
        queue.end()


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(not can_stand_apart(), reason="needs the right to make namespaces")
def test_a_sweep_on_two_nodes_that_reaches_the_time_limit_is_queued_again_and_completes_on_one(
    real: Slurm,
    write_dataset: WriteDataset,
    tmp_path: Path,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    experiment = tmp_path / "runs" / "night"
    command = [sys.executable, "-m", "sweep.phase1", "--patches", str(patches), "--profile", "smoke", "--name", "night"]
    command += ["--storage", str(experiment.parent), "--repeats", "6", "--architectures", "unet"]

    process = real.submit(*command, apart=2, RAY_TMPDIR=str(real.folder))
    wait_for(lambda: process.poll() is not None or len(list(experiment.glob("*/predictions"))) > 2, 400)
    if process.poll() is None:
        batch_script(process).send_signal(signal.SIGUSR1)
    told = time.monotonic()
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 130, out
    seconds = time.monotonic() - told
    assert seconds < 180, "longer than the script asks Slurm for"
    record_testsuite_property("seconds_from_signal_to_requeue", round(seconds))
    assert "2 at a time, 1 CPU each, of 2 CPUs" in out  # one on each node
    assert "nothing is lost" in out
    assert real.calls == [f"requeue {JOB}"]
    assert stat.S_IMODE(real.token.stat().st_mode) == 0o600
    token = real.token.read_text()
    assert token and token not in out
    before = finished(experiment)
    assert 0 < len(before) < 6

    process = real.submit(*command, apart=1, RAY_TMPDIR=str(real.folder))
    out, _ = process.communicate(timeout=500)
    assert process.returncode == 0, out
    assert real.calls == [f"requeue {JOB}"]
    assert real.token.read_text() == token
    after = finished(experiment)
    assert len(after) == 6
    assert {name: after[name] for name in before} == before


def finished(experiment: Path) -> dict[str, tuple[int, float]]:
    """Return epochs and score of every finished trial."""
    rows = pq.read_table(experiment / "trials.parquet").to_pylist()
    return {row["attempt"]: (row["epochs"], row["val_iou"]) for row in rows if row["status"] == "finished"}
