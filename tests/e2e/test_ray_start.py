"""Sweeps on nodes that were started by ``ray start``: each with a home, a cache and a working folder of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ray.job_submission import JobStatus

from tests.commands import Run, assert_refused, start, wait_for
from tests.conftest import WriteDataset
from tests.e2e.ray_nodes import RayNodes
from tests.faults.conftest import differences, trained_again
from tests.faults.table import Row, Tally

pytestmark = pytest.mark.timeout(1500)

OWN = """
from my_layers import head
def build(recipe, channels):
    return head(channels)
"""
LAYERS = """
from torch import nn
def head(channels):
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, channels, 1))
"""
LONG = "[unet]\nmax_epochs = 40\npatience = 40\n[sam_vit_b_conv]\nmax_epochs = 12\npatience = 12\n"
"""Trainings that last until another node has started."""


def _rows(experiment: Path) -> list[dict[str, object]]:
    return list(pq.read_table(experiment / "trials.parquet").to_pylist())


def test_a_cluster_that_ray_address_names_is_joined_and_a_wrong_token_is_one_line(
    nodes: RayNodes, run: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    """The node was given two GPUs by CUDA_VISIBLE_DEVICES; Ray and the plan count two."""
    patches = write_dataset(tmp_path / "patches")
    nodes.add(arguments=("--num-gpus", "2"), CUDA_VISIBLE_DEVICES="5,7")
    common = ["--profile", "smoke", "--patches", patches, "--architectures", "unet", "--storage", tmp_path / "results"]
    plan = run("phase1", *common, "--plan", RAY_ADDRESS=nodes.address, **nodes.token)
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert f"{nodes.address}, as RAY_ADDRESS says: 1 node\n" in plan.stdout
    assert "1 GPU and 1 CPU each, of 2 GPUs and 1 CPUs" in plan.stdout
    home = tmp_path / "stranger"
    home.mkdir()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}
    done = run("phase1", *common, "--address", nodes.address, HOME=str(home), **token)
    assert_refused(done, f"--address {nodes.address}: does not let us in; its token")
    assert "InvalidAuthToken" not in done.stderr


@pytest.mark.slow
def test_what_a_cluster_cannot_do_is_one_line(
    nodes: RayNodes, run: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches")
    nodes.add(cpus=0)
    common = ["--profile", "smoke", "--patches", patches, "--architectures", "unet", "--storage"]
    status, said = nodes.result(nodes.submit(*common, "results"))
    assert status == JobStatus.FAILED
    assert "is in this Ray job's own folder" in said
    joined = ["--address", nodes.address]
    home = tmp_path / "stranger"
    home.mkdir()
    assert_refused(
        run("phase1", *common, tmp_path / "results", *joined, HOME=str(home), RAY_AUTH_MODE="disabled"), "its token"
    )
    done = run("phase1", *common, tmp_path / "results", *joined, **nodes.token)
    assert_refused(done, "the cluster has no CPU to train on; add a node")
    nodes.add()
    done = run("phase1", *common, tmp_path / "results", *joined, "--device", "cuda", **nodes.token)
    assert_refused(done, "the cluster has 0 GPUs")


@pytest.mark.slow
def test_a_job_over_http_survives_a_killed_node_and_uses_a_late_one(
    nodes: RayNodes, run: Run, write_dataset: WriteDataset, tmp_path: Path, tally: Tally
) -> None:
    """The head trains nothing, as on Kubernetes."""
    patches, results = write_dataset(tmp_path / "patches", size=128), tmp_path / "results"
    nodes.add(cpus=0)
    doomed = nodes.add()
    other = nodes.add()
    (tmp_path / "long.toml").write_text(LONG)
    grid = ["--profile", "smoke", "--patches", patches, "--recipes", tmp_path / "long.toml", "--repeats", "4"]
    job = nodes.submit(*grid, "--storage", results)
    experiment = results / "phase1-smoke"
    wait_for(lambda: len(list(experiment.glob("*/history.csv"))) >= 3 and doomed.trials() and other.trials())
    doomed.kill()
    late = nodes.add(cpus=1)
    wait_for(late.trials)
    status, said = nodes.result(job)
    assert status == JobStatus.SUCCEEDED, said
    assert "as RAY_ADDRESS says: 3 nodes" in said, "the job joined its own cluster"
    rows = _rows(experiment)
    assert len(rows) == 8 and {row["status"] for row in rows} == {"finished"}
    unbroken = run("phase1", *grid, "--storage", results, "--name", "unbroken", "--max-concurrent", "2", timeout=900)
    assert unbroken.returncode == 0, unbroken.stderr
    again, different = trained_again([said]), differences(results / "unbroken", experiment)
    note = "its trial went on elsewhere; a node that joined afterwards was used"
    fault = "a node of two is killed with its object store"
    tally(Row(fault=fault, times=1, again=again, differences=different, note=note))
    assert again == 0 and different == 0


@pytest.mark.slow
def test_a_node_that_is_taken_back_costs_no_retry(nodes: RayNodes, write_dataset: WriteDataset, tmp_path: Path) -> None:
    """SIGTERM makes Ray drain the node as pre-empted; with --max-failures 0 any other death would fail the trial."""
    patches, results = write_dataset(tmp_path / "patches", size=128), tmp_path / "results"
    nodes.add()
    spot = nodes.add()
    grid = ["--profile", "smoke", "--patches", patches, "--architectures", "sam_vit_b_unet", "--repeats", "8"]
    driver = start(
        "phase1", *grid, "--storage", results, "--max-failures", "0", "--address", nodes.address, **nodes.token
    )
    experiment = results / "phase1-smoke"
    wait_for(lambda: len(list(experiment.glob("*/history.csv"))) >= 2 and spot.trials())
    spot.preempt()
    out, _ = driver.communicate(timeout=600)
    assert driver.returncode == 0, out
    rows = _rows(experiment)
    assert len(rows) == 8 and {row["status"] for row in rows} == {"finished"}
    assert trained_again([out]) == 0


@pytest.mark.slow
def test_a_job_that_is_stopped_goes_on_in_another_job(
    nodes: RayNodes, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    patches, results = write_dataset(tmp_path / "patches", size=128), tmp_path / "results"
    nodes.add(cpus=2, RAY_JOB_STOP_WAIT_TIME_S="60")
    grid = ["--profile", "smoke", "--patches", patches, "--architectures", "unet", "--repeats", "6"]
    grid += ["--storage", results]
    job = nodes.submit(*grid)
    wait_for(lambda: len(list((results / "phase1-smoke").glob("*/predictions"))) >= 1)
    nodes.jobs().stop_job(job)
    status, said = nodes.result(job)
    assert status == JobStatus.STOPPED
    assert "interrupted; nothing is lost" in said and "--resume phase1-smoke" in said
    assert not list(results.glob(".*.driver.json")), "the experiment is free"
    again = nodes.submit("--resume", "phase1-smoke", "--storage", results)
    status, more = nodes.result(again)
    assert status == JobStatus.SUCCEEDED, more
    assert len(_rows(results / "phase1-smoke")) == 6 and trained_again([said, more]) == 0


@pytest.mark.slow
def test_a_user_s_file_reaches_other_nodes_with_its_neighbours(
    nodes: RayNodes, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    """The user's file and its neighbour are hidden once the driver has brought them to the nodes."""
    patches, results = write_dataset(tmp_path / "patches", size=128), tmp_path / "results"
    nodes.add(cpus=0)
    nodes.add()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "my_models.py").write_text(OWN)
    (mine / "my_layers.py").write_text(LAYERS)
    architectures = f"smp_unet_resnet34,{mine / 'my_models.py'}:build"
    arguments = ["--profile", "smoke", "--patches", patches, "--architectures", architectures, "--storage", results]
    driver = start("phase1", *arguments, "--repeats", "3", "--address", nodes.address, **nodes.token)
    wait_for(lambda: (results / "phase1-smoke" / "sweep.json").exists())
    shutil.move(mine, tmp_path / "hidden")
    out, _ = driver.communicate(timeout=600)
    assert driver.returncode == 0, out
    assert {row["status"] for row in _rows(results / "phase1-smoke")} == {"finished"}
