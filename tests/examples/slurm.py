"""As much of Slurm as a batch script sees: `srun`, `scontrol` and a job's variables, on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import ROOT

SCRIPT = ROOT / "examples" / "cluster" / "slurm" / "tilesweep.sbatch"
JOB = 1234

SRUN = """#!/usr/bin/env bash
# Runs a task here, and one on the second machine if there is one. Its code is the worse of both.
while [[ $1 == --* ]]; do shift; done
if ((SLURM_JOB_NUM_NODES == 2)); then
  { export -p; printf 'cd %q\\n' "$PWD"; printf '%q ' "$@"; } >"$SLURM_STEP.new"; mv "$SLURM_STEP.new" "$SLURM_STEP"
fi
"$@" &
trap 'kill -TERM $!' TERM
code=0; wait $! || code=$?
wait $! || code=$?
if ((SLURM_JOB_NUM_NODES == 2)); then
  until [[ -s $SLURM_STEP.code ]]; do sleep 0.2; done
  other=$(<"$SLURM_STEP.code")
  ((other > code)) && code=$other
fi
exit $code
"""
SCONTROL = """#!/usr/bin/env bash
echo "$*" >>"$SLURM_CALLS"
"""
MACHINES = """
# Two machines that share their files, joined by a cable: 10.77.0.1 runs the batch script, 10.77.0.2 what srun gives it.
# One machine is 127.0.0.1.
ip link set lo up
if ((SLURM_JOB_NUM_NODES == 1)); then "$@"; exit $?; fi
apart=(unshare --pid --fork --kill-child --mount-proc --net bash -c)
address='until ip addr add "10.77.0.$1/24" dev "cable$1" 2>/dev/null; do sleep 0.2; done
  ip link set lo up; ip link set "cable$1" up; shift'
"${apart[@]}" "$address"'; until [[ -e $SLURM_STEP ]]; do sleep 0.2; done
  code=0; bash "$SLURM_STEP" >"$SLURM_STEP.log" 2>&1 || code=$?; echo $code >"$SLURM_STEP.code"' second 2 &
second=$!
"${apart[@]}" "$address"'; "$@"; exit $?' first 1 "$@" &
first=$!
ip link add cable1 type veth peer name cable2
for name in first second; do
  until inside=$(pgrep -P "${!name}"); do sleep 0.1; done
  number=$([[ $name == first ]] && echo 1 || echo 2)
  until ip link set "cable$number" netns "$inside"; do sleep 0.1; done
done
wait "$first"
"""
APART = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net")
"""Sees no process and no port of others: `ray symmetric-run` refuses a machine with a Ray, and its end stops all."""


def can_stand_apart() -> bool:
    """Whether this user may make process and network namespaces."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*APART, "true"], capture_output=True, timeout=60).returncode == 0


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """A queue for one job at a time.

    Attributes:
        folder: Holds the commands, the home folder and Ray's files.
        venv: Whose ``bin`` holds ``ray``.
        jobs: What was started.
    """

    folder: Path
    venv: Path
    jobs: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
            program = self.folder / "bin" / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(text)
            program.chmod(0o755)
        (self.folder / "home").mkdir(exist_ok=True)

    @property
    def calls(self) -> list[str]:
        """What ``scontrol`` was asked for."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def token(self) -> Path:
        """The file with Ray's token."""
        return self.folder / "home" / ".ray" / "auth_token"

    def submit(self, *command: str, apart: int = 0, **more: str) -> subprocess.Popen[str]:
        """Start the batch script, as Slurm does on the first node of a job.

        Args:
            command: What the script is given.
            apart: On so many machines, 1 or 2, in namespaces of their own; 0 is here.
            more: Further environment variables.
        """
        step = self.folder / "step"
        for path in (step, step.with_suffix(".code")):
            path.unlink(missing_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))},
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "TILESWEEP_VENV": str(self.venv),
            "SLURM_CALLS": str(self.folder / "calls"),
            "SLURM_JOB_ID": str(JOB),
            "SLURM_JOB_NUM_NODES": str(apart or 1),
            "SLURM_CPUS_PER_TASK": "1" if apart == 2 else "2",
            "SLURMD_NODENAME": "10.77.0.1" if apart == 2 else "127.0.0.1",
            "SLURM_STEP": str(step),
            **more,
        }
        script = ["bash", str(SCRIPT), *command]
        if apart:
            script = [*APART, "bash", "-c", MACHINES, "machines", *script]
        job = subprocess.Popen(
            script,
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.jobs.append(job)
        return job

    def end(self) -> None:
        """Leave nothing of any job behind."""
        for job in self.jobs:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
            job.wait()


def batch_script(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the process that Slurm would signal: the shell that runs the batch script."""
    whole = psutil.Process(process.pid)
    for one in (whole, *whole.children(recursive=True)):
        if one.cmdline()[:2] == ["bash", str(SCRIPT)]:
            return one
    raise AssertionError("the batch script does not run")
