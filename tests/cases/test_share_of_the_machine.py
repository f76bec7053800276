"""The CPUs that are counted are those that a batch system, a container or ``taskset`` leaves to this process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.doctor.options import CheckupOptions
from sweep.doctor.subject import Subject
from sweep.machine.share import CpuShare, cpu_share
from sweep.planning.resources import ResourceRequest
from sweep.ray_tune.allocation import here, one_at_a_time
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight CPUs, all of them ours."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)


def _group(root: Path, files: dict[str, str], membership: str) -> tuple[Path, Path]:
    """Write control groups and which ones this process belongs to."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    member = root / "membership"
    member.write_text(membership)
    return root, member


@pytest.mark.parametrize(
    ("files", "membership", "count"),
    [
        ({"job/cpu.max": "300000 100000\n"}, "0::/job\n", 3),
        ({"job/cpu.max": "max 100000\n", "cpu.max": "250000 100000\n"}, "0::/job\n", 2),
        ({"job/cpu.max": "50000 100000\n"}, "0::/job\n", 1),
        ({"cpu.max": "400000 100000\n"}, "0::/of/the/host\n", 4),
        ({"job/cpu.max": "damaged\n"}, "0::/job\n", 8),
        ({"cpu/job/cpu.cfs_quota_us": "500000\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, "4:cpu,cpuacct:/job\n", 5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/\n", 8),
        ({"cpu/cpu.cfs_quota_us": "600000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "nonsense\n", 6),
    ],
)
def test_a_quota_of_either_version_counts(tmp_path: Path, files: dict[str, str], membership: str, count: int) -> None:
    assert cpu_share(*_group(tmp_path, files, membership)).count == count


def test_the_smallest_bound_counts_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = _group(tmp_path, {"cpu.max": "500000 100000\n"}, "0::/\n")
    assert cpu_share(*groups) == CpuShare(count=5, machine=8, bound_by="the CPU quota of its control group")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 7})
    assert cpu_share(*groups) == CpuShare(count=3, machine=8, bound_by="CPU affinity")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    assert cpu_share(*groups) == CpuShare(count=2, machine=8, bound_by="SLURM_CPUS_PER_TASK")
    assert str(cpu_share(*groups)) == "2 of the machine's 8, by SLURM_CPUS_PER_TASK"


def test_a_bound_above_the_machine_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = _group(tmp_path, {"cpu.max": "6400000 100000\n"}, "0::/\n")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "64")
    assert cpu_share(*groups) == CpuShare(count=8, machine=8) and str(cpu_share(*groups)) == "8"


def test_the_plan_the_doctor_and_halving_take_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert here(ResourceRequest(), trials=4).concurrent == 1
    assert one_at_a_time(ResourceRequest())
    subject = Subject(CheckupOptions())
    subject.torch = lambda: {"devices": []}  # type: ignore[assignment, method-assign]
    assert subject.resources().total_cpus == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_a_process_with_one_core_counts_one() -> None:
    code = "from sweep.machine.share import cpu_share; print(cpu_share().count)"
    (first, *_) = os.sched_getaffinity(0)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ},
        preexec_fn=lambda: os.sched_setaffinity(0, {first}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "1"
