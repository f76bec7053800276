"""Python, CPUs, memory, shared memory and open files of this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.subject import Subject
from sweep.machine.share import cpu_share, memory_limits
from sweep.planning.disk import size

BASE_BYTES = 1.5e9
"""Ray, the driver and the tiles: measured, docs/maintainers/training.md says how; likewise the next one."""
TRIAL_BYTES = {"smoke": 0.9e9, "demo": 1.8e9, "paper": 4.0e9}
"""Main memory of a trial, by profile; the paper's is an assumption."""
STORE_SHARE, STORE_CAP = 0.3, 10**10
"""Ray's object store by default: this share of free memory, and at most these bytes where shared memory is small.
Source: ray/_private/utils.py, resolve_object_store_memory."""
FEW_FILES, FILES = 1024, 4096
"""Below the second, Ray itself warns (ray/_private/worker.py)."""


def check_cpus(subject: Subject) -> Sequence[Finding]:
    """Tell how many CPUs a sweep takes for its own."""
    return [ok(str(cpu_share()))]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Main memory in bytes.

    Attributes:
        total: What the machine has.
        available: What is free on it, or would be if caches were dropped.
        limit: What a container or a job may use; None for no limit.
        used: Of that limit, by everything in the container or job.
    """

    total: int
    available: int
    limit: int | None = None
    used: int = 0

    @property
    def usable(self) -> int:
        """What a sweep can have now."""
        return self.available if self.limit is None else min(self.available, max(0, self.limit - self.used))


def measure_memory() -> Memory:
    """Measure this machine's memory."""
    machine = psutil.virtual_memory()
    limits = [one for one in memory_limits() if one.limit < machine.total]
    tightest = min(limits, key=lambda one: one.left, default=None)
    if tightest is None:
        return Memory(total=machine.total, available=machine.available)
    return Memory(total=machine.total, available=machine.available, limit=tightest.limit, used=tightest.used)


def check_memory(subject: Subject) -> Sequence[Finding]:
    """Compare memory with what as many trials as would run side by side here take; on a cluster, none does."""
    concurrent = 0 if subject.cluster else subject.resources().concurrent
    return [judge_memory(measure_memory(), subject.profile.name, concurrent)]


def judge_memory(memory: Memory, profile: str, concurrent: int) -> Finding:
    """Judge memory by what a profile needs for the driver and so many trials."""
    each = TRIAL_BYTES[profile]
    needed = BASE_BYTES + concurrent * each
    of = size(memory.total) if memory.limit is None else f"the {size(memory.limit)} that this container may use"
    side = ("its driver", "one trial at a time", f"{concurrent} trials at a time")[min(concurrent, 2)]
    text = f"{size(memory.usable)} free of {of}; {profile} takes about {size(needed)} for {side}"
    if memory.usable >= needed:
        return ok(text)
    fits = int((memory.usable - BASE_BYTES) // each)
    if fits >= 1:
        return warn(text, f"give the sweep --max-concurrent {fits}")
    smaller = "" if profile == "smoke" else ", or take --profile smoke"
    return fail(text, f"close other programs, or give the container more memory{smaller}")


def check_shared_memory(subject: Subject) -> Sequence[Finding]:
    """Compare /dev/shm with the object store that Ray would make."""
    place = Path("/dev/shm")
    free = psutil.disk_usage(str(place)).free if place.is_dir() else None
    return [judge_shared_memory(free, measure_memory().usable)]


def judge_shared_memory(free: int | None, memory: int) -> Finding:
    """Judge the bytes that are free in /dev/shm; None where the system has no such folder."""
    if free is None:
        return ok("Ray keeps its objects elsewhere on this system")
    store = min(STORE_SHARE * memory, max(STORE_CAP, 0.95 * free))
    if free >= store:
        return ok(f"{size(free)} free in /dev/shm; Ray's object store takes up to {size(store)}")
    return warn(
        f"{size(free)} free in /dev/shm are less than Ray's object store of {size(store)}: the rest is on disk, slowly",
        f"docker run --shm-size={store / 1e9 + 0.1:.1f}gb ..., or delete files of dead programs in /dev/shm",
    )


def check_open_files(subject: Subject) -> Sequence[Finding]:
    """Look at how many files a process may have open."""
    if sys.platform == "win32":
        return [ok("no limit on this system")]
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [judge_open_files(None if hard == resource.RLIM_INFINITY else hard)]


def judge_open_files(limit: int | None) -> Finding:
    """Judge the hard limit, up to which Ray raises its own; None for no limit."""
    if limit is None or limit >= FILES:
        return ok("any number a process" if limit is None else f"up to {limit:,} a process")
    text = f"up to {limit:,} per process; Ray needs {FILES:,}, and 65,536 on the head of a large cluster"
    fix = "ulimit -Hn 65536 as root, or docker run --ulimit nofile=65536:65536 ..."
    return fail(text, fix) if limit < FEW_FILES else warn(text, fix)
