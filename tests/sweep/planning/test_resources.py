"""Dividing a cluster among trials."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.planning.resources import ResourceRequest
from trainables.errors import ExperimentError


def test_four_gpus_run_four_trials_with_their_share_of_cpus() -> None:
    resources = ResourceRequest().divide(trials=5, total_cpus=12, total_gpus=4)
    assert (resources.device, resources.concurrent) == ("cuda", 4)
    assert (resources.gpus_per_trial, resources.cpus_per_trial) == (1.0, 3)


def test_half_a_gpu_a_trial_doubles_the_slots() -> None:
    assert ResourceRequest(gpus_per_trial=0.5).divide(trials=9, total_cpus=8, total_gpus=2).concurrent == 4


def test_no_gpu_uses_cpu_cores() -> None:
    resources = ResourceRequest().divide(trials=5, total_cpus=2, total_gpus=0)
    assert (resources.device, resources.concurrent, resources.cpus_per_trial) == ("cpu", 2, 1)


def test_one_at_a_time_gets_all_cores() -> None:
    assert ResourceRequest(max_concurrent=1).divide(trials=5, total_cpus=2, total_gpus=0).cpus_per_trial == 2
    assert ResourceRequest(max_concurrent=1).divide(trials=5, total_cpus=8, total_gpus=1).concurrent == 1


def test_zero_gpus_a_trial_means_the_cpu() -> None:
    assert ResourceRequest(gpus_per_trial=0).divide(trials=2, total_cpus=4, total_gpus=4).device == "cpu"


def test_gpus_that_nothing_uses_are_said_with_what_uses_them() -> None:
    five = ResourceRequest().divide(trials=5, total_cpus=32, total_gpus=8)
    said = "; 3 GPUs stay idle, as there are no more trials (Phase 1: --fill trains the longest again on them)"
    assert str(five) == f"5 at a time, 1 GPU and 4 CPU each, of 8 GPUs and 32 CPUs{said}"
    assert "1 GPU stays idle" in str(ResourceRequest().divide(trials=3, total_cpus=32, total_gpus=4))
    for request, trials in (
        (ResourceRequest(), 8),
        (ResourceRequest(), 40),
        (ResourceRequest(max_concurrent=2), 5),
        (ResourceRequest(gpus_per_trial=2), 4),
        (ResourceRequest(gpus_per_trial=0.5), 15),
        (ResourceRequest(device="cpu"), 5),
    ):
        assert "idle" not in str(request.divide(trials=trials, total_cpus=32, total_gpus=8))


@pytest.mark.parametrize("share", [4.0, 0.5])
def test_a_share_of_gpus_is_refused_where_there_are_none(share: float) -> None:
    said = f"^--gpus-per-trial {share:g}: there is no GPU; leave it out, or give 0$"
    with pytest.raises(ExperimentError, match=said):
        ResourceRequest(gpus_per_trial=share).divide(trials=2, total_cpus=4, total_gpus=0)
    for request in (ResourceRequest(gpus_per_trial=0), ResourceRequest(gpus_per_trial=share, device="cpu")):
        assert request.divide(trials=2, total_cpus=4, total_gpus=0).device == "cpu"


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        ({"gpus_per_trial": 1.5}, "--gpus-per-trial 1.5"),
        ({"gpus_per_trial": -1.0}, "--gpus-per-trial -1"),
        ({"gpus_per_trial": 8.0}, "--gpus-per-trial 8"),
        ({"gpus_per_trial": float("nan")}, "--gpus-per-trial nan"),
        ({"gpus_per_trial": float("inf")}, "--gpus-per-trial inf"),
        ({"gpus_per_trial": 0.00001}, "--gpus-per-trial 1e-05"),
        ({"max_concurrent": 0}, "--max-concurrent 0"),
    ],
)
def test_impossible_requests_name_the_flag(arguments: dict[str, Any], flag: str) -> None:
    with pytest.raises(ExperimentError, match=flag):
        ResourceRequest(**arguments).divide(trials=2, total_cpus=4, total_gpus=4)
    with pytest.raises(ExperimentError, match="--device cpu"):
        ResourceRequest(device="cuda").divide(trials=2, total_cpus=4, total_gpus=0)
