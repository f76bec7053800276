"""Sweeps on clusters that are already running, with Ray's token authentication: nodes die, and nodes join late."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tests.conftest import WriteDataset
from tests.e2e.conftest import environment
from tests.faults.conftest import Row, Run, Tally, differences, kill, start, trained_again, trial_workers, wait_for

TOKEN = "0123456789abcdef" * 4


class Cluster:
    """Ray nodes as separate processes on loopback."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "token").write_text(TOKEN)
        self.variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.address = f"127.0.0.1:{_free_port()}"

    def join(self, cpus: int = 1) -> subprocess.Popen[bytes]:
        """Start a node: the head, or one that joins it."""
        ray = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus", str(cpus)]
        port = self.address.split(":")[1]
        where = ["--address", self.address] if self.nodes else ["--head", "--port", port]
        where += [] if self.nodes else ["--dashboard-port", str(_free_port())]
        log = self._folder / f"node{len(self.nodes)}.txt"
        with log.open("w") as out:
            node = subprocess.Popen([*ray, *where], env=environment(**self.variables), stdout=out, stderr=out)
        self.nodes.append(node)
        wait_for(lambda: "--block" in log.read_text(), 60)
        assert node.poll() is None, log.read_text()
        return node

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """End a node, its object store and its workers without a word."""
        below = psutil.Process(node.pid).children(recursive=True)
        kill(node.pid, *(process.pid for process in below if process.is_running()))
        node.wait()

    def stop(self) -> None:
        """End all nodes."""
        for node in reversed(self.nodes):
            if node.poll() is None:
                node.terminate()
                node.wait(timeout=60)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without nodes."""
    made = Cluster(tmp_path)
    yield made
    made.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_a_running_cluster_is_used_and_left_running(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, cluster: Cluster
) -> None:
    patches = write_dataset(tmp_path / "patches")
    storage = ["--storage", str(tmp_path / "results")]
    cluster.join()
    cluster.join()
    address = ["--address", cluster.address]
    arguments = ["--profile", "smoke", "--patches", patches, "--architectures", "unet,sam_vit_b_conv"]
    done = run("phase1", *arguments, *storage, *address, **cluster.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 at a time, 1 CPU each, of 2 CPUs" in done.stdout
    scored = run("score", *storage, *address, **cluster.variables)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    ledger = (tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["attempt"] for line in ledger] == ["unet", "sam_vit_b_conv"]
    assert all(node.poll() is None for node in cluster.nodes), "the cluster was stopped"
    said = done.stdout + done.stderr + scored.stdout + scored.stderr
    written = b"".join(path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file())
    assert TOKEN not in said and TOKEN.encode() not in written, "the token is a secret"


@pytest.mark.slow
def test_a_node_dies_with_its_trial_and_another_joins_late(
    run: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    cluster: Cluster,
    tally: Tally,
    processes: list[subprocess.Popen[str]],
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    cluster.join()
    doomed = cluster.join()
    arguments = ["--profile", "smoke", "--patches", patches, "--architectures", "unet,sam_vit_b_unet", "--repeats", "8"]
    arguments += ["--storage", results]
    process = start("phase1", *arguments, "--address", cluster.address, **cluster.variables)
    processes.append(process)
    experiment = results / "phase1-smoke"
    wait_for(lambda: len(list(experiment.glob("*/history.csv"))) >= 3 and trial_workers(doomed.pid))
    cluster.kill(doomed)
    late = cluster.join()
    wait_for(lambda: trial_workers(late.pid))
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    rows = pq.read_table(experiment / "trials.parquet").to_pylist()
    assert {row["status"] for row in rows} == {"finished"} and len(rows) == 16
    unbroken = run("phase1", *arguments, "--name", "unbroken")
    assert unbroken.returncode == 0, unbroken.stderr
    again, different = trained_again([out]), differences(results / "unbroken", experiment)
    note = "its trial went on elsewhere; a node that joined afterwards was used"
    fault = "a node of two is killed with its object store"
    tally(Row(fault=fault, times=1, again=again, differences=different, note=note))
    assert again == 0 and different == 0


@pytest.mark.slow
def test_the_node_that_holds_the_tiles_dies_with_the_driver(
    run: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    cluster: Cluster,
    tally: Tally,
    processes: list[subprocess.Popen[str]],
) -> None:
    """The driver puts the tiles into its own node's object store; both are on the head here."""
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    head = cluster.join()
    cluster.join()
    arguments = ["--profile", "smoke", "--patches", patches, "--architectures", "unet", "--repeats", "8"]
    arguments += ["--storage", results]
    process = start("phase1", *arguments, "--address", cluster.address, **cluster.variables)
    processes.append(process)
    experiment = results / "phase1-smoke"
    wait_for(lambda: len(list(experiment.glob("*/predictions"))) >= 2)
    cluster.kill(head)
    kill(process.pid)  # a real node takes its driver with it
    out, _ = process.communicate(timeout=120)
    resumed = run("phase1", "--resume", "phase1-smoke", "--storage", results)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    rows = pq.read_table(experiment / "trials.parquet").to_pylist()
    assert {row["status"] for row in rows} == {"finished"} and len(rows) == 8
    again = trained_again([out, resumed.stdout])
    tally(Row(fault="the node of the driver and the tiles is killed", times=1, again=again, note="resumed elsewhere"))
    assert again == 0
