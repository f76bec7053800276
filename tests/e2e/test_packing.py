"""Trials that share a GPU, on a real Ray node that says it has one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from rich.console import Console

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.cli.console import open_output
from sweep.planning.packing import MemoryNeeds, share_gpus
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import ResourceRequest
from sweep.planning.run import Run
from sweep.ray_tune.memory_probe import probe_on_cluster
from sweep.ray_tune.runner import run_trials
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan
from tests.reports import plan_of
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.storage import Storage


@pytest.fixture(scope="module")
def one_gpu() -> Iterator[None]:
    """A node that says it has one GPU."""
    ray.init("local", num_cpus=4, num_gpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def _plan(trials: int) -> SweepPlan:
    # Long enough that the first ones still train when the last one's actor has started.
    recipe = shared_recipe("unet", get_profile("smoke")).replace(max_epochs=60, patience=60)
    return SweepPlan(trials=tuple(plan_of(f"unet-{seed}", recipe=recipe.replace(seed=seed)) for seed in range(trials)))


@pytest.mark.slow
def test_three_trials_that_need_a_third_of_a_gpu_each_run_side_by_side(
    one_gpu: None, dataset: Path, tmp_path: Path
) -> None:
    data = TuningData.read(dataset)
    plan = _plan(4)
    seen = tmp_path / "seen"

    def measure(trials: Sequence[TrialPlan], tiles: TuningData) -> MemoryNeeds:
        held = ray.get_runtime_context().get_assigned_resources()
        seen.write_text(f"{os.getpid()} {held['GPU']:g} {len(trials)} {len(tiles.train)} {len(tiles.val)}")
        return MemoryNeeds(gpu_bytes=1000, architectures={"unet": 300})

    whole = ResourceRequest().divide(trials=plan.total, total_cpus=4, total_gpus=1)
    resources, packing = share_gpus(
        ResourceRequest(gpus_per_trial="auto"),
        plan,
        data,
        whole,
        Console(quiet=True),
        probe=lambda trials, tiles: probe_on_cluster(trials, tiles, measure),
    )
    assert packing and packing.trials_per_gpu == 3
    assert (resources.gpus_per_trial, resources.concurrent) == (0.3333, 3)
    process, *rest = seen.read_text().split()
    assert int(process) != os.getpid()
    assert rest == ["1", "1", "1", "1"], "a whole GPU; one of four equal trials; a tile to train on and one to score"

    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    free = []

    def asked() -> bool:
        free.append(ray.available_resources().get("GPU", 0.0))
        return False

    run = Run(experiment=experiment, phase="phase1", profile=get_profile("smoke"), plan=plan, data=data)
    assert run_trials(run, replace(resources, device="cpu"), open_output(), asked=asked).complete
    assert min(free) == pytest.approx(1 - 3 * 0.3333, abs=1e-5), "three held their share at once"


def test_a_probe_that_fails_is_one_line(one_gpu: None, dataset: Path) -> None:
    def measure(trials: Sequence[TrialPlan], tiles: TuningData) -> MemoryNeeds:
        raise RuntimeError("CUDA error: out of luck\nand more")

    with pytest.raises(ExperimentError) as caught:
        probe_on_cluster(_plan(1).trials, TuningData.read(dataset), measure)
    assert caught.value.faults == (
        "--gpus-per-trial auto: measuring failed (RuntimeError: CUDA error: out of luck); give a number, such as 1",
    )
