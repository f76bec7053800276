"""As much of Slurm as a batch script sees: `srun`, `scontrol` and a job's variables, on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import ROOT

SCRIPT = ROOT / "examples" / "cluster" / "slurm" / "tilesweep.sbatch"
JOB = 1234

SRUN = """#!/usr/bin/env bash
# One task, told to end as the real one is; its code is the step's.
while [[ $1 == --* ]]; do shift; done
SLURM_PROCID=0 "$@" &
trap 'kill -TERM $!' TERM
code=0; wait $! || code=$?
wait $! || code=$?
exit $code
"""
SCONTROL = """#!/usr/bin/env bash
echo "$*" >>"$SLURM_CALLS"
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
    """A queue of one node.

    Attributes:
        folder: Holds the commands, the home folder and Ray's files.
        venv: Whose ``bin`` holds ``ray``.
    """

    folder: Path
    venv: Path

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

    def submit(self, *command: str, apart: bool = False, **more: str) -> subprocess.Popen[str]:
        """Start the batch script, as Slurm does on the first node of a job.

        Args:
            command: What the script is given.
            apart: In namespaces of its own.
            more: Further environment variables.
        """
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))},
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "TILESWEEP_VENV": str(self.venv),
            "SLURM_CALLS": str(self.folder / "calls"),
            "SLURM_JOB_ID": str(JOB),
            "SLURM_JOB_NUM_NODES": "1",
            "SLURM_CPUS_PER_TASK": "2",
            "SLURMD_NODENAME": "127.0.0.1",
            **more,
        }
        script = ["bash", str(SCRIPT), *command]
        if apart:
            script = [*APART, "bash", "-c", 'ip link set lo up; "$@"; exit $?', "node", *script]
        return subprocess.Popen(
            script, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )


def batch_script(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the process that Slurm would signal: the shell that runs the batch script."""
    whole = psutil.Process(process.pid)
    for one in (whole, *whole.children(recursive=True)):
        if one.cmdline()[:2] == ["bash", str(SCRIPT)]:
            return one
    raise AssertionError("the batch script does not run")
