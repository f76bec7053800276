"""Ray nodes as separate processes that share nothing by accident: each has a home, cache and folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from ray.job_submission import JobStatus, JobSubmissionClient

from tests.commands import ROOT, wait_for
from tests.faults.conftest import trial_workers

TOKEN = "0123456789abcdef" * 4
RAY = str(Path(sys.executable).parent / "ray")


def free_port() -> int:
    """Return a port below those that Ray gives its workers."""
    for port in range(7400, 9900):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port + os.getpid() % 97))
            except OSError:
                continue
            return port + os.getpid() % 97
    raise AssertionError("no free port")


class Node:
    """A node: ``ray start --block`` in its own home.

    Attributes:
        folder: Its home, with its working folder and its cache inside.
        log: What it said.
    """

    def __init__(self, folder: Path, arguments: list[str], **variables: str) -> None:
        self.folder = folder
        for name in ("cache", "work"):
            (folder / name).mkdir(parents=True)
        self.log = folder / "log.txt"
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHONPATH", "AWS_"))
        }
        environment |= {
            "HOME": str(folder),
            "TILESWEEP_CACHE": str(folder / "cache"),
            "HF_HUB_OFFLINE": "1",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "5",
            **variables,
        }
        command = [RAY, "start", "--block", "--disable-usage-stats", *arguments]
        with self.log.open("w") as out:
            self.process = subprocess.Popen(command, cwd=folder / "work", env=environment, stdout=out, stderr=out)
        wait_for(lambda: "--block" in self.log.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def trials(self) -> list[int]:
        """Return its processes that run a trial."""
        return trial_workers(self.process.pid)

    def kill(self) -> None:
        """End the node with its object store and workers, without a word."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        for process in (psutil.Process(self.process.pid), *below):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def preempt(self) -> None:
        """Send what clouds, Slurm and Kubernetes send before they take a machine back."""
        self.process.send_signal(signal.SIGTERM)


class RayNodes:
    """A cluster with token authentication.

    Args:
        folder: Of the test.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._temporary = Path(tempfile.mkdtemp(prefix="n", dir="/tmp"))  # Ray's socket paths may have 107 bytes
        self.port, self.nodes = free_port(), list[Node]()
        self.dashboard = f"http://127.0.0.1:{self.port + 1}"

    @property
    def address(self) -> str:
        """What drivers join."""
        return f"127.0.0.1:{self.port}"

    @property
    def token(self) -> dict[str, str]:
        """Environment of a driver that may join."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}

    def add(self, *, cpus: int = 1, arguments: tuple[str, ...] = (), **variables: str) -> Node:
        """Start the head, or another node."""
        number = len(self.nodes)
        where = ["--head", "--port", str(self.port), "--dashboard-port", str(self.port + 1)]
        where = ["--address", self.address] if number else where
        where += ["--num-cpus", str(cpus), "--temp-dir", str(self._temporary / str(number))]
        where += ["--dashboard-agent-listen-port", str(self.port + 100 + number)]
        where += ["--resources", json.dumps({f"node{number}": 1})]
        node = Node(self.folder / f"home{number}", [*where, *arguments], **variables)
        self.nodes.append(node)
        return node

    def jobs(self) -> JobSubmissionClient:
        """Return a client of the dashboard's job API, over HTTP."""
        return JobSubmissionClient(self.dashboard, headers={"Authorization": f"Bearer {TOKEN}"})

    def submit(self, *arguments: object, working_dir: Path = ROOT, **runtime_env: Any) -> str:
        """Submit ``python -m sweep.phase1 ...`` as a job; returns its id."""
        words = " ".join(map(str, arguments))
        environment = {"working_dir": str(working_dir), **runtime_env}
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.jobs().submit_job(
                    entrypoint=f"{sys.executable} -m sweep.phase1 {words}", runtime_env=environment
                )
            except RuntimeError as error:  # the head's agent starts some seconds after the head
                if "No available agent" not in str(error) or time.monotonic() > deadline:
                    raise

    def result(self, job: str, seconds: float = 400) -> tuple[JobStatus, str]:
        """Wait until a job has ended; returns how, and what it said."""
        client = self.jobs()
        wait_for(lambda: client.get_job_status(job).is_terminal(), seconds)
        return client.get_job_status(job), client.get_job_logs(job)

    def stop(self) -> None:
        """End all nodes."""
        for node in reversed(self.nodes):
            if node.process.poll() is None:
                node.kill()
        shutil.rmtree(self._temporary, ignore_errors=True)
