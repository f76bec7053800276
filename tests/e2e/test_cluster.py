"""A sweep and a scoring job on a cluster of two nodes that is already running, with Ray's token authentication."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import WriteDataset
from tests.e2e.conftest import Run, environment


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_a_running_cluster_is_used_and_left_running(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    storage = ["--storage", str(tmp_path / "results")]
    (tmp_path / "token").write_text("0123456789abcdef" * 4)
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    program = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus", "1"]
    port = _free_port()
    nodes = []

    def start(*arguments: str) -> None:
        nodes.append(subprocess.Popen([*program, *arguments], env=environment(**variables), stdout=subprocess.DEVNULL))
        time.sleep(10)
        assert nodes[-1].poll() is None

    try:
        start("--head", "--port", str(port), "--dashboard-port", str(_free_port()))
        start("--address", f"127.0.0.1:{port}")
        address = ["--address", f"127.0.0.1:{port}"]
        arguments = ["--profile", "smoke", "--patches", patches, "--architectures", "unet,sam_vit_b_conv"]
        done = run("phase1", *arguments, *storage, *address, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 at a time, 1 CPU each, of 2 CPUs" in done.stdout
        scored = run("score", *storage, *address, **variables)
        assert scored.returncode == 0, scored.stdout + scored.stderr
        ledger = (tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()
        assert [json.loads(line)["attempt"] for line in ledger] == ["unet", "sam_vit_b_conv"]
        assert all(node.poll() is None for node in nodes), "the cluster was stopped"
    finally:
        for node in reversed(nodes):
            node.terminate()
            node.wait(timeout=60)
