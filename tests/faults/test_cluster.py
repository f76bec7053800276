"""Sweeps on clusters that are already running, with Ray's token authentication, and the death of their head."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.commands import Run, start, wait_for
from tests.conftest import WriteDataset
from tests.e2e.ray_nodes import TOKEN, RayNodes
from tests.faults.conftest import kill, trained_again
from tests.faults.table import Row, Tally

pytestmark = pytest.mark.slow


def test_a_running_cluster_is_used_and_left_running(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, nodes: RayNodes
) -> None:
    patches = write_dataset(tmp_path / "patches")
    nodes.add()
    nodes.add()
    where = ["--storage", tmp_path / "results", "--address", nodes.address]
    arguments = ["--profile", "smoke", "--patches", patches, "--architectures", "unet,sam_vit_b_conv"]
    done = run("phase1", *arguments, *where, **nodes.token)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 at a time, 1 CPU each, of 2 CPUs" in done.stdout
    scored = run("score", *where, **nodes.token)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    ledger = (tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["attempt"] for line in ledger] == ["unet", "sam_vit_b_conv"]
    assert all(node.process.poll() is None for node in nodes.nodes), "the cluster was stopped"
    said = done.stdout + done.stderr + scored.stdout + scored.stderr
    written = b"".join(path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file())
    assert TOKEN not in said and TOKEN.encode() not in written, "the token is a secret"


def test_the_node_that_holds_the_tiles_dies_with_the_driver(
    run: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    nodes: RayNodes,
    tally: Tally,
    processes: list[subprocess.Popen[str]],
) -> None:
    """The driver puts the tiles into its own node's object store; both are on the head here."""
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    head = nodes.add()
    nodes.add()
    arguments = ["--profile", "smoke", "--patches", patches, "--architectures", "unet", "--repeats", "8"]
    process = start("phase1", *arguments, "--storage", results, "--address", nodes.address, **nodes.token)
    processes.append(process)
    experiment = results / "phase1-smoke"
    wait_for(lambda: len(list(experiment.glob("*/predictions"))) >= 2)
    head.kill()
    kill(process.pid)  # a real node takes its driver with it
    out, _ = process.communicate(timeout=120)
    resumed = run("phase1", "--resume", "phase1-smoke", "--storage", results)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    rows = pq.read_table(experiment / "trials.parquet").to_pylist()
    assert {row["status"] for row in rows} == {"finished"} and len(rows) == 8
    again = trained_again([out, resumed.stdout])
    tally(Row(fault="the node of the driver and the tiles is killed", times=1, again=again, note="resumed elsewhere"))
    assert again == 0
