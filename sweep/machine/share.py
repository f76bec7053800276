"""The part of this machine that is ours: what a batch system, a container or ``taskset`` leaves of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
SLURM_VARIABLE = "SLURM_CPUS_PER_TASK"


@dataclass(frozen=True, kw_only=True)
class CpuShare:
    """CPUs that this process and its children may use at a time.

    Attributes:
        count: How many, at least 1.
        machine: Those of the whole machine.
        bound_by: What gives us fewer than all of them; empty where nothing does.
    """

    count: int
    machine: int
    bound_by: str = ""

    def __str__(self) -> str:
        return f"{self.count} of the machine's {self.machine}, by {self.bound_by}" if self.bound_by else f"{self.count}"


def cpu_share(root: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> CpuShare:
    """Count the CPUs that are ours: the plan, the doctor, Ray and ``--halving auto`` all take this number.

    The smallest of the machine's CPUs, CPU affinity (``taskset``, ``docker --cpuset-cpus``, Slurm), the quota of the
    control group or of one around it (``docker --cpus``, Kubernetes' limits), and ``SLURM_CPUS_PER_TASK``. A quota's
    fraction of a CPU is not counted, but for the first one.
    """
    machine = os.cpu_count() or 1
    bounds = {}
    if hasattr(os, "sched_getaffinity"):
        bounds["CPU affinity"] = len(os.sched_getaffinity(0))
    if quotas := list(_cpu_quotas(root, membership)):
        bounds["the CPU quota of its control group"] = max(1, int(min(quotas)))
    if (given := os.environ.get(SLURM_VARIABLE, "")).isdecimal() and int(given) >= 1:
        bounds[SLURM_VARIABLE] = int(given)
    name, count = min(bounds.items(), key=lambda bound: bound[1], default=("", machine))
    return CpuShare(count=min(count, machine), machine=machine, bound_by=name if count < machine else "")


def _cpu_quotas(root: Path, membership: Path) -> Iterator[float]:
    """Read CPU quotas: CPUs; nothing where there is none."""
    for group in control_groups("cpu", root, membership):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = (group / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota_us = int((group / "cpu.cfs_quota_us").read_text())
            if quota_us > 0:
                yield quota_us / int((group / "cpu.cfs_period_us").read_text())


@dataclass(frozen=True, kw_only=True)
class MemoryLimit:
    """What a control group allows, in bytes.

    Attributes:
        limit: At most so much.
        used: Of it, caches that can be dropped not counted.
    """

    limit: int
    used: int

    @property
    def left(self) -> int:
        """What can still be had."""
        return max(0, self.limit - self.used)


def memory_limits(root: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> Iterator[MemoryLimit]:
    """Read the memory limits of this process's control group and of those around it, in both versions of cgroups.

    Yields:
        Limits; nothing where there is none.
    """
    for group in control_groups("memory", root, membership):
        for limit, usage, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with suppress(OSError, ValueError):
                found = int((group / limit).read_text())
                yield MemoryLimit(limit=found, used=_used(group / usage, group / "memory.stat", cached))


def _used(usage: Path, statistics: Path, cached: str) -> int:
    with suppress(OSError, ValueError):
        lines = dict(line.split(" ", 1) for line in statistics.read_text().splitlines() if " " in line)
        return max(0, int(usage.read_text()) - int(lines.get(cached, "0")))
    return 0


def control_groups(controller: str, root: Path, membership: Path) -> Iterator[Path]:
    """Find the folders of this process's control group and of those around it, in both versions of cgroups.

    Yields:
        Folders, which need not be there: in a container the names are the host's, and only the mounted root is seen.
    """
    lines: list[str] = []
    with suppress(OSError):
        lines = membership.read_text().splitlines()
    for line in [*lines, "0::/", f"0:{controller}:/"]:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and controller not in controllers.split(","):
            continue
        for base in dict.fromkeys((root / controller, root / controllers) if controllers else (root,)):
            for group in (PurePosixPath(path), *PurePosixPath(path).parents):
                yield base / str(group).lstrip("/")
